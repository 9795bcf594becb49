#include "readable_watch.h"

#include <sys/socket.h>

namespace trafficcopy {

Outcome ReadableWatch::Start(Napi::Env env, int fd, Napi::Function callback, const char* name) {
  Stop();
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return SysError{ENOSYS, "napi_get_uv_event_loop", {}, {}};
  auto handle = std::make_unique<Handle>();
  handle->owner = this;
  handle->fd = fd;
  if (const int error = uv_poll_init(loop, &handle->poll, fd); error != 0) {
    return SysError{-error, "uv_poll_init", {}, {}};
  }
  handle->poll.data = handle.get();
  Handle* const started = handle.release();
  if (napi_add_async_cleanup_hook(env, OnEnvironmentEnd, started, &started->cleanup_hook) != napi_ok) {
    started->cleanup_hook = nullptr;
    started->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&started->poll), OnClosed);
    return SysError{ENOSYS, "napi_add_async_cleanup_hook", {}, {}};
  }
  if (const int error = uv_poll_start(&started->poll, UV_READABLE, OnReady); error != 0) {
    started->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&started->poll), OnClosed);
    return SysError{-error, "uv_poll_start", {}, {}};
  }
  context_ = std::make_shared<Napi::AsyncContext>(env, name);
  callback_ = Napi::Persistent(callback);
  handle_ = started;
  return std::nullopt;
}

void ReadableWatch::Stop() {
  callback_.Reset();
  context_.reset();
  if (handle_ == nullptr) return;
  Handle* const handle = handle_;
  handle_ = nullptr;
  handle->owner = nullptr;
  uv_poll_stop(&handle->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), OnClosed);
}

void ReadableWatch::OnClosed(uv_handle_t* closed) {
  const std::unique_ptr<Handle> handle(static_cast<Handle*>(closed->data));
  if (handle->cleanup_hook != nullptr) napi_remove_async_cleanup_hook(handle->cleanup_hook);
}

// The environment waits until the hook is removed, which OnClosed does.
void ReadableWatch::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* data) {
  auto* const handle = static_cast<Handle*>(data);
  // Without an owner it was stopped, and is being closed already.
  if (handle->owner != nullptr) handle->owner->Stop();
}

void ReadableWatch::OnReady(uv_poll_t* poll, int status, int) {
  auto* const handle = static_cast<Handle*>(poll->data);
  if (status < 0) {
    // libuv has stopped the handle. Taking the error makes the socket usable again.
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(handle->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    uv_poll_start(poll, UV_READABLE, OnReady);
  }
  ReadableWatch* const owner = handle->owner;
  if (owner == nullptr || owner->callback_.IsEmpty()) return;
  const Napi::Env env = owner->callback_.Env();
  const Napi::HandleScope scope(env);
  const Napi::Function callback = owner->callback_.Value();
  // The function may stop the watch, and the garbage collector may then take it: nothing of it is used after the call.
  const std::shared_ptr<Napi::AsyncContext> context = owner->context_;
  napi_value result = nullptr;
  if (napi_make_callback(env, *context, env.Global(), callback, 0, nullptr, &result) != napi_pending_exception) return;
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
}

}  // namespace trafficcopy
