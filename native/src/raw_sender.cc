#include "raw_sender.h"

#include <algorithm>
#include <cstring>

#include "netns.h"

// <linux/in.h> has it, which does not go together with <netinet/in.h>.
#ifndef IP_MTU
#define IP_MTU 14
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

namespace trafficcopy {
namespace {

// No packet has more octets, super-packets included (BIG TCP: 512 KiB). What is longer is a mistake, and is not cut.
constexpr size_t kPacketBytesMax = 512 << 10;
constexpr size_t kTcpSeqOffset = 4;
constexpr size_t kTcpFlagsOffset = 13;
constexpr uint8_t kFin = 0x01;
constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kPsh = 0x08;
constexpr uint8_t kCwr = 0x80;

}  // namespace

Outcome RawSender::Open(const RawSenderConfig& config) {
  family_ = config.family;
  segment_bytes_max_ = config.segment_bytes_max;
  {
    NetnsScope netns;
    if (Outcome error = netns.Enter(config.netns_path)) return error;
    const int family = family_ == 4 ? AF_INET : AF_INET6;
    socket_.Reset(socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!socket_) return SysError::Take("socket SOCK_RAW");
  }
  const int fd = socket_.get();
  const int on = 1;
  if (family_ == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) != 0) {
    return SysError::Take("setsockopt IPV6_HDRINCL");
  }
  if (config.mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &config.mark, sizeof config.mark) != 0) {
    return SysError::Take("setsockopt SO_MARK");
  }
  const int buffer_bytes = config.send_buffer_bytes;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes) != 0) {
    return SysError::Take("setsockopt SO_SNDBUF");
  }
  headers_.resize(kMessagesMax);
  messages_.resize(kMessagesMax);
  too_big_.reserve(kTooBigMax);
  return std::nullopt;
}

size_t RawSender::Send(std::span<uint8_t> bytes, std::span<const BatchEntry> entries) {
  if (!socket_) return 0;
  const uint64_t sent_before = statistics_.sent;
  failed_packet_ = -1;
  too_big_.clear();
  for (uint32_t index = 0; index < entries.size(); index++) {
    const BatchEntry& entry = entries[index];
    const bool is_inside = entry.offset <= bytes.size() && entry.captured_bytes <= bytes.size() - entry.offset;
    IpPacket packet;
    if (!is_inside || !packet.Parse(bytes.data() + entry.offset, entry.captured_bytes)) {
      Fail(index, EBADMSG);
      continue;
    }
    if (packet.version == family_) Queue(packet, index);
  }
  Flush();
  return statistics_.sent - sent_before;
}

void RawSender::Queue(const IpPacket& packet, uint32_t index) {
  if (packet.length > segment_bytes_max_) {
    QueueSegments(packet, index);
    return;
  }
  packet.Complete();
  Message& message = Append(packet, index, true);
  message.parts[0] = iovec{packet.bytes, packet.length};
  headers_[queued_ - 1].msg_hdr.msg_iovlen = 1;
}

