#ifndef TRAFFICCOPY_PACKET_RING_OBJECT_H_
#define TRAFFICCOPY_PACKET_RING_OBJECT_H_

#include <napi.h>

#include "packet_ring.h"
#include "readable_watch.h"

namespace trafficcopy {

// PacketRing as JavaScript sees it: NativePacketRing in lib/addon.ts.
class PacketRingObject : public Napi::ObjectWrap<PacketRingObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // (interfaceName, filter, blockBytes, blockCount, retireMs, worker, workers, netnsPath, seesOutgoing)
  explicit PacketRingObject(const Napi::CallbackInfo& info);
  ~PacketRingObject() override;

 private:
  Napi::Value Memory(const Napi::CallbackInfo& info);
  Napi::Value Next(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);
  void SetFilter(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void Statistics(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  PacketRing ring_;
  ReadableWatch watch_;
  // The ArrayBuffer over the mapping, for detaching it. It keeps the mapping alive itself.
  Napi::Reference<Napi::ArrayBuffer> memory_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_PACKET_RING_OBJECT_H_
