#include "capture_parser_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function CaptureParserObject::Define(Napi::Env env) {
  return DefineClass(env, "CaptureParser",
                     {
                         InstanceMethod<&CaptureParserObject::Feed>("feed"),
                         InstanceMethod<&CaptureParserObject::FeedEnd>("feedEnd"),
                         InstanceMethod<&CaptureParserObject::Next>("next"),
                         InstanceMethod<&CaptureParserObject::Look>("look"),
                         InstanceMethod<&CaptureParserObject::Acknowledge>("acknowledge"),
                         InstanceMethod<&CaptureParserObject::Problem>("problem"),
                         InstanceMethod<&CaptureParserObject::LinkTypeText>("linkTypeText"),
                         InstanceMethod<&CaptureParserObject::Start>("start"),
                         InstanceMethod<&CaptureParserObject::Stop>("stop"),
                         InstanceMethod<&CaptureParserObject::Close>("close"),
                     });
}

CaptureParserObject::CaptureParserObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Arguments arguments(info);
  const CaptureParserConfig config{
      .batch_bytes = arguments.Unsigned(0),
      .batch_frames = arguments.Unsigned(1),
  };
  if (!arguments.AreRight()) return;
  if (const Outcome error = parser_.Open(config)) ThrowSysError(info.Env(), *error);
}

CaptureParserObject::~CaptureParserObject() { watch_.Stop(); }

void CaptureParserObject::Feed(const Napi::CallbackInfo& info) { parser_.Feed(BytesOf(info[0])); }

void CaptureParserObject::FeedEnd(const Napi::CallbackInfo&) { parser_.FeedEnd(); }

Napi::Value CaptureParserObject::Next(const Napi::CallbackInfo& info) {
  const size_t count = parser_.Next(BytesOf(info[0]), EntriesOf(info[1]), NumbersOf(info[2]));
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

void CaptureParserObject::Look(const Napi::CallbackInfo& info) {
  const std::span<double> out = NumbersOf(info[0]);
  const CaptureParser::State state = parser_.Look();
  const double figures[] = {
      static_cast<double>(state.link_type),
      static_cast<double>(state.snap_bytes),
      static_cast<double>(state.frames),
      static_cast<double>(state.oversized),
      static_cast<double>(state.consumed_bytes),
      static_cast<double>(state.taken_bytes),
      state.last_us,
      state.wants_more ? 1.0 : 0.0,
      state.has_batch ? 1.0 : 0.0,
      state.has_ended ? 1.0 : 0.0,
  };
  if (out.size() >= std::size(figures)) std::copy(std::begin(figures), std::end(figures), out.begin());
}

void CaptureParserObject::Acknowledge(const Napi::CallbackInfo&) { parser_.Acknowledge(); }

Napi::Value CaptureParserObject::Problem(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), parser_.problem());
}

Napi::Value CaptureParserObject::LinkTypeText(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), parser_.link_type_text());
}

void CaptureParserObject::Start(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Function callback = arguments.Function(0);
  if (!arguments.AreRight()) return;
  const bool was_started = watch_.is_started();
  const Outcome error = watch_.Start(info.Env(), parser_.fd(), callback, "trafficcopy.CaptureParser");
  // A started parser is not garbage.
  if (!error && !was_started) Ref();
  if (error && was_started) Unref();
  if (error) ThrowSysError(info.Env(), *error);
}

void CaptureParserObject::Stop(const Napi::CallbackInfo&) {
  if (!watch_.is_started()) return;
  watch_.Stop();
  Unref();
}

void CaptureParserObject::Close(const Napi::CallbackInfo& info) {
  Stop(info);
  parser_.Close();
}

}  // namespace trafficcopy
