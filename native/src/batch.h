// The layout of packet batches that TypeScript shares: core/src/batch/packet-batch.ts. The addon exports these numbers
// and the tests compare both sides.
#ifndef TRAFFICCOPY_BATCH_H_
#define TRAFFICCOPY_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace trafficcopy {

struct BatchEntry {
  uint32_t offset;
  uint32_t captured_bytes;
  uint32_t wire_bytes;
  uint32_t time_us;
};

inline constexpr size_t kPacketEntryFields = 4;
inline constexpr size_t kEntryOffset = 0;
inline constexpr size_t kEntryCapturedBytes = 1;
inline constexpr size_t kEntryWireBytes = 2;
inline constexpr size_t kEntryTimeUs = 3;

static_assert(sizeof(BatchEntry) == kPacketEntryFields * sizeof(uint32_t));
static_assert(offsetof(BatchEntry, offset) == kEntryOffset * sizeof(uint32_t));
static_assert(offsetof(BatchEntry, captured_bytes) == kEntryCapturedBytes * sizeof(uint32_t));
static_assert(offsetof(BatchEntry, wire_bytes) == kEntryWireBytes * sizeof(uint32_t));
static_assert(offsetof(BatchEntry, time_us) == kEntryTimeUs * sizeof(uint32_t));

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_BATCH_H_
