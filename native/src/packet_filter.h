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

// Which devices' packets are taken by a ring that is bound to all of them. A packet passes every device of a stack:
// that of a bond, bridge or VLAN comes again behind the one that it arrived at.
struct DeviceChoice {
  // Each packet once: what carries a VLAN tag comes again without it, and what is for another hardware address than the
  // device's comes again at the device above that has it (macvlan), or is nothing that this host receives.
  bool once = false;
  // Interface indices of devices whose packets come again.
  std::vector<uint32_t> besides;
};

// A classic BPF program for packets that start at their IP header.
class PacketFilter {
 public:
  // Compiles a libpcap expression. The program also refuses what is not IP by its link-layer protocol, since the bytes
  // of an ARP packet may look like an IP header, and what is not in the share or of another device.
  Outcome Compile(const std::string& expression, const PortShare& share = {}, const DeviceChoice& devices = {});

  Outcome Attach(int socket) const;

 private:
  std::vector<sock_filter> program_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_PACKET_FILTER_H_
