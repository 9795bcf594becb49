#include "batch_filter_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function BatchFilterObject::Define(Napi::Env env) {
  return DefineClass(env, "BatchFilter", {InstanceMethod<&BatchFilterObject::Select>("select")});
}

BatchFilterObject::BatchFilterObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (const Outcome error = filter_.Compile(info[0].As<Napi::String>().Utf8Value())) ThrowSysError(info.Env(), *error);
}

Napi::Value BatchFilterObject::Select(const Napi::CallbackInfo& info) {
  const std::span<BatchEntry> entries = EntriesOf(info[1]);
  const size_t count = std::min<size_t>(info[3].As<Napi::Number>().Uint32Value(), entries.size());
  const size_t kept = filter_.Select(BytesOf(info[0]), entries.first(count), NumbersOf(info[2]));
  return Napi::Number::New(info.Env(), static_cast<double>(kept));
}

}  // namespace trafficcopy
