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
constexpr size_t kUdpHeaderBytes = 8;
constexpr size_t kUdpLengthOffset = 4;
constexpr size_t kUdpChecksumOffset = 6;
// As in core/src/wire/ip-header.ts.
constexpr int kIpv6ExtensionsMax = 8;

uint16_t ReadU16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

void WriteU16(uint8_t* at, size_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

bool IsTransport(uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

// Where TCP or UDP starts in an IPv6 packet (RFC 8200 4.1), and which of them; 0 when something else or nothing whole
// follows.
size_t FindIpv6Transport(const uint8_t* data, size_t bytes, uint8_t* protocol) {
  uint8_t next = data[6];
  size_t at = kIpv6HeaderBytes;
  for (int hops = 0; !IsTransport(next); hops++) {
    const bool is_known =
        next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
    if (!is_known || hops == kIpv6ExtensionsMax || at + 2 > bytes) return 0;
    // RFC 4302 2.2 counts in 4-octet units less 2, RFC 8200 4.3 in 8-octet units less 1.
    const size_t units = data[at + 1];
    const size_t extension_bytes = next == IPPROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
    next = data[at];
    at += extension_bytes;
  }
  *protocol = next;
  return at;
}

// Octets of the transport's header; 0 when it is not whole.
size_t TransportHeaderBytes(uint8_t protocol, const uint8_t* data, size_t at, size_t bytes) {
  const size_t least = protocol == IPPROTO_TCP ? kTcpHeaderBytes : kUdpHeaderBytes;
  if (at + least > bytes) return 0;
  if (protocol == IPPROTO_UDP) return kUdpHeaderBytes;
  const size_t header_bytes = size_t{data[at + 12] & 0xf0U} >> 2U;
  return header_bytes < kTcpHeaderBytes || at + header_bytes > bytes ? 0 : header_bytes;
}

// The IP header's length field, and IPv4's checksum.
void CompleteIp(uint8_t* data, int version, size_t packet_bytes) {
  if (version == 4) {
    WriteU16(data + 2, packet_bytes);
    WriteU16(data + 10, 0);
    const uint16_t checksum = ChecksumFold(ChecksumAdd(data, size_t{data[0] & 15U} * 4, 0));
    std::memcpy(data + 10, &checksum, sizeof checksum);
  } else {
    WriteU16(data + 4, packet_bytes - kIpv6HeaderBytes);
  }
}

// The transport's checksum of headers and payload, whose own field is 0. Pseudo header: RFC 9293 3.1, RFC 768, RFC
// 8200 8.1. Both headers are a multiple of 2 octets, so the payload's sum starts even.
uint16_t TransportChecksum(const IpPacket& headers, const uint8_t* payload, size_t payload_bytes) {
  const uint8_t* const data = headers.bytes;
  const size_t address_offset = headers.version == 4 ? 12 : 8;
  const size_t addresses_bytes = headers.version == 4 ? 8 : 32;
  const size_t header_bytes = headers.payload_offset - headers.transport_offset;
  uint64_t sum = uint64_t{htons(headers.protocol)} + htons(static_cast<uint16_t>(header_bytes + payload_bytes));
  sum = ChecksumAdd(data + address_offset, addresses_bytes, sum);
  sum = ChecksumAdd(data + headers.transport_offset, header_bytes, sum);
  return ChecksumFold(ChecksumAdd(payload, payload_bytes, sum));
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
  protocol = 0;
  transport_offset = 0;
  payload_offset = 0;
  if (data_bytes < kIpv4HeaderBytes) return false;
  version = data[0] >> 4;
  uint8_t found = 0;
  size_t at = 0;
  if (version == 4) {
    const size_t header_bytes = size_t{data[0] & 15U} * 4;
    if (header_bytes < kIpv4HeaderBytes || header_bytes > data_bytes) return false;
    const bool is_fragment = (ReadU16(data + 6) & 0x3fff) != 0;
    if (IsTransport(data[9]) && !is_fragment) {
      found = data[9];
      at = header_bytes;
    }
  } else if (version == 6) {
    if (data_bytes < kIpv6HeaderBytes) return false;
    at = FindIpv6Transport(data, data_bytes, &found);
  } else {
    return false;
  }
  if (at == 0) return true;
  const size_t header_bytes = TransportHeaderBytes(found, data, at, data_bytes);
  if (header_bytes == 0) return false;
  protocol = found;
  transport_offset = at;
  payload_offset = at + header_bytes;
  return true;
}

void CompleteSegment(const IpPacket& headers, const uint8_t* payload, size_t payload_bytes) {
  CompleteIp(headers.bytes, headers.version, headers.payload_offset + payload_bytes);
  uint8_t* const field = headers.bytes + headers.transport_offset + kTcpChecksumOffset;
  WriteU16(field, 0);
  const uint16_t checksum = TransportChecksum(headers, payload, payload_bytes);
  std::memcpy(field, &checksum, sizeof checksum);
}

void IpPacket::Complete() const {
  if (is_tcp()) {
    CompleteSegment(*this, bytes + payload_offset, length - payload_offset);
    return;
  }
  if (protocol == IPPROTO_UDP) {
    CompleteIp(bytes, version, length);
    uint8_t* const udp = bytes + transport_offset;
    WriteU16(udp + kUdpLengthOffset, length - transport_offset);
    WriteU16(udp + kUdpChecksumOffset, 0);
    uint16_t checksum = TransportChecksum(*this, bytes + payload_offset, length - payload_offset);
    // 0 would say that there is none (RFC 768), which IPv6 does not allow (RFC 8200 8.1).
    if (checksum == 0) checksum = 0xffff;
    std::memcpy(udp + kUdpChecksumOffset, &checksum, sizeof checksum);
    return;
  }
  if (version == 4) CompleteIp(bytes, version, length);
}

}  // namespace trafficcopy
