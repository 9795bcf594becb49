#include "response_queue.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "netns.h"

namespace trafficcopy {
namespace {

constexpr uint32_t kBindSequence = 1;
constexpr time_t kAckTimeoutSeconds = 2;
// Octets of a message that configures or of its answer (which repeats the question).
constexpr size_t kControlBytes = 1024;
// A namespace has at most 65536 queues; a row takes 9 numbers.
constexpr size_t kTableBytesMax = 8 << 20;

// A netlink message begins at an address that its header is aligned to, and holds that at least.
constexpr size_t kSlotBytesMin = 64;
// What recvmmsg takes in one call (UIO_MAXIOV).
constexpr size_t kSlotsMax = 1024;

constexpr uint16_t kPacketType = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;

// The attributes of a packet message that matter here, each with a length that was checked.
struct PacketAttributes {
  const nlattr* header = nullptr;
  const nlattr* payload = nullptr;
  const nlattr* wire_bytes = nullptr;
};

int TakeAttribute(const nlattr* attribute, void* data) {
  auto* const out = static_cast<PacketAttributes*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case NFQA_PACKET_HDR:
      if (mnl_attr_validate2(attribute, MNL_TYPE_UNSPEC, sizeof(nfqnl_msg_packet_hdr)) < 0) return MNL_CB_ERROR;
      out->header = attribute;
      break;
    case NFQA_CAP_LEN:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0) return MNL_CB_ERROR;
      out->wire_bytes = attribute;
      break;
    case NFQA_PAYLOAD:
      out->payload = attribute;
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

bool HasNetAdmin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, data) != 0) return true;
  return (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN)) != 0;
}

}  // namespace

Outcome ResponseQueue::Open(const ResponseQueueConfig& config) {
  queue_number_ = config.queue_number;
  slot_bytes_ = config.slot_bytes;
  const bool is_aligned = config.slot_bytes % alignof(nlmsghdr) == 0;
  if (!is_aligned || config.slot_bytes < kSlotBytesMin || config.slot_count < 1 || config.slot_count > kSlotsMax) {
    return SysError{EINVAL, "slots of a queue", {}, {}};
  }
  {
    NetnsScope netns;
    if (Outcome error = netns.Enter(config.netns_path)) return error;
    socket_.Reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!socket_) return SysError::Take("socket NETLINK_NETFILTER");
    // The file shows the namespace of the thread that opens it. Without it the drops of the kernel stay unknown.
    table_.Reset(open("/proc/thread-self/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC));
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return SysError::Take("bind AF_NETLINK");
  // Connected to the kernel: no other process can send us packets of its own making.
  if (connect(fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return SysError::Take("connect AF_NETLINK");
  }
  if (Outcome error = SetReceiveBuffer(config.receive_buffer_bytes)) return error;
  // A full buffer is no error of the socket; the kernel counts it (queue_user_dropped).
  const int on = 1;
  if (setsockopt(fd(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) != 0) {
    return SysError::Take("setsockopt NETLINK_NO_ENOBUFS");
  }
  headers_.resize(config.slot_count);
  slots_.resize(config.slot_count);
  return Bind(config);
}

Outcome ResponseQueue::SetReceiveBuffer(int bytes) {
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0 &&
      setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) != 0) {
    return SysError::Take("setsockopt SO_RCVBUF");
  }
  return std::nullopt;
}

Outcome ResponseQueue::SetCopyBytes(uint32_t copy_bytes, int receive_buffer_bytes, uint32_t slot_bytes) {
  if (slot_bytes % alignof(nlmsghdr) != 0 || slot_bytes < slot_bytes_) {
    return SysError{EINVAL, "slots of a queue", {}, {}};
  }
  if (!socket_) return SysError{EBADF, "slots of a queue", {}, {}};
  if (Outcome error = SetReceiveBuffer(receive_buffer_bytes)) return error;
  alignas(nlmsghdr) char buffer[kControlBytes];
  nlmsghdr* const message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue_number_);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, static_cast<int>(copy_bytes));
  // No acknowledgement is asked for: it would stand among packets. The kernel takes any number, and cuts it to what it
  // can.
  if (send(fd(), message, message->nlmsg_len, 0) < 0) {
    return SysError::Take("send NETLINK_NETFILTER", "queue " + std::to_string(queue_number_));
  }
  slot_bytes_ = slot_bytes;
  return std::nullopt;
}

