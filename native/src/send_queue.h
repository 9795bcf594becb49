#ifndef TRAFFICCOPY_SEND_QUEUE_H_
#define TRAFFICCOPY_SEND_QUEUE_H_

namespace trafficcopy {

// Octets that were written to a TCP socket and the other end has not acknowledged, the FIN counted as one; -1 where
// `fd` is no such socket.
int UnacknowledgedOctets(int fd);

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_SEND_QUEUE_H_
