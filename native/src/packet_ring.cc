#include "packet_ring.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "netns.h"

namespace trafficcopy {
namespace {

// Only the alignment of the kernel's bookkeeping: TPACKET_V3 packs packets of any size into a block.
constexpr uint32_t kFrameBytes = 4096;

template <typename T>
bool SetOption(int fd, int option, const T& value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

// Copies a name that fits (IFNAMSIZ with its 0), or says that it does not.
bool SetName(ifreq& request, const std::string& name) {
  std::memset(&request, 0, sizeof request);
  if (name.size() >= sizeof request.ifr_name) return false;
  std::memcpy(request.ifr_name, name.data(), name.size());
  return true;
}

uint32_t* StatusOf(uint8_t* block) { return &reinterpret_cast<tpacket_block_desc*>(block)->hdr.bh1.block_status; }

}  // namespace

void RingMapping::Unmap() {
  if (data_ != nullptr) munmap(data_, bytes_);
  data_ = nullptr;
}

Outcome PacketRing::Open(const PacketRingConfig& config) {
  share_ = config.share;
  devices_ = config.devices;
  PacketFilter filter;
  if (Outcome error = filter.Compile(config.filter, share_, devices_)) return error;
  {
    NetnsScope netns;
    if (Outcome error = netns.Enter(config.netns_path)) return error;
    // Protocol 0: nothing arrives before the filter stands and the socket is bound.
    socket_.Reset(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return SysError::Take("socket AF_PACKET");
  }
  if (!SetOption(fd(), PACKET_VERSION, static_cast<int>(TPACKET_V3)))
    return SysError::Take("setsockopt PACKET_VERSION");
  if (!config.sees_outgoing && !SetOption(fd(), PACKET_IGNORE_OUTGOING, 1))
    return SysError::Take("setsockopt PACKET_IGNORE_OUTGOING");
  if (Outcome error = filter.Attach(fd())) return error;

  tpacket_req3 request{};
  request.tp_block_size = config.block_bytes;
  request.tp_block_nr = config.block_count;
  request.tp_frame_size = kFrameBytes;
  request.tp_frame_nr = config.block_bytes / kFrameBytes * config.block_count;
  request.tp_retire_blk_tov = config.retire_ms;
  const size_t bytes = size_t{config.block_bytes} * config.block_count;
  if (!SetOption(fd(), PACKET_RX_RING, request)) {
    return SysError::Take("setsockopt PACKET_RX_RING", std::to_string(bytes) + " bytes");
  }
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
  if (data == MAP_FAILED) return SysError::Take("mmap", std::to_string(bytes) + " bytes");
  mapping_ = std::make_shared<RingMapping>(static_cast<uint8_t*>(data), bytes);
  block_bytes_ = config.block_bytes;
  block_count_ = config.block_count;

  interface_name_ = config.interface_name;
  return BindInterface();
}

void PacketRing::Close() {
  is_current_ = false;
  mapping_.reset();
  socket_.Reset();
}

Outcome PacketRing::SetFilter(const std::string& expression, std::span<const uint32_t> besides) {
  PacketFilter filter;
  DeviceChoice devices{.once = devices_.once, .besides = {besides.begin(), besides.end()}};
  if (Outcome error = filter.Compile(expression, share_, devices)) return error;
  if (Outcome error = filter.Attach(fd())) return error;
  devices_ = std::move(devices);
  return std::nullopt;
}

// The interface is looked up by the socket, in the namespace that the socket is in.
Outcome PacketRing::BindInterface() {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  if (!interface_name_.empty()) {
    ifreq request;
    if (!SetName(request, interface_name_)) return SysError{ENODEV, "ioctl SIOCGIFINDEX", interface_name_, {}};
    if (ioctl(fd(), SIOCGIFINDEX, &request) != 0) return SysError::Take("ioctl SIOCGIFINDEX", interface_name_);
    address.sll_ifindex = request.ifr_ifindex;
  }
  // An interface that is down binds, and reports ENETDOWN at the next poll.
  if (bind(fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return SysError::Take("bind AF_PACKET", interface_name_);
  }
  return std::nullopt;
}

size_t PacketRing::Next(std::span<BatchEntry> entries) {
  Release();
  if (!mapping_) return 0;
  for (uint32_t tries = 0; tries < block_count_; tries++) {
    uint8_t* const block = mapping_->data() + size_t{block_index_} * block_bytes_;
    // Acquire: what the kernel wrote into the block before it set the status is visible afterwards.
    if ((__atomic_load_n(StatusOf(block), __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return 0;
    is_current_ = true;
    const size_t count = ListBlock(block, entries);
    if (count > 0) return count;
    Release();
  }
  return 0;
}

// JavaScript can write to the mapping, so its offsets are taken for nothing more than numbers.
size_t PacketRing::ListBlock(uint8_t* block, std::span<BatchEntry> entries) {
  const tpacket_hdr_v1& header = reinterpret_cast<tpacket_block_desc*>(block)->hdr.bh1;
  const uint32_t base = block_index_ * block_bytes_;
  const uint32_t packets = header.num_pkts;
  uint32_t at = header.offset_to_first_pkt;
  for (uint32_t i = 0; i < packets; i++) {
    tpacket3_hdr record;
    if (i == entries.size() || at > block_bytes_ - sizeof record) {
      statistics_.malformed++;
      return i;
    }
    std::memcpy(&record, block + at, sizeof record);
    if (record.tp_net > block_bytes_ - at || record.tp_snaplen > block_bytes_ - at - record.tp_net) {
      statistics_.malformed++;
      return i;
    }
    entries[i] = BatchEntry{
        .offset = base + at + record.tp_net,
        .captured_bytes = record.tp_snaplen,
        .wire_bytes = record.tp_len,
        .time_us = record.tp_sec * 1000000U + record.tp_nsec / 1000U,
    };
    // 0 at the last record; a wrapped sum is caught above, since at is compared before it is used.
    at += record.tp_next_offset;
  }
  return packets;
}

void PacketRing::Release() {
  if (!is_current_) return;
  is_current_ = false;
  uint8_t* const block = mapping_->data() + size_t{block_index_} * block_bytes_;
  __atomic_store_n(StatusOf(block), static_cast<uint32_t>(TP_STATUS_KERNEL), __ATOMIC_RELEASE);
  block_index_ = (block_index_ + 1) % block_count_;
}

const PacketRing::Statistics& PacketRing::UpdateStatistics() {
  tpacket_stats_v3 taken{};
  socklen_t length = sizeof taken;
  // Reading clears the kernel's counters. tp_packets counts the dropped ones too.
  if (socket_ && getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &taken, &length) == 0) {
    statistics_.packets += taken.tp_packets;
    statistics_.drops += taken.tp_drops;
    statistics_.freezes += taken.tp_freeze_q_cnt;
    statistics_.interface_state = ReviewInterface();
  }
  return statistics_;
}

PacketRing::InterfaceState PacketRing::ReviewInterface() {
  if (interface_name_.empty()) return InterfaceState::kUp;
  sockaddr_ll address{};
  socklen_t length = sizeof address;
  if (getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return InterfaceState::kGone;
  // The kernel sets -1 when it unregisters the interface.
  if (address.sll_ifindex <= 0) {
    if (BindInterface()) return InterfaceState::kGone;
    if (getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return InterfaceState::kGone;
  }
  ifreq request{};
  request.ifr_ifindex = address.sll_ifindex;
  // By index first: the interface may have been renamed.
  if (ioctl(fd(), SIOCGIFNAME, &request) != 0) return InterfaceState::kGone;
  if (ioctl(fd(), SIOCGIFFLAGS, &request) != 0) return InterfaceState::kGone;
  return (request.ifr_flags & IFF_UP) != 0 ? InterfaceState::kUp : InterfaceState::kDown;
}

}  // namespace trafficcopy
