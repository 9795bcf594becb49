// The addon: lib/addon.ts says what it exports. Nothing here is shared between environments; what an object holds ends
// with it, and with its environment at the latest.
#include <napi.h>

#include "batch.h"
#include "js_call.h"
#include "netns.h"
#include "packet_filter.h"
#include "packet_ring_object.h"
#include "raw_sender_object.h"
#include "response_queue_object.h"

namespace trafficcopy {
namespace {

void CompileFilter(const Napi::CallbackInfo& info) {
  PacketFilter filter;
  if (const Outcome error = filter.Compile(info[0].As<Napi::String>().Utf8Value())) ThrowSysError(info.Env(), *error);
}

// What the function throws is pending when this returns, and goes on from there.
Napi::Value InNamespace(const Napi::CallbackInfo& info) {
  NetnsScope scope;
  if (const Outcome error = scope.Enter(info[0].As<Napi::String>().Utf8Value())) {
    ThrowSysError(info.Env(), *error);
    return info.Env().Undefined();
  }
  return info[1].As<Napi::Function>().Call({});
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  const Napi::Object constants = Napi::Object::New(env);
  constants.Set("PACKET_ENTRY_FIELDS", Napi::Number::New(env, kPacketEntryFields));
  constants.Set("ENTRY_OFFSET", Napi::Number::New(env, kEntryOffset));
  constants.Set("ENTRY_CAPTURED_BYTES", Napi::Number::New(env, kEntryCapturedBytes));
  constants.Set("ENTRY_WIRE_BYTES", Napi::Number::New(env, kEntryWireBytes));
  constants.Set("ENTRY_TIME_US", Napi::Number::New(env, kEntryTimeUs));
  exports.Set("constants", constants);
  exports.Set("PacketRing", PacketRingObject::Define(env));
  exports.Set("RawSender", RawSenderObject::Define(env));
  exports.Set("ResponseQueue", ResponseQueueObject::Define(env));
  exports.Set("compileFilter", Napi::Function::New<CompileFilter>(env, "compileFilter"));
  exports.Set("inNamespace", Napi::Function::New<InNamespace>(env, "inNamespace"));
  return exports;
}

}  // namespace

NODE_API_MODULE(trafficcopy, Initialize)

}  // namespace trafficcopy
