#ifndef TRAFFICCOPY_RAW_SENDER_OBJECT_H_
#define TRAFFICCOPY_RAW_SENDER_OBJECT_H_

#include <napi.h>

#include "raw_sender.h"

namespace trafficcopy {

// RawSender as JavaScript sees it: NativeRawSender in lib/addon.ts.
class RawSenderObject : public Napi::ObjectWrap<RawSenderObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // (family, mark, sendBufferBytes, segmentBytesMax, netnsPath)
  explicit RawSenderObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value TooBig(const Napi::CallbackInfo& info);
  void Statistics(const Napi::CallbackInfo& info);
  Napi::Value Errors(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  RawSender sender_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_RAW_SENDER_OBJECT_H_
