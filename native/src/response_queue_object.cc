#include "response_queue_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function ResponseQueueObject::Define(Napi::Env env) {
  return DefineClass(env, "ResponseQueue",
                     {
                         InstanceMethod<&ResponseQueueObject::Read>("read"),
                         InstanceMethod<&ResponseQueueObject::Start>("start"),
                         InstanceMethod<&ResponseQueueObject::Stop>("stop"),
                         InstanceMethod<&ResponseQueueObject::Statistics>("statistics"),
                         InstanceMethod<&ResponseQueueObject::Close>("close"),
                     });
}

ResponseQueueObject::ResponseQueueObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const ResponseQueueConfig config{
      .queue_number = static_cast<uint16_t>(info[0].As<Napi::Number>().Uint32Value()),
      .copy_bytes = info[1].As<Napi::Number>().Uint32Value(),
      .queue_length_max = info[2].As<Napi::Number>().Uint32Value(),
      .receive_buffer_bytes = info[3].As<Napi::Number>().Int32Value(),
      .slot_bytes = info[4].As<Napi::Number>().Uint32Value(),
      .slot_count = info[5].As<Napi::Number>().Uint32Value(),
      .netns_path = info[6].As<Napi::String>().Utf8Value(),
  };
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

void ResponseQueueObject::Start(const Napi::CallbackInfo& info) {
  const bool was_started = watch_.is_started();
  const Outcome error =
      watch_.Start(info.Env(), queue_.fd(), info[0].As<Napi::Function>(), "trafficcopy.ResponseQueue");
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
