#include "packet_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

namespace trafficcopy {
namespace {

constexpr int kSnapBytes = 262144;

// Passes IPv4 and IPv6 on to the instruction after these, drops the rest.
constexpr sock_filter kOnlyIp[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

constexpr uint32_t kIpv6HeaderBytes = 40;
// As in core/src/flow/port-share.ts.
constexpr uint32_t kMultiplier = 0x9e3779b1;

// Passes what is in the share on to the instruction after these, and drops the rest. Behind IPv6 extension headers
// other bytes than a port are looked at: such packets still come to one ring only.
std::vector<sock_filter> OnlyShare(const PortShare& share) {
  return {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 3, 0),
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kIpv6HeaderBytes),
      BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, kMultiplier),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, share.workers),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, share.worker, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
}

// Passes what comes by no other device again on to the instruction after these, and drops the rest.
std::vector<sock_filter> OnlyOnce(const DeviceChoice& devices) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_IFINDEX)),
  };
  for (const uint32_t index : devices.besides) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  }
  return program;
}

static_assert(sizeof(sock_filter) == sizeof(bpf_insn), "libpcap and the kernel share the instruction layout");

SysError Refused(const std::string& expression, std::string reason) {
  return SysError{EINVAL, "pcap_compile", expression, std::move(reason)};
}

}  // namespace

Outcome PacketFilter::Compile(const std::string& expression, const PortShare& share, const DeviceChoice& devices) {
  pcap_t* const pcap = pcap_open_dead(DLT_RAW, kSnapBytes);
  if (pcap == nullptr) return SysError{ENOMEM, "pcap_open_dead", expression, {}};
  bpf_program compiled{};
  if (pcap_compile(pcap, &compiled, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    SysError error = Refused(expression, pcap_geterr(pcap));
    pcap_close(pcap);
    return error;
  }
  program_.assign(std::begin(kOnlyIp), std::end(kOnlyIp));
  if (share.workers > 1) {
    const std::vector<sock_filter> only_share = OnlyShare(share);
    program_.insert(program_.end(), only_share.begin(), only_share.end());
  }
  if (devices.once) {
    const std::vector<sock_filter> only_once = OnlyOnce(devices);
    program_.insert(program_.end(), only_once.begin(), only_once.end());
  }
  for (u_int i = 0; i < compiled.bf_len; i++) {
    const bpf_insn& from = compiled.bf_insns[i];
    program_.push_back(sock_filter{from.code, from.jt, from.jf, from.k});
  }
  pcap_freecode(&compiled);
  pcap_close(pcap);
  if (program_.size() <= BPF_MAXINSNS) return std::nullopt;
  return Refused(expression, "it is too long for the kernel: " + std::to_string(program_.size()) +
                                 " instructions, the limit is " + std::to_string(BPF_MAXINSNS));
}

Outcome PacketFilter::Attach(int socket) const {
  const sock_fprog program{static_cast<uint16_t>(program_.size()), const_cast<sock_filter*>(program_.data())};
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return std::nullopt;
  return SysError::Take("setsockopt SO_ATTACH_FILTER");
}

}  // namespace trafficcopy
