#include "raw_sender_object.h"

#include <algorithm>

#include "js_call.h"

namespace trafficcopy {

Napi::Function RawSenderObject::Define(Napi::Env env) {
  return DefineClass(env, "RawSender",
                     {
                         InstanceMethod<&RawSenderObject::Send>("send"),
                         InstanceMethod<&RawSenderObject::TooBig>("tooBig"),
                         InstanceMethod<&RawSenderObject::Statistics>("statistics"),
                         InstanceMethod<&RawSenderObject::Errors>("errors"),
                         InstanceMethod<&RawSenderObject::Close>("close"),
                     });
}

RawSenderObject::RawSenderObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Arguments arguments(info);
  const RawSenderConfig config{
      .family = arguments.Signed(0),
      .mark = arguments.Unsigned(1),
      .send_buffer_bytes = arguments.Signed(2),
      .segment_bytes_max = arguments.Unsigned(3),
      .netns_path = arguments.Text(4),
  };
  if (!arguments.AreRight()) return;
  if (const Outcome error = sender_.Open(config)) {
    sender_.Close();
    ThrowSysError(info.Env(), *error);
  }
}

Napi::Value RawSenderObject::Send(const Napi::CallbackInfo& info) {
  const std::span<BatchEntry> entries = EntriesOf(info[1]);
  Arguments arguments(info);
  const size_t count = std::min<size_t>(arguments.Unsigned(2), entries.size());
  if (!arguments.AreRight()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(sender_.Send(BytesOf(info[0]), entries.first(count))));
}

Napi::Value RawSenderObject::TooBig(const Napi::CallbackInfo& info) {
  const std::span<double> out = NumbersOf(info[0]);
  size_t count = 0;
  for (const RawSender::TooBig& packet : sender_.too_big()) {
    if (out.size() < 2 * (count + 1)) break;
    out[2 * count] = packet.packet;
    out[2 * count + 1] = packet.mtu_bytes;
    count++;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

void RawSenderObject::Statistics(const Napi::CallbackInfo& info) {
  const std::span<double> out = NumbersOf(info[0]);
  const RawSender::Statistics& statistics = sender_.statistics();
  const double figures[] = {
      static_cast<double>(statistics.sent),
      static_cast<double>(statistics.failed),
      static_cast<double>(statistics.segments),
      static_cast<double>(statistics.last_errno),
  };
  if (out.size() >= std::size(figures)) std::copy(std::begin(figures), std::end(figures), out.begin());
}

Napi::Value RawSenderObject::Errors(const Napi::CallbackInfo& info) {
  const Napi::Object errors = Napi::Object::New(info.Env());
  for (const auto& [number, count] : sender_.statistics().errors) {
    errors.Set(ErrnoName(number), Napi::Number::New(info.Env(), static_cast<double>(count)));
  }
  return errors;
}

void RawSenderObject::Close(const Napi::CallbackInfo&) { sender_.Close(); }

}  // namespace trafficcopy
