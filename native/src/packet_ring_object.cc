#include "packet_ring_object.h"

#include "js_call.h"

namespace trafficcopy {

Napi::Function PacketRingObject::Define(Napi::Env env) {
  return DefineClass(env, "PacketRing",
                     {
                         InstanceMethod<&PacketRingObject::Memory>("memory"),
                         InstanceMethod<&PacketRingObject::Next>("next"),
                         InstanceMethod<&PacketRingObject::Release>("release"),
                         InstanceMethod<&PacketRingObject::SetFilter>("setFilter"),
                         InstanceMethod<&PacketRingObject::Start>("start"),
                         InstanceMethod<&PacketRingObject::Stop>("stop"),
                         InstanceMethod<&PacketRingObject::Statistics>("statistics"),
                         InstanceMethod<&PacketRingObject::Close>("close"),
                     });
}

PacketRingObject::PacketRingObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const PacketRingConfig config{
      .interface_name = info[0].As<Napi::String>().Utf8Value(),
      .filter = info[1].As<Napi::String>().Utf8Value(),
      .netns_path = info[6].As<Napi::String>().Utf8Value(),
      .block_bytes = info[2].As<Napi::Number>().Uint32Value(),
      .block_count = info[3].As<Napi::Number>().Uint32Value(),
      .retire_ms = info[4].As<Napi::Number>().Uint32Value(),
      .fanout_group = info[5].As<Napi::Number>().Int32Value(),
  };
  if (const Outcome error = ring_.Open(config)) {
    ring_.Close();
    ThrowSysError(info.Env(), *error);
  }
}

PacketRingObject::~PacketRingObject() { watch_.Stop(); }

Napi::Value PacketRingObject::Memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!memory_.IsEmpty()) return memory_.Value();
  if (!ring_.mapping()) return Napi::ArrayBuffer::New(env, 0);
  // The share of the mapping that belongs to the ArrayBuffer.
  auto* const share = new std::shared_ptr<RingMapping>(ring_.mapping());
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, (*share)->data(), (*share)->bytes(),
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<RingMapping>*>(hint); }, share, &buffer);
  if (status != napi_ok) {
    delete share;
    ThrowSysError(env, SysError{ENOTSUP,
                                "napi_create_external_arraybuffer",
                                {},
                                "this JavaScript runtime allows no memory of others (V8 sandbox)"});
    return env.Undefined();
  }
  const Napi::ArrayBuffer memory(env, buffer);
  memory_ = Napi::Persistent(memory);
  return memory;
}

Napi::Value PacketRingObject::Next(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(ring_.Next(EntriesOf(info[0]))));
}

void PacketRingObject::Release(const Napi::CallbackInfo&) { ring_.Release(); }

void PacketRingObject::SetFilter(const Napi::CallbackInfo& info) {
  if (const Outcome error = ring_.SetFilter(info[0].As<Napi::String>().Utf8Value())) ThrowSysError(info.Env(), *error);
}

void PacketRingObject::Start(const Napi::CallbackInfo& info) {
  const bool was_started = watch_.is_started();
  const Outcome error = watch_.Start(info.Env(), ring_.fd(), info[0].As<Napi::Function>(), "trafficcopy.PacketRing");
  // A started ring is not garbage.
  if (!error && !was_started) Ref();
  if (error && was_started) Unref();
  if (error) ThrowSysError(info.Env(), *error);
}

void PacketRingObject::Stop(const Napi::CallbackInfo&) {
  if (!watch_.is_started()) return;
  watch_.Stop();
  Unref();
}

void PacketRingObject::Statistics(const Napi::CallbackInfo& info) {
  const std::span<double> out = NumbersOf(info[0]);
  const PacketRing::Statistics& statistics = ring_.UpdateStatistics();
  const double figures[] = {
      static_cast<double>(statistics.packets),         static_cast<double>(statistics.drops),
      static_cast<double>(statistics.freezes),         static_cast<double>(statistics.malformed),
      static_cast<double>(statistics.interface_state),
  };
  if (out.size() >= std::size(figures)) std::copy(std::begin(figures), std::end(figures), out.begin());
}

void PacketRingObject::Close(const Napi::CallbackInfo& info) {
  Stop(info);
  if (!memory_.IsEmpty()) {
    // Once detached JavaScript cannot reach the pages, and they can go before the garbage collector comes.
    const Napi::ArrayBuffer memory = memory_.Value();
    if (napi_detach_arraybuffer(info.Env(), memory) == napi_ok && ring_.mapping()) ring_.mapping()->Unmap();
    memory_.Reset();
  }
  ring_.Close();
}

}  // namespace trafficcopy
