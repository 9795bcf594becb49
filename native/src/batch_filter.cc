#include "batch_filter.h"

#include <algorithm>

namespace trafficcopy {
namespace {

constexpr int kSnapBytes = 262144;

}  // namespace

BatchFilter::~BatchFilter() { pcap_freecode(&program_); }

Outcome BatchFilter::Compile(const std::string& expression) {
  pcap_t* const pcap = pcap_open_dead(DLT_RAW, kSnapBytes);
  if (pcap == nullptr) return SysError{ENOMEM, "pcap_open_dead", expression, {}};
  Outcome outcome;
  if (pcap_compile(pcap, &program_, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    outcome = SysError{EINVAL, "pcap_compile", expression, pcap_geterr(pcap)};
  }
  pcap_close(pcap);
  return outcome;
}

size_t BatchFilter::Select(std::span<const uint8_t> bytes, std::span<BatchEntry> entries,
                           std::span<double> times_us) const {
  if (program_.bf_insns == nullptr) return 0;
  const size_t count = std::min(entries.size(), times_us.size());
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const BatchEntry entry = entries[i];
    if (entry.offset > bytes.size() || entry.captured_bytes > bytes.size() - entry.offset) continue;
    pcap_pkthdr header{};
    header.caplen = entry.captured_bytes;
    header.len = entry.wire_bytes;
    if (pcap_offline_filter(&program_, &header, bytes.data() + entry.offset) == 0) continue;
    entries[kept] = entry;
    times_us[kept] = times_us[i];
    kept++;
  }
  return kept;
}

}  // namespace trafficcopy
