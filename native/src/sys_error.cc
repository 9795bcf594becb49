#include "sys_error.h"

#include <uv.h>

namespace trafficcopy {

std::string ErrnoName(int number) {
  // libuv knows the errno values that Node.js shows, and gives the others no name.
  switch (number) {
    case EBADMSG:
      return "EBADMSG";
    case ENOMSG:
      return "ENOMSG";
    case ENONET:
      return "ENONET";
    case ENOKEY:
      return "ENOKEY";
    default:
      char name[64];
      return uv_err_name_r(-number, name, sizeof name);
  }
}

}  // namespace trafficcopy
