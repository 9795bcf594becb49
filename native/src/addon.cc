// The addon: lib/addon.ts says what it exports. Nothing here is shared between environments; what an object holds ends
// with it, and with its environment at the latest.
#include <napi.h>

#include "batch.h"
#include "batch_filter_object.h"
#include "capture_parser_object.h"
#include "js_call.h"
#include "netns.h"
#include "packet_filter.h"
#include "packet_ring_object.h"
#include "raw_sender_object.h"
#include "response_queue_object.h"
#include "ruleset_generation.h"
#include "send_queue.h"
#include "unused_memory.h"

namespace trafficcopy {
namespace {

void CompileFilter(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string expression = arguments.Text(0);
  if (!arguments.AreRight()) return;
  PacketFilter filter;
  if (const Outcome error = filter.Compile(expression)) ThrowSysError(info.Env(), *error);
}

// What the function throws is pending when this returns, and goes on from there.
Napi::Value InNamespace(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text(0);
  const Napi::Function work = arguments.Function(1);
  if (!arguments.AreRight()) return info.Env().Undefined();
  NetnsScope scope;
  if (const Outcome error = scope.Enter(path)) {
    ThrowSysError(info.Env(), *error);
    return info.Env().Undefined();
  }
  return work.Call({});
}

Napi::Value GiveBack(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(GiveBackUnusedMemory()));
}

Napi::Value Generation(const Napi::CallbackInfo& info) {
  const std::optional<uint32_t> generation = RulesetGeneration();
  return generation ? Napi::Number::New(info.Env(), *generation) : info.Env().Undefined();
}

Napi::Value OctetsUnacknowledged(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int32_t fd = arguments.Signed(0);
  if (!arguments.AreRight()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), UnacknowledgedOctets(fd));
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  const Napi::Object constants = Napi::Object::New(env);
  constants.Set("PACKET_ENTRY_FIELDS", Napi::Number::New(env, kPacketEntryFields));
  constants.Set("ENTRY_OFFSET", Napi::Number::New(env, kEntryOffset));
  constants.Set("ENTRY_CAPTURED_BYTES", Napi::Number::New(env, kEntryCapturedBytes));
  constants.Set("ENTRY_WIRE_BYTES", Napi::Number::New(env, kEntryWireBytes));
  constants.Set("ENTRY_TIME_US", Napi::Number::New(env, kEntryTimeUs));
  exports.Set("constants", constants);
  exports.Set("BatchFilter", BatchFilterObject::Define(env));
  exports.Set("CaptureParser", CaptureParserObject::Define(env));
  exports.Set("PacketRing", PacketRingObject::Define(env));
  exports.Set("RawSender", RawSenderObject::Define(env));
  exports.Set("ResponseQueue", ResponseQueueObject::Define(env));
  exports.Set("compileFilter", Napi::Function::New<CompileFilter>(env, "compileFilter"));
  exports.Set("unacknowledgedOctets", Napi::Function::New<OctetsUnacknowledged>(env, "unacknowledgedOctets"));
  exports.Set("inNamespace", Napi::Function::New<InNamespace>(env, "inNamespace"));
  exports.Set("rulesetGeneration", Napi::Function::New<Generation>(env, "rulesetGeneration"));
  exports.Set("giveBackUnusedMemory", Napi::Function::New<GiveBack>(env, "giveBackUnusedMemory"));
  return exports;
}

}  // namespace

NODE_API_MODULE(trafficcopy, Initialize)

}  // namespace trafficcopy
