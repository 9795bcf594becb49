#include "js_call.h"

#include <cstring>

namespace trafficcopy {
namespace {

template <typename T>
std::span<T> ArrayOf(Napi::Value value, napi_typedarray_type expected) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) return {};
  if (type != expected || data == nullptr) return {};
  return {static_cast<T*>(data), length};
}

}  // namespace

void ThrowSysError(Napi::Env env, const SysError& error) {
  const std::string& message = error.detail.empty() ? std::strerror(error.number) : error.detail;
  const Napi::Error thrown = Napi::Error::New(env, message);
  thrown.Set("errno", Napi::Number::New(env, error.number));
  thrown.Set("errnoName", Napi::String::New(env, ErrnoName(error.number)));
  thrown.Set("syscall", Napi::String::New(env, error.syscall));
  thrown.Set("subject", Napi::String::New(env, error.subject));
  thrown.ThrowAsJavaScriptException();
}

std::span<uint8_t> BytesOf(Napi::Value value) { return ArrayOf<uint8_t>(value, napi_uint8_array); }

std::span<BatchEntry> EntriesOf(Napi::Value value) {
  const std::span<uint32_t> fields = ArrayOf<uint32_t>(value, napi_uint32_array);
  return {reinterpret_cast<BatchEntry*>(fields.data()), fields.size() / kPacketEntryFields};
}

std::span<double> NumbersOf(Napi::Value value) { return ArrayOf<double>(value, napi_float64_array); }

}  // namespace trafficcopy
