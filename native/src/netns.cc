#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace trafficcopy {

Outcome NetnsScope::Enter(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const UniqueFd target(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!target) return SysError::Take("open netns", path);
  // thread-self: in a worker thread /proc/self is the main thread.
  UniqueFd home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home) return SysError::Take("open netns", "/proc/thread-self/ns/net");
  if (setns(target.get(), CLONE_NEWNET) != 0) return SysError::Take("setns", path);
  home_ = std::move(home);
  return std::nullopt;
}

NetnsScope::~NetnsScope() {
  if (!home_) return;
  if (setns(home_.get(), CLONE_NEWNET) == 0) return;
  std::fprintf(stderr, "trafficcopy: cannot return to the own network namespace: %s\n", std::strerror(errno));
  std::abort();
}

}  // namespace trafficcopy
