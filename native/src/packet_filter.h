#ifndef TRAFFICCOPY_PACKET_FILTER_H_
#define TRAFFICCOPY_PACKET_FILTER_H_

#include <linux/filter.h>

#include <string>
#include <vector>

#include "sys_error.h"

namespace trafficcopy {

// A classic BPF program for packets that start at their IP header.
class PacketFilter {
 public:
  // Compiles a libpcap expression. The program also refuses what is not IP by its link-layer protocol, since the bytes
  // of an ARP packet may look like an IP header.
  Outcome Compile(const std::string& expression);

  Outcome Attach(int socket) const;

 private:
  std::vector<sock_filter> program_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_PACKET_FILTER_H_