// One message binds and sets everything, so no packet arrives half configured.
Outcome ResponseQueue::Bind(const ResponseQueueConfig& config) {
  alignas(nlmsghdr) char buffer[kControlBytes];
  nlmsghdr* const message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue_number_);
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = kBindSequence;
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, static_cast<int>(config.copy_bytes));
  nfq_nlmsg_cfg_put_qmaxlen(message, config.queue_length_max);
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
  const timeval timeout{kAckTimeoutSeconds, 0};
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
    return SysError::Take("setsockopt SO_RCVTIMEO");
  }
  const std::string subject = "queue " + std::to_string(queue_number_);
  if (send(fd(), message, message->nlmsg_len, 0) < 0) return SysError::Take("send NETLINK_NETFILTER", subject);
  Outcome error = WaitForAck(kBindSequence);
  if (!error) return error;
  error->subject = subject;
  // EPERM says either that we may not, or that the queue is another socket's.
  Row row;
  if (error->number == EPERM && HasNetAdmin() && ReadRow(row)) error->number = EBUSY;
  return error;
}

Outcome ResponseQueue::WaitForAck(uint32_t sequence) {
  alignas(nlmsghdr) char buffer[kControlBytes];
  for (;;) {
    // MSG_TRUNC: the true length of a message that did not fit. Packets may come before the answer.
    const ssize_t received = recv(fd(), buffer, sizeof buffer, MSG_TRUNC);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return SysError::Take("bind queue");
    int length = static_cast<int>(std::min<size_t>(static_cast<size_t>(received), sizeof buffer));
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer); mnl_nlmsg_ok(message, length);
         message = mnl_nlmsg_next(message, &length)) {
      if (message->nlmsg_type == kPacketType) {
        // It came while we were being bound, before anybody could read it: dropped like all the others.
        BatchEntry entry;
        bool has_entry = false;
        if (ListMessage(reinterpret_cast<const uint8_t*>(message), message->nlmsg_len, 0, entry, has_entry)) {
          statistics_.packets++;
          DropUpTo(last_packet_id_);
        }
        continue;
      }
      if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_seq != sequence) continue;
      if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) return SysError{EPROTO, "bind queue", {}, {}};
      const int number = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      if (number == 0) return std::nullopt;
      return SysError{number, "bind queue", {}, {}};
    }
  }
}

void ResponseQueue::Close() {
  if (!socket_) return;
  alignas(nlmsghdr) char buffer[kControlBytes];
  nlmsghdr* const message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue_number_);
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
  // Closing the socket would do it too, but only once every copy of the descriptor is gone.
  (void)send(fd(), message, message->nlmsg_len, MSG_DONTWAIT);
  socket_.Reset();
  table_.Reset();
}

size_t ResponseQueue::Read(std::span<uint8_t> bytes, std::span<BatchEntry> entries) {
  if (!socket_) return 0;
  if (was_short_) {
    was_short_ = false;
    return 0;
  }
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(nlmsghdr) != 0) return 0;
  const size_t slots = std::min({headers_.size(), bytes.size() / slot_bytes_, entries.size()});
  for (size_t i = 0; i < slots; i++) {
    slots_[i] = iovec{bytes.data() + i * slot_bytes_, slot_bytes_};
    headers_[i].msg_hdr = msghdr{};
    headers_[i].msg_hdr.msg_iov = &slots_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
  int received;
  do {
    received = recvmmsg(fd(), headers_.data(), static_cast<unsigned>(slots), MSG_DONTWAIT, nullptr);
  } while (received < 0 && errno == EINTR);
  // EAGAIN: nothing. Anything else shows again at the next read, or in the counters.
  if (received <= 0) return 0;
  was_short_ = static_cast<size_t>(received) < slots;
  size_t count = 0;
  size_t packets = 0;
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    bool has_entry = false;
    const size_t message_bytes = std::min<size_t>(headers_[i].msg_len, slot_bytes_);
    const auto slot_offset = static_cast<uint32_t>(i * slot_bytes_);
    if (!ListMessage(bytes.data() + slot_offset, message_bytes, slot_offset, entries[count], has_entry)) continue;
    packets++;
    if (has_entry) count++;
  }
  statistics_.packets += packets;
  if (packets > 0) DropUpTo(last_packet_id_);
  return count;
}

