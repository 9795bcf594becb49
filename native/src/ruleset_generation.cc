#include "ruleset_generation.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "unique_fd.h"

namespace trafficcopy {
namespace {

// A question or an answer: a header and three small attributes.
constexpr size_t kMessageBytes = 1024;
constexpr uint16_t kGetGeneration = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
constexpr uint16_t kNewGeneration = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;

int TakeGeneration(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) != NFTA_GEN_ID) return MNL_CB_OK;
  if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0) return MNL_CB_ERROR;
  *static_cast<std::optional<uint32_t>*>(data) = ntohl(mnl_attr_get_u32(attribute));
  return MNL_CB_STOP;
}

}  // namespace

std::optional<uint32_t> RulesetGeneration() {
  const UniqueFd netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!netlink) return std::nullopt;
  alignas(nlmsghdr) char bytes[kMessageBytes];
  nlmsghdr* const header = mnl_nlmsg_put_header(bytes);
  header->nlmsg_type = kGetGeneration;
  header->nlmsg_flags = NLM_F_REQUEST;
  auto* const netfilter = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  netfilter->nfgen_family = AF_UNSPEC;
  netfilter->version = NFNETLINK_V0;
  if (send(netlink.get(), bytes, header->nlmsg_len, 0) < 0) return std::nullopt;
  // The kernel has answered before send() returns.
  const ssize_t received = recv(netlink.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
  if (received < 0 || !mnl_nlmsg_ok(header, static_cast<int>(received))) return std::nullopt;
  if (header->nlmsg_type != kNewGeneration) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(header) < sizeof(nfgenmsg)) return std::nullopt;
  std::optional<uint32_t> generation;
  mnl_attr_parse(header, sizeof(nfgenmsg), TakeGeneration, &generation);
  return generation;
}

}  // namespace trafficcopy
