#include "send_queue.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace trafficcopy {

int UnacknowledgedOctets(int fd) {
  // Other files take the request for something else.
  int protocol = 0;
  socklen_t length = sizeof protocol;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0 || protocol != IPPROTO_TCP) return -1;
  int octets = 0;
  return ioctl(fd, SIOCOUTQ, &octets) == 0 ? octets : -1;
}

}  // namespace trafficcopy
