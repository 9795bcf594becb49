// A raw IP socket (IPPROTO_RAW: the caller brings the IP header) and sendmmsg.
#ifndef TRAFFICCOPY_RAW_SENDER_H_
#define TRAFFICCOPY_RAW_SENDER_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "batch.h"
#include "ip_packet.h"
#include "sys_error.h"
#include "unique_fd.h"

namespace trafficcopy {

struct RawSenderConfig {
  int family;  // 4 or 6
  uint32_t mark;
  int send_buffer_bytes;
  uint32_t segment_bytes_max;
  std::string netns_path;  // empty: the thread's own
};

class RawSender {
 public:
  struct Statistics {
    uint64_t sent = 0;
    uint64_t failed = 0;
    uint64_t segments = 0;
    int last_errno = 0;
    std::map<int, uint64_t> errors;
  };

  Outcome Open(const RawSenderConfig& config);
  void Close() { socket_.Reset(); }

  // Completes the packets in `bytes` and hands them to the kernel; returns how many of them it took whole. Entries that
  // point outside of `bytes` fail as EBADMSG.
  size_t Send(std::span<uint8_t> bytes, std::span<const BatchEntry> entries);

  // A packet of the last Send() that was larger than its route carries; 0 octets: not known. RawSender in lib/ has room
  // for as many.
  struct TooBig {
    uint32_t packet;
    uint32_t mtu_bytes;
  };
  static constexpr size_t kTooBigMax = 64;
  std::span<const TooBig> too_big() const { return too_big_; }

  const Statistics& statistics() const { return statistics_; }

 private:
  // What one system call carries at most, and the longest headers that a segment of a super-packet may have.
  static constexpr size_t kMessagesMax = 256;
  static constexpr size_t kHeadersBytesMax = 256;

  // One IP packet on its way; two parts when it is a segment: headers of its own, payload where it lies.
  struct Message {
    iovec parts[2];
    sockaddr_storage destination;
    uint32_t packet;  // index in the batch
    bool is_last;     // of its packet
    uint8_t headers[kHeadersBytesMax];
  };

  void Queue(const IpPacket& packet, uint32_t index);
  void QueueSegments(const IpPacket& packet, uint32_t index);
  Message& Append(const IpPacket& packet, uint32_t index, bool is_last);
  void Flush();
  void Fail(uint32_t index, int number);
  uint32_t RouteMtu(const Message& message) const;

  UniqueFd socket_;
  int family_ = 0;
  uint32_t segment_bytes_max_ = 0;
  std::vector<mmsghdr> headers_;
  std::vector<Message> messages_;
  size_t queued_ = 0;
  // The packet of this Send() that failed last: its other segments change nothing any more.
  int64_t failed_packet_ = -1;
  std::vector<TooBig> too_big_;
  Statistics statistics_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_RAW_SENDER_H_
