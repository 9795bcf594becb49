#include "ip_packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace trafficcopy {
namespace {

constexpr size_t kIpv4HeaderBytes = 20;
constexpr size_t kIpv6HeaderBytes = 40;
constexpr size_t kTcpHeaderBytes = 20;
constexpr size_t kTcpChecksumOffset = 16;
// As in core/src/wire/packet-header.ts.
constexpr int kIpv6ExtensionsMax = 8;

uint16_t ReadU16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

void WriteU16(uint8_t* at, size_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// Where TCP starts in an IPv6 packet (RFC 8200 4.1); 0 when something else or nothing whole follows.
size_t FindIpv6Tcp(const uint8_t* data, size_t bytes) {
  uint8_t next = data[6];
  size_t at = kIpv6HeaderBytes;
  for (int hops = 0; next != IPPROTO_TCP; hops++) {
    const bool is_known =
        next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
    if (!is_known || hops == kIpv6ExtensionsMax || at + 2 > bytes) return 0;
    // RFC 4302 2.2 counts in 4-octet units less 2, RFC 8200 4.3 in 8-octet units less 1.
    const size_t units = data[at + 1];
    const size_t extension_bytes = next == IPPROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
    next = data[at];
    at += extension_bytes;
  }
  return at;
}

}  // namespace

uint64_t ChecksumAdd(const uint8_t* data, size_t bytes, uint64_t sum) {
  // Two sums of 32-bit halves: neither can overflow 64 bits in any packet, and they run side by side.
  uint64_t low = sum;
  uint64_t high = 0;
  for (; bytes >= 16; data += 16, bytes -= 16) {
    uint64_t words[2];
    std::memcpy(words, data, sizeof words);
    low += (words[0] & 0xffffffff) + (words[1] & 0xffffffff);
    high += (words[0] >> 32) + (words[1] >> 32);
  }
  for (; bytes >= 2; data += 2, bytes -= 2) {
    uint16_t word;
    std::memcpy(&word, data, sizeof word);
    low += word;
  }
  if (bytes == 1) {
    const uint8_t padded[2] = {*data, 0};
    uint16_t word;
    std::memcpy(&word, padded, sizeof word);
    low += word;
  }
  return low + high;
}

uint16_t ChecksumFold(uint64_t sum) {
  sum = (sum >> 32) + (sum & 0xffffffff);
  sum = (sum >> 32) + (sum & 0xffffffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<uint16_t>(~sum);
}

bool IpPacket::Parse(uint8_t* data, size_t data_bytes) {
  bytes = data;
  length = data_bytes;
  tcp_offset = 0;
  payload_offset = 0;
  if (data_bytes < kIpv4HeaderBytes) return false;
  version = data[0] >> 4;
  size_t tcp = 0;
  if (version == 4) {
    const size_t header_bytes = size_t{data[0] & 15U} * 4;
    if (header_bytes < kIpv4HeaderBytes || header_bytes > data_bytes) return false;
    const bool is_fragment = (ReadU16(data + 6) & 0x3fff) != 0;
    if (data[9] == IPPROTO_TCP && !is_fragment) tcp = header_bytes;
  } else if (version == 6) {
    if (data_bytes < kIpv6HeaderBytes) return false;
    tcp = FindIpv6Tcp(data, data_bytes);
  } else {
    return false;
  }
  if (tcp == 0) return true;
  if (tcp + kTcpHeaderBytes > data_bytes) return false;
  const size_t tcp_header_bytes = size_t{data[tcp + 12] & 0xf0U} >> 2U;
  if (tcp_header_bytes < kTcpHeaderBytes || tcp + tcp_header_bytes > data_bytes) return false;
  tcp_offset = tcp;
  payload_offset = tcp + tcp_header_bytes;
  return true;
}

void CompleteSegment(const IpPacket& headers, const uint8_t* payload, size_t payload_bytes) {
  uint8_t* const data = headers.bytes;
  const size_t address_offset = headers.version == 4 ? 12 : 8;
  const size_t addresses_bytes = headers.version == 4 ? 8 : 32;
  const size_t packet_bytes = headers.payload_offset + payload_bytes;
  if (headers.version == 4) {
    WriteU16(data + 2, packet_bytes);
    WriteU16(data + 10, 0);
    const uint16_t header_checksum = ChecksumFold(ChecksumAdd(data, size_t{data[0] & 15U} * 4, 0));
    std::memcpy(data + 10, &header_checksum, sizeof header_checksum);
  } else {
    WriteU16(data + 4, packet_bytes - kIpv6HeaderBytes);
  }
  uint8_t* const tcp = data + headers.tcp_offset;
  const size_t tcp_bytes = packet_bytes - headers.tcp_offset;
  WriteU16(tcp + kTcpChecksumOffset, 0);
  // Pseudo header: RFC 9293 3.1, RFC 8200 8.1. A TCP header is a multiple of 4, so the payload's sum starts even.
  uint64_t sum = uint64_t{htons(IPPROTO_TCP)} + htons(static_cast<uint16_t>(tcp_bytes));
  sum = ChecksumAdd(data + address_offset, addresses_bytes, sum);
  sum = ChecksumAdd(tcp, headers.payload_offset - headers.tcp_offset, sum);
  const uint16_t checksum = ChecksumFold(ChecksumAdd(payload, payload_bytes, sum));
  std::memcpy(tcp + kTcpChecksumOffset, &checksum, sizeof checksum);
}

void IpPacket::Complete() const {
  if (is_tcp()) {
    CompleteSegment(*this, bytes + payload_offset, length - payload_offset);
  } else if (version == 4) {
    WriteU16(bytes + 2, length);
    WriteU16(bytes + 10, 0);
    const uint16_t checksum = ChecksumFold(ChecksumAdd(bytes, size_t{bytes[0] & 15U} * 4, 0));
    std::memcpy(bytes + 10, &checksum, sizeof checksum);
  }
}

}  // namespace trafficcopy
