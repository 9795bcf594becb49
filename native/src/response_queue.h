// An NFQUEUE read over netlink: many packets in one system call, one verdict for all of them.
#ifndef TRAFFICCOPY_RESPONSE_QUEUE_H_
#define TRAFFICCOPY_RESPONSE_QUEUE_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "batch.h"
#include "sys_error.h"
#include "unique_fd.h"

namespace trafficcopy {

struct ResponseQueueConfig {
  uint16_t queue_number;
  uint32_t copy_bytes;
  uint32_t queue_length_max;
  int receive_buffer_bytes;
  uint32_t slot_bytes;     // for one netlink message
  uint32_t slot_count;     // messages of one read
  std::string netns_path;  // empty: the thread's own
};

class ResponseQueue {
 public:
  struct Statistics {
    uint64_t packets = 0;
    uint64_t queue_dropped = 0;
    uint64_t user_dropped = 0;
    uint64_t malformed = 0;
    uint64_t waiting = 0;
  };

  Outcome Open(const ResponseQueueConfig& config);
  void Close();

  int fd() const { return socket_.get(); }

  // Reads into `bytes` (slot_count * slot_bytes octets), drops what was read, lists it. 0 when nothing waits; after a
  // read that was not full the next call says so without asking the kernel.
  size_t Read(std::span<uint8_t> bytes, std::span<BatchEntry> entries);

  // From the next packet on. The caller's slots have room for it, and for what waits.
  Outcome SetCopyBytes(uint32_t copy_bytes, int receive_buffer_bytes, uint32_t slot_bytes);

  const Statistics& UpdateStatistics();

 private:
  struct Row {
    uint64_t waiting;
    uint64_t queue_dropped;
    uint64_t user_dropped;
  };

  Outcome SetReceiveBuffer(int bytes);
  Outcome Bind(const ResponseQueueConfig& config);
  Outcome WaitForAck(uint32_t sequence);
  // False when it is not a packet of our queue.
  bool ListMessage(const uint8_t* slot, size_t message_bytes, uint32_t slot_offset, BatchEntry& entry, bool& has_entry);
  void DropUpTo(uint32_t packet_id);
  // Our row of /proc/net/netfilter/nfnetlink_queue.
  bool ReadRow(Row& row) const;

  UniqueFd socket_;
  UniqueFd table_;
  uint16_t queue_number_ = 0;
  uint32_t slot_bytes_ = 0;
  uint32_t last_packet_id_ = 0;
  bool was_short_ = false;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> slots_;
  Statistics statistics_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_RESPONSE_QUEUE_H_
