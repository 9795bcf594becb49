#ifndef TRAFFICCOPY_NETNS_H_
#define TRAFFICCOPY_NETNS_H_

#include <string>

#include "sys_error.h"
#include "unique_fd.h"

namespace trafficcopy {

// The calling thread is in another network namespace from Enter() until the scope ends. Sockets opened meanwhile stay
// there for good; everything done to them later needs no scope. Nothing may yield to the event loop inside.
class NetnsScope {
 public:
  NetnsScope() = default;
  NetnsScope(const NetnsScope&) = delete;
  NetnsScope& operator=(const NetnsScope&) = delete;
  // Aborts the process if the thread cannot go back: it would open its next socket in a stranger's namespace.
  ~NetnsScope();

  // An empty path stays where the thread is.
  Outcome Enter(const std::string& path);

 private:
  UniqueFd home_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_NETNS_H_