bool ResponseQueue::ListMessage(const uint8_t* slot, size_t message_bytes, uint32_t slot_offset, BatchEntry& entry,
                                bool& has_entry) {
  const auto* const message = reinterpret_cast<const nlmsghdr*>(slot);
  PacketAttributes attributes;
  if (!mnl_nlmsg_ok(message, static_cast<int>(message_bytes)) || message->nlmsg_type != kPacketType ||
      mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg) ||
      mnl_attr_parse(message, sizeof(nfgenmsg), TakeAttribute, &attributes) != MNL_CB_OK ||
      attributes.header == nullptr) {
    statistics_.malformed++;
    return false;
  }
  nfqnl_msg_packet_hdr header;
  std::memcpy(&header, mnl_attr_get_payload(attributes.header), sizeof header);
  last_packet_id_ = ntohl(header.packet_id);
  if (attributes.payload == nullptr) return true;
  const auto* const payload = static_cast<const uint8_t*>(mnl_attr_get_payload(attributes.payload));
  const uint32_t captured_bytes = mnl_attr_get_payload_len(attributes.payload);
  entry = BatchEntry{
      .offset = slot_offset + static_cast<uint32_t>(payload - slot),
      .captured_bytes = captured_bytes,
      // Present only when the copy is shorter than the packet.
      .wire_bytes = attributes.wire_bytes == nullptr ? captured_bytes : ntohl(mnl_attr_get_u32(attributes.wire_bytes)),
      .time_us = 0,
  };
  has_entry = true;
  return true;
}

// Drops every waiting packet up to this one. If it fails, the next verdict covers these too.
void ResponseQueue::DropUpTo(uint32_t packet_id) {
  alignas(nlmsghdr) char buffer[kControlBytes];
  nlmsghdr* const message = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT_BATCH, queue_number_);
  nfq_nlmsg_verdict_put(message, static_cast<int>(packet_id), NF_DROP);
  (void)send(fd(), message, message->nlmsg_len, MSG_DONTWAIT);
}

const ResponseQueue::Statistics& ResponseQueue::UpdateStatistics() {
  Row row;
  if (socket_ && ReadRow(row)) {
    statistics_.waiting = row.waiting;
    statistics_.queue_dropped = row.queue_dropped;
    statistics_.user_dropped = row.user_dropped;
  }
  return statistics_;
}

bool ResponseQueue::ReadRow(Row& row) const {
  if (!table_) return false;
  std::string text;
  char chunk[4096];
  while (text.size() < kTableBytesMax) {
    const ssize_t read = pread(table_.get(), chunk, sizeof chunk, static_cast<off_t>(text.size()));
    if (read <= 0) break;
    text.append(chunk, static_cast<size_t>(read));
  }
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    unsigned number = 0;
    // queue_number peer_portid queue_total copy_mode copy_range queue_dropped queue_user_dropped id_sequence 1
    if (std::sscanf(line.c_str(), "%u %*u %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64, &number, &row.waiting,
                    &row.queue_dropped, &row.user_dropped) == 4 &&
        number == queue_number_) {
      return true;
    }
    at = end + 1;
  }
  return false;
}

}  // namespace trafficcopy
