#ifndef TRAFFICCOPY_UNUSED_MEMORY_H_
#define TRAFFICCOPY_UNUSED_MEMORY_H_

#include <cstdint>

namespace trafficcopy {

// Gives memory that this process has and does not use back to the system. Returns how many octets of program files were
// in RAM and were let go of; 0 where the system does not say which may go.
//
//   program files  code and constants of Node.js and of libraries: of 55 MB that starting touches, running needs less
//                  than half. The system keeps them in its page cache, and what is used comes back from there by minor
//                  faults, 64 KB at a time. Only mappings of which no page is this process's own: private, not
//                  writable, nothing anonymous, swapped out or locked in them. What was written there once
//                  (relocations) would be lost.
//   malloc         what was freed and lies between pieces in use, or at the end of the heap
uint64_t GiveBackUnusedMemory();

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_UNUSED_MEMORY_H_
