// The receive ring of an AF_PACKET socket (TPACKET_V3): Linux Documentation/networking/packet_mmap.rst.
//
// The kernel fills blocks in turn and hands each over by setting TP_STATUS_USER in its header; we give it back by
// setting TP_STATUS_KERNEL. One block at a time is current.
#ifndef TRAFFICCOPY_PACKET_RING_H_
#define TRAFFICCOPY_PACKET_RING_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "batch.h"
#include "packet_filter.h"
#include "sys_error.h"
#include "unique_fd.h"

namespace trafficcopy {

struct PacketRingConfig {
  std::string interface_name;  // empty: all
  std::string filter;
  std::string netns_path;  // empty: the thread's own
  uint32_t block_bytes;
  uint32_t block_count;
  uint32_t retire_ms;
  PortShare share;
  DeviceChoice devices;
  bool sees_outgoing;  // what the host sends as well
};

// The mapped pages. Shared with the ArrayBuffer over them, so they stay until the last owner is gone. While they are
// mapped the socket stays open, even when its descriptor is closed.
class RingMapping {
 public:
  RingMapping(uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}
  RingMapping(const RingMapping&) = delete;
  RingMapping& operator=(const RingMapping&) = delete;
  ~RingMapping() { Unmap(); }

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // At once, for an owner who knows that nobody else can reach the pages any more.
  void Unmap();

 private:
  uint8_t* data_;
  const size_t bytes_;
};

class PacketRing {
 public:
  enum class InterfaceState { kUp = 0, kDown = 1, kGone = 2 };

  struct Statistics {
    uint64_t packets = 0;
    uint64_t drops = 0;
    uint64_t freezes = 0;
    uint64_t malformed = 0;
    InterfaceState interface_state = InterfaceState::kUp;
  };

  Outcome Open(const PacketRingConfig& config);
  void Close();

  // Goes on with another filter; the kernel changes it between two packets. The old one stays when it fails.
  // `besides` as in DeviceChoice: counts where the ring was opened with `once`.
  Outcome SetFilter(const std::string& expression, std::span<const uint32_t> besides);

  int fd() const { return socket_.get(); }
  const std::shared_ptr<RingMapping>& mapping() const { return mapping_; }

  // Makes the next filled block current, releasing the one before, and lists its packets; 0 when none is filled.
  size_t Next(std::span<BatchEntry> entries);
  void Release();

  // Reads the kernel's counters (which that clears) and looks after the interface: one that was removed is bound again
  // when one of its name is there.
  const Statistics& UpdateStatistics();

 private:
  Outcome BindInterface();
  InterfaceState ReviewInterface();
  size_t ListBlock(uint8_t* block, std::span<BatchEntry> entries);

  UniqueFd socket_;
  std::shared_ptr<RingMapping> mapping_;
  std::string interface_name_;
  PortShare share_;
  DeviceChoice devices_;
  Statistics statistics_;
  uint32_t block_bytes_ = 0;
  uint32_t block_count_ = 0;
  uint32_t block_index_ = 0;
  bool is_current_ = false;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_PACKET_RING_H_
