#ifndef TRAFFICCOPY_PACKET_FILTER_H_
#define TRAFFICCOPY_PACKET_FILTER_H_

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sys_error.h"

namespace trafficcopy {

// Which packets of all that fit a filter are ours, when other rings take the rest: those from the source ports that
// belong to `worker`, as workerOfPort in core/src/flow/port-share.ts says.
struct PortShare {
  uint32_t worker = 0;
  uint32_t workers = 1;
};

// A classic BPF program for packets that start at their IP header.
class PacketFilter {
 public:
  // Compiles a libpcap expression. The program also refuses what is not IP by its link-layer protocol, since the bytes
  // of an ARP packet may look like an IP header, and what is not in the share.
  Outcome Compile(const std::string& expression, const PortShare& share = {});

  Outcome Attach(int socket) const;

 private:
  std::vector<sock_filter> program_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_PACKET_FILTER_H_
