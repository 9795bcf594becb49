// What every JavaScript-visible class needs at its border.
#ifndef TRAFFICCOPY_JS_CALL_H_
#define TRAFFICCOPY_JS_CALL_H_

#include <napi.h>

#include <span>
#include <string>

#include "batch.h"
#include "sys_error.h"

namespace trafficcopy {

// Throws the facts; lib/addon.ts turns them into a NativeError.
void ThrowSysError(Napi::Env env, const SysError& error);

// The arguments of a call, each read as the type that it should have. One that is of another reads as nothing; AreRight
// says so once, as a TypeError. Node-API itself ends the process where a second exception is thrown over the first.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  // As JavaScript does for bit operations: what is no whole number of 32 bits becomes one.
  uint32_t Unsigned(size_t index);
  int32_t Signed(size_t index);
  std::string Text(size_t index);
  Napi::Function Function(size_t index);

  // False: a TypeError is pending, and nothing may be done any more. Call it when all are read.
  bool AreRight() const;

 private:
  bool IsOfType(size_t index, napi_valuetype type, const char* name);

  const Napi::CallbackInfo& info_;
  size_t wrong_index_ = 0;
  const char* wrong_name_ = nullptr;
};

// The octets of a Uint8Array argument, the words or entries of a Uint32Array, the numbers of a Float64Array; empty for
// anything else. Valid until control goes back to JavaScript.
std::span<uint8_t> BytesOf(Napi::Value value);
std::span<uint32_t> WordsOf(Napi::Value value);
std::span<BatchEntry> EntriesOf(Napi::Value value);
std::span<double> NumbersOf(Napi::Value value);

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_JS_CALL_H_
