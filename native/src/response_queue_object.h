#ifndef TRAFFICCOPY_RESPONSE_QUEUE_OBJECT_H_
#define TRAFFICCOPY_RESPONSE_QUEUE_OBJECT_H_

#include <napi.h>

#include "readable_watch.h"
#include "response_queue.h"

namespace trafficcopy {

// ResponseQueue as JavaScript sees it: NativeResponseQueue in lib/addon.ts.
class ResponseQueueObject : public Napi::ObjectWrap<ResponseQueueObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // (queueNumber, copyBytes, queueLengthMax, receiveBufferBytes, slotBytes, slotCount, netnsPath)
  explicit ResponseQueueObject(const Napi::CallbackInfo& info);
  ~ResponseQueueObject() override;

 private:
  Napi::Value Read(const Napi::CallbackInfo& info);
  void SetCopyBytes(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void Statistics(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  ResponseQueue queue_;
  ReadableWatch watch_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_RESPONSE_QUEUE_OBJECT_H_
