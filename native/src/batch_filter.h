#ifndef TRAFFICCOPY_BATCH_FILTER_H_
#define TRAFFICCOPY_BATCH_FILTER_H_

#include <pcap/pcap.h>

#include <cstdint>
#include <span>
#include <string>

#include "batch.h"
#include "sys_error.h"

namespace trafficcopy {

// A libpcap expression applied in this process to a batch of packets that start at their IP header.
class BatchFilter {
 public:
  BatchFilter() = default;
  BatchFilter(const BatchFilter&) = delete;
  BatchFilter& operator=(const BatchFilter&) = delete;
  ~BatchFilter();

  Outcome Compile(const std::string& expression);
  // Moves the entries that fit to the front, with what belongs to each in `times_us`. Returns how many there are.
  size_t Select(std::span<const uint8_t> bytes, std::span<BatchEntry> entries, std::span<double> times_us) const;

 private:
  bpf_program program_{};
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_BATCH_FILTER_H_
