// What every JavaScript-visible class needs at its border.
#ifndef TRAFFICCOPY_JS_CALL_H_
#define TRAFFICCOPY_JS_CALL_H_

#include <napi.h>

#include <span>

#include "batch.h"
#include "sys_error.h"

namespace trafficcopy {

// Throws the facts; lib/addon.ts turns them into a NativeError.
void ThrowSysError(Napi::Env env, const SysError& error);

// The octets of a Uint8Array argument, the entries of a Uint32Array, the numbers of a Float64Array; empty for anything
// else. Valid until control goes back to JavaScript.
std::span<uint8_t> BytesOf(Napi::Value value);
std::span<BatchEntry> EntriesOf(Napi::Value value);
std::span<double> NumbersOf(Napi::Value value);

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_JS_CALL_H_
