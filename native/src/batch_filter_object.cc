#include "batch_filter_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function BatchFilterObject::Define(Napi::Env env) {
  return DefineClass(env, "BatchFilter", {InstanceMethod<&BatchFilterObject::Select>("select")});
}

BatchFilterObject::BatchFilterObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Arguments arguments(info);
  const std::string expression = arguments.Text(0);
  if (!arguments.AreRight()) return;
  if (const Outcome error = filter_.Compile(expression)) ThrowSysError(info.Env(), *error);
}

Napi::Value BatchFilterObject::Select(const Napi::CallbackInfo& info) {
  const std::span<BatchEntry> entries = EntriesOf(info[1]);
  Arguments arguments(info);
  const size_t count = std::min<size_t>(arguments.Unsigned(3), entries.size());
  if (!arguments.AreRight()) return info.Env().Undefined();
  const size_t kept = filter_.Select(BytesOf(info[0]), entries.first(count), NumbersOf(info[2]));
  return Napi::Number::New(info.Env(), static_cast<double>(kept));
}

}  // namespace trafficcopy
