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
  Arguments arguments(info);
  const std::span<uint32_t> besides = WordsOf(info[10]);
  const PacketRingConfig config{
      .interface_name = arguments.Text(0),
      .filter = arguments.Text(1),
      .netns_path = arguments.Text(7),
      .block_bytes = arguments.Unsigned(2),
      .block_count = arguments.Unsigned(3),
      .retire_ms = arguments.Unsigned(4),
      .share = {.worker = arguments.Unsigned(5), .workers = arguments.Unsigned(6)},
      .devices = {.once = arguments.Unsigned(9) != 0, .besides = {besides.begin(), besides.end()}},
      .sees_outgoing = arguments.Unsigned(8) != 0,
  };
  if (!arguments.AreRight()) return;
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
  Arguments arguments(info);
  const std::string expression = arguments.Text(0);
  if (!arguments.AreRight()) return;
  if (const Outcome error = ring_.SetFilter(expression, WordsOf(info[1]))) ThrowSysError(info.Env(), *error);
}

void PacketRingObject::Start(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Function callback = arguments.Function(0);
  if (!arguments.AreRight()) return;
  const bool was_started = watch_.is_started();
  const Outcome error = watch_.Start(info.Env(), ring_.fd(), callback, "trafficcopy.PacketRing");
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
    // Once detached JavaScript cannot reach the pages, and they can go before the garbage collector comes. One that is
    // detached already was handed on: whoever has the pages now keeps them.
    const Napi::ArrayBuffer memory = memory_.Value();
    if (!memory.IsDetached() && napi_detach_arraybuffer(info.Env(), memory) == napi_ok && ring_.mapping()) {
      ring_.mapping()->Unmap();
    }
    memory_.Reset();
  }
  ring_.Close();
}

}  // namespace trafficcopy
