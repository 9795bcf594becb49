#include "response_queue_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function ResponseQueueObject::Define(Napi::Env env) {
  return DefineClass(env, "ResponseQueue",
                     {
                         InstanceMethod<&ResponseQueueObject::Read>("read"),
                         InstanceMethod<&ResponseQueueObject::SetCopyBytes>("setCopyBytes"),
                         InstanceMethod<&ResponseQueueObject::Start>("start"),
                         InstanceMethod<&ResponseQueueObject::Stop>("stop"),
                         InstanceMethod<&ResponseQueueObject::Statistics>("statistics"),
                         InstanceMethod<&ResponseQueueObject::Close>("close"),
                     });
}

ResponseQueueObject::ResponseQueueObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Arguments arguments(info);
  const ResponseQueueConfig config{
      .queue_number = static_cast<uint16_t>(arguments.Unsigned(0)),
      .copy_bytes = arguments.Unsigned(1),
      .queue_length_max = arguments.Unsigned(2),
      .receive_buffer_bytes = arguments.Signed(3),
      .slot_bytes = arguments.Unsigned(4),
      .slot_count = arguments.Unsigned(5),
      .netns_path = arguments.Text(6),
  };
  if (!arguments.AreRight()) return;
  if (const Outcome error = queue_.Open(config)) {
    queue_.Close();
    ThrowSysError(info.Env(), *error);
  }
}

ResponseQueueObject::~ResponseQueueObject() {
  watch_.Stop();
  queue_.Close();
}

Napi::Value ResponseQueueObject::Read(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(queue_.Read(BytesOf(info[0]), EntriesOf(info[1]))));
}

// (copyBytes, receiveBufferBytes, slotBytes)
void ResponseQueueObject::SetCopyBytes(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const uint32_t copy_bytes = arguments.Unsigned(0);
  const int receive_buffer_bytes = arguments.Signed(1);
  const uint32_t slot_bytes = arguments.Unsigned(2);
  if (!arguments.AreRight()) return;
  if (const Outcome error = queue_.SetCopyBytes(copy_bytes, receive_buffer_bytes, slot_bytes)) {
    ThrowSysError(info.Env(), *error);
  }
}

void ResponseQueueObject::Start(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Function callback = arguments.Function(0);
  if (!arguments.AreRight()) return;
  const bool was_started = watch_.is_started();
  const Outcome error = watch_.Start(info.Env(), queue_.fd(), callback, "trafficcopy.ResponseQueue");
  // A started queue is not garbage.
  if (!error && !was_started) Ref();
  if (error && was_started) Unref();
  if (error) ThrowSysError(info.Env(), *error);
}

void ResponseQueueObject::Stop(const Napi::CallbackInfo&) {
  if (!watch_.is_started()) return;
  watch_.Stop();
  Unref();
}

void ResponseQueueObject::Statistics(const Napi::CallbackInfo& info) {
  const std::span<double> out = NumbersOf(info[0]);
  const ResponseQueue::Statistics& statistics = queue_.UpdateStatistics();
  const double figures[] = {
      static_cast<double>(statistics.packets),      static_cast<double>(statistics.queue_dropped),
      static_cast<double>(statistics.user_dropped), static_cast<double>(statistics.malformed),
      static_cast<double>(statistics.waiting),
  };
  if (out.size() >= std::size(figures)) std::copy(std::begin(figures), std::end(figures), out.begin());
}

void ResponseQueueObject::Close(const Napi::CallbackInfo& info) {
  Stop(info);
  queue_.Close();
}

}  // namespace trafficcopy
