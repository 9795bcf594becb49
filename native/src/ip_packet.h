#ifndef TRAFFICCOPY_IP_PACKET_H_
#define TRAFFICCOPY_IP_PACKET_H_

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>

namespace trafficcopy {

// The little that sending needs of an IP packet: where its addresses and its TCP or UDP header are. All offsets lie
// inside the bytes that were parsed.
struct IpPacket {
  uint8_t* bytes = nullptr;
  size_t length = 0;
  int version = 0;
  uint8_t protocol = 0;         // IPPROTO_TCP or IPPROTO_UDP; 0: another one, or a fragment
  size_t transport_offset = 0;  // with a protocol
  size_t payload_offset = 0;    // with a protocol

  bool is_tcp() const { return protocol == IPPROTO_TCP; }
  uint8_t* destination() const { return bytes + (version == 4 ? 16 : 24); }

  // False when it is no IP packet with complete headers.
  bool Parse(uint8_t* data, size_t data_bytes);

  // Writes the length fields of the IP header and of UDP's, and the checksums of IPv4, TCP and UDP.
  void Complete() const;
};

// The one's complement sum (RFC 1071) of octets onto `sum`, in memory order, not folded.
uint64_t ChecksumAdd(const uint8_t* data, size_t bytes, uint64_t sum);
// The 16 bits to store for a sum.
uint16_t ChecksumFold(uint64_t sum);

// One TCP packet in two pieces, as a super-packet is cut: headers of its own and a part of the payload.
void CompleteSegment(const IpPacket& headers, const uint8_t* payload, size_t payload_bytes);

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_IP_PACKET_H_
