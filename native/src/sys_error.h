#ifndef TRAFFICCOPY_SYS_ERROR_H_
#define TRAFFICCOPY_SYS_ERROR_H_

#include <cerrno>
#include <optional>
#include <string>

namespace trafficcopy {

// A failed call: taken where it failed, before anything else can change errno. lib/addon.ts makes the message.
struct SysError {
  int number;
  const char* syscall;
  std::string subject;
  // What there is to say beyond the errno, for libraries that have words of their own.
  std::string detail;

  static SysError Take(const char* syscall, std::string subject = {}) {
    return SysError{errno, syscall, std::move(subject), {}};
  }
};

// «EPERM».
std::string ErrnoName(int number);

// Nothing: it worked.
using Outcome = std::optional<SysError>;

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_SYS_ERROR_H_
