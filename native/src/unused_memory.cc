#include "unused_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace trafficcopy {
namespace {

struct FileCloser {
  void operator()(FILE* file) const { std::fclose(file); }
};

struct Mapping {
  uintptr_t begin;
  uintptr_t end;
  bool is_fixed_file;  // private and not writable
  uint64_t resident_kib;
  uint64_t own_kib;  // pages that the file does not have, or that are to stay
};

// «00400000-0074d000 r--p 00000000 fe:00 2147 /usr/bin/node» (proc_pid_maps(5)). False for a line of another kind.
bool ParseHeader(const char* line, Mapping& mapping) {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  uint64_t inode = 0;
  char rights[5] = {};
  const int fields = std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %" SCNu64, &begin, &end, rights, &inode);
  if (fields != 4) return false;
  const bool is_fixed = std::strcmp(rights, "r-xp") == 0 || std::strcmp(rights, "r--p") == 0;
  mapping = Mapping{begin, end, is_fixed && inode != 0, 0, 0};
  return true;
}

// «Rss:                1234 kB» (proc_pid_smaps(5)).
void ParseSize(const char* line, Mapping& mapping) {
  uint64_t kib = 0;
  if (std::sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
    mapping.resident_kib = kib;
  } else if (std::sscanf(line, "Anonymous: %" SCNu64, &kib) == 1 || std::sscanf(line, "Swap: %" SCNu64, &kib) == 1 ||
             std::sscanf(line, "Locked: %" SCNu64, &kib) == 1) {
    mapping.own_kib += kib;
  }
}

std::vector<Mapping> ReadMappings() {
  std::vector<Mapping> mappings;
  const std::unique_ptr<FILE, FileCloser> smaps(std::fopen("/proc/self/smaps", "re"));
  if (smaps == nullptr) return mappings;
  // A path may be longer than this: then the rest of its line is one of another kind.
  char line[512];
  while (std::fgets(line, sizeof(line), smaps.get()) != nullptr) {
    Mapping next;
    if (ParseHeader(line, next)) {
      mappings.push_back(next);
    } else if (!mappings.empty()) {
      ParseSize(line, mappings.back());
    }
  }
  return mappings;
}

}  // namespace

uint64_t GiveBackUnusedMemory() {
  uint64_t bytes = 0;
  for (const Mapping& mapping : ReadMappings()) {
    if (!mapping.is_fixed_file || mapping.own_kib != 0 || mapping.resident_kib == 0) continue;
    void* const begin = reinterpret_cast<void*>(mapping.begin);
    if (madvise(begin, mapping.end - mapping.begin, MADV_DONTNEED) == 0) bytes += mapping.resident_kib * 1024;
  }
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return bytes;
}

}  // namespace trafficcopy
