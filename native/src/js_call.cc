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

bool Arguments::IsOfType(size_t index, napi_valuetype type, const char* name) {
  if (info_[index].Type() == type) return true;
  if (wrong_name_ == nullptr) {
    wrong_index_ = index;
    wrong_name_ = name;
  }
  return false;
}

uint32_t Arguments::Unsigned(size_t index) {
  return IsOfType(index, napi_number, "a number") ? info_[index].As<Napi::Number>().Uint32Value() : 0;
}

int32_t Arguments::Signed(size_t index) {
  return IsOfType(index, napi_number, "a number") ? info_[index].As<Napi::Number>().Int32Value() : 0;
}

std::string Arguments::Text(size_t index) {
  if (!IsOfType(index, napi_string, "a string")) return {};
  return info_[index].As<Napi::String>().Utf8Value();
}

Napi::Function Arguments::Function(size_t index) {
  return IsOfType(index, napi_function, "a function") ? info_[index].As<Napi::Function>() : Napi::Function();
}

bool Arguments::AreRight() const {
  if (wrong_name_ == nullptr) return true;
  const std::string message = "argument " + std::to_string(wrong_index_ + 1) + ": " + wrong_name_ + " was expected";
  Napi::TypeError::New(info_.Env(), message).ThrowAsJavaScriptException();
  return false;
}

std::span<uint8_t> BytesOf(Napi::Value value) { return ArrayOf<uint8_t>(value, napi_uint8_array); }

std::span<uint32_t> WordsOf(Napi::Value value) { return ArrayOf<uint32_t>(value, napi_uint32_array); }

std::span<BatchEntry> EntriesOf(Napi::Value value) {
  const std::span<uint32_t> fields = ArrayOf<uint32_t>(value, napi_uint32_array);
  return {reinterpret_cast<BatchEntry*>(fields.data()), fields.size() / kPacketEntryFields};
}

std::span<double> NumbersOf(Napi::Value value) { return ArrayOf<double>(value, napi_float64_array); }

}  // namespace trafficcopy
