#ifndef TRAFFICCOPY_CAPTURE_PARSER_OBJECT_H_
#define TRAFFICCOPY_CAPTURE_PARSER_OBJECT_H_

#include <napi.h>

#include "capture_parser.h"
#include "readable_watch.h"

namespace trafficcopy {

// CaptureParser as JavaScript sees it: NativeCaptureParser in lib/addon.ts.
class CaptureParserObject : public Napi::ObjectWrap<CaptureParserObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // (batchBytes, batchFrames)
  explicit CaptureParserObject(const Napi::CallbackInfo& info);
  ~CaptureParserObject() override;

 private:
  void Feed(const Napi::CallbackInfo& info);
  void FeedEnd(const Napi::CallbackInfo& info);
  Napi::Value Next(const Napi::CallbackInfo& info);
  void Look(const Napi::CallbackInfo& info);
  void Acknowledge(const Napi::CallbackInfo& info);
  Napi::Value Problem(const Napi::CallbackInfo& info);
  Napi::Value LinkTypeText(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  CaptureParser parser_;
  ReadableWatch watch_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_CAPTURE_PARSER_OBJECT_H_