// Cuts a TCP super-packet as segmentation offload does: sequence numbers and IP identification go on, FIN and PSH stay
// for the last segment, SYN and CWR (RFC 3168 6.1.2) belong to the first.
void RawSender::QueueSegments(const IpPacket& packet, uint32_t index) {
  const size_t headers_bytes = packet.payload_offset;
  const bool is_too_long = packet.length > kPacketBytesMax;
  if (is_too_long || !packet.is_tcp() || headers_bytes > kHeadersBytesMax || headers_bytes >= segment_bytes_max_) {
    Fail(index, EMSGSIZE);
    return;
  }
  const size_t segment_payload_max = segment_bytes_max_ - headers_bytes;
  const size_t payload_bytes = packet.length - headers_bytes;
  const uint8_t flags = packet.bytes[packet.transport_offset + kTcpFlagsOffset];
  uint32_t seq;
  std::memcpy(&seq, packet.bytes + packet.transport_offset + kTcpSeqOffset, sizeof seq);
  uint16_t identification;
  std::memcpy(&identification, packet.bytes + 4, sizeof identification);
  uint16_t segment = 0;
  for (size_t at = 0; at < payload_bytes; at += segment_payload_max, segment++) {
    const size_t part_bytes = std::min(segment_payload_max, payload_bytes - at);
    const bool is_first = at == 0;
    const bool is_last = at + part_bytes == payload_bytes;
    Message& message = Append(packet, index, is_last);
    std::memcpy(message.headers, packet.bytes, headers_bytes);
    IpPacket headers = packet;
    headers.bytes = message.headers;
    uint8_t* const tcp = message.headers + packet.transport_offset;
    const uint32_t syn_octet = (flags & kSyn) != 0 && !is_first ? 1 : 0;
    const uint32_t segment_seq = htonl(ntohl(seq) + static_cast<uint32_t>(at) + syn_octet);
    std::memcpy(tcp + kTcpSeqOffset, &segment_seq, sizeof segment_seq);
    uint8_t segment_flags = flags;
    if (!is_last) segment_flags &= static_cast<uint8_t>(~(kFin | kPsh));
    if (!is_first) segment_flags &= static_cast<uint8_t>(~(kSyn | kCwr));
    tcp[kTcpFlagsOffset] = segment_flags;
    // An identification of 0 asks the kernel for one.
    if (packet.version == 4 && identification != 0) {
      const uint16_t own = htons(static_cast<uint16_t>(ntohs(identification) + segment));
      std::memcpy(message.headers + 4, &own, sizeof own);
    }
    uint8_t* const payload = packet.bytes + headers_bytes + at;
    CompleteSegment(headers, payload, part_bytes);
    message.parts[0] = iovec{message.headers, headers_bytes};
    message.parts[1] = iovec{payload, part_bytes};
    headers_[queued_ - 1].msg_hdr.msg_iovlen = 2;
  }
}

RawSender::Message& RawSender::Append(const IpPacket& packet, uint32_t index, bool is_last) {
  if (queued_ == kMessagesMax) Flush();
  Message& message = messages_[queued_];
  message.packet = index;
  message.is_last = is_last;
  msghdr& header = headers_[queued_].msg_hdr;
  header = msghdr{};
  header.msg_name = &message.destination;
  header.msg_iov = message.parts;
  if (packet.version == 4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, packet.destination(), sizeof address.sin_addr);
    std::memcpy(&message.destination, &address, sizeof address);
    header.msg_namelen = sizeof address;
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, packet.destination(), sizeof address.sin6_addr);
    std::memcpy(&message.destination, &address, sizeof address);
    header.msg_namelen = sizeof address;
  }
  queued_++;
  return message;
}

void RawSender::Flush() {
  size_t done = 0;
  while (done < queued_) {
    const int taken =
        sendmmsg(socket_.get(), headers_.data() + done, static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (taken < 0) {
      // The error is that of the first message; what follows it is tried on its own.
      const int number = errno;
      if (number == EINTR) continue;
      if (number == EMSGSIZE && too_big_.size() < kTooBigMax) {
        too_big_.push_back({messages_[done].packet, RouteMtu(messages_[done])});
      }
      Fail(messages_[done].packet, number);
      done++;
      continue;
    }
    for (const size_t end = done + static_cast<size_t>(taken); done < end; done++) {
      const Message& message = messages_[done];
      statistics_.segments++;
      if (message.is_last && failed_packet_ != message.packet) statistics_.sent++;
    }
  }
  queued_ = 0;
}

// The kernel tells it of a connected socket only. Connecting this one sends nothing: messages have destinations of
// their own.
uint32_t RawSender::RouteMtu(const Message& message) const {
  const auto* destination = reinterpret_cast<const sockaddr*>(&message.destination);
  const socklen_t length = family_ == 4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (connect(socket_.get(), destination, length) != 0) return 0;
  int mtu = 0;
  socklen_t mtu_length = sizeof mtu;
  const bool is_known = family_ == 4 ? getsockopt(socket_.get(), IPPROTO_IP, IP_MTU, &mtu, &mtu_length) == 0
                                     : getsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &mtu_length) == 0;
  sockaddr nothing{};
  nothing.sa_family = AF_UNSPEC;
  connect(socket_.get(), &nothing, sizeof nothing);
  return is_known && mtu > 0 ? static_cast<uint32_t>(mtu) : 0;
}

void RawSender::Fail(uint32_t index, int number) {
  statistics_.last_errno = number;
  statistics_.errors[number]++;
  if (failed_packet_ == index) return;
  failed_packet_ = index;
  statistics_.failed++;
}

}  // namespace trafficcopy
