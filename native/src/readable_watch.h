#ifndef TRAFFICCOPY_READABLE_WATCH_H_
#define TRAFFICCOPY_READABLE_WATCH_H_

#include <napi.h>
#include <uv.h>

#include <memory>

#include "sys_error.h"

namespace trafficcopy {

// Calls a JavaScript function from the event loop of its environment while a socket is readable, and when it has an
// error (which is taken off the socket: an interface that goes down must not end the watch).
//
// Safe in worker threads: an environment that ends first closes the watch and waits until libuv is done with it.
class ReadableWatch {
 public:
  ReadableWatch() = default;
  ReadableWatch(const ReadableWatch&) = delete;
  ReadableWatch& operator=(const ReadableWatch&) = delete;
  ~ReadableWatch() { Stop(); }

  Outcome Start(Napi::Env env, int fd, Napi::Function callback, const char* name);
  // Afterwards the socket may be closed and the function is not called any more. May be called from the function.
  void Stop();
  bool is_started() const { return handle_ != nullptr; }

 private:
  // What libuv refers to. It outlives the watch until libuv has let go of it.
  struct Handle {
    uv_poll_t poll;
    napi_async_cleanup_hook_handle cleanup_hook;
    ReadableWatch* owner;  // null once stopped
    int fd;
  };

  static void OnReady(uv_poll_t* poll, int status, int events);
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* data);
  static void OnClosed(uv_handle_t* handle);

  Handle* handle_ = nullptr;
  std::shared_ptr<Napi::AsyncContext> context_;
  Napi::FunctionReference callback_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_READABLE_WATCH_H_
