#ifndef TRAFFICCOPY_CAPTURE_PARSER_H_
#define TRAFFICCOPY_CAPTURE_PARSER_H_

#include <pthread.h>
#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "batch.h"
#include "sys_error.h"
#include "unique_fd.h"

namespace trafficcopy {

struct CaptureParserConfig {
  // Octets and frames of a batch. A frame that is larger than a batch is counted and left out.
  uint32_t batch_bytes;
  uint32_t batch_frames;
};

// libpcap on a stream of octets: a pcap or pcapng file is fed in pieces, frames come out in batches. libpcap wants to
// read and may have to wait for the next piece, so it has a thread of its own here:
//
//   Feed() --pieces, bounded--> thread: libpcap --batches, bounded--> Next()
//
// Both queues have a limit; at the one of batches the thread waits, at the one of pieces Feed() says that it is enough.
// All calls come from one thread, that of JavaScript, and none of them waits for the other but Close(), for the frame
// that is being read.
class CaptureParser {
 public:
  struct State {
    int link_type;  // -1 until the file's header was read
    uint32_t snap_bytes;
    uint64_t frames;     // read from the file so far
    uint64_t oversized;  // of them larger than a batch
    uint64_t consumed_bytes;
    uint64_t taken_bytes;  // of them, to the end of the batch that Next() gave last
    double last_us;        // when the latest of the frames was captured
    bool wants_more;       // Feed() has room
    bool has_batch;
    bool has_ended;  // and no batch is left
  };

  CaptureParser() = default;
  CaptureParser(const CaptureParser&) = delete;
  CaptureParser& operator=(const CaptureParser&) = delete;
  ~CaptureParser() { Close(); }

  Outcome Open(const CaptureParserConfig& config);
  void Feed(std::span<const uint8_t> bytes);
  // Nothing more comes.
  void FeedEnd();
  // Copies the oldest batch, whose frames start with their link headers. Returns its frames; 0 when there is none or it
  // does not fit.
  size_t Next(std::span<uint8_t> bytes, std::span<BatchEntry> entries, std::span<double> times_us);
  State Look();
  // Why it ended before the end of the file; empty when it did not.
  std::string problem();
  std::string link_type_text();
  // Readable when something has changed since the last Acknowledge().
  int fd() const { return changed_.get(); }
  void Acknowledge();
  void Close();

 private:
  struct Batch {
    std::vector<uint8_t> bytes;
    std::vector<BatchEntry> entries;
    std::vector<double> times_us;
    size_t length = 0;
    size_t count = 0;
    uint64_t end_bytes = 0;  // where in the file it ends
  };

  static void* ThreadMain(void* self);
  static ssize_t OnRead(void* self, char* buffer, size_t size);

  void Run();
  void Parse(std::FILE* file);
  ssize_t Read(char* buffer, size_t size);
  // False when the parser is being closed.
  bool Append(const uint8_t* frame, uint32_t captured_bytes, uint32_t wire_bytes, double time_us);
  bool Publish();
  void PublishLocked();
  void Announce();

  CaptureParserConfig config_{};
  UniqueFd changed_;
  pthread_t thread_{};
  bool is_running_ = false;

  // The thread's own.
  Batch filling_;

  std::mutex mutex_;
  std::condition_variable work_;  // for the thread: a piece, room for a batch, or the end
  std::deque<std::vector<uint8_t>> pieces_;
  size_t piece_offset_ = 0;  // of the first piece, what was read of it
  size_t fed_bytes_ = 0;     // that wait
  std::deque<Batch> ready_;
  std::vector<Batch> spare_;
  bool is_fed_ = false;
  bool is_closing_ = false;
  bool has_ended_ = false;
  int link_type_ = -1;
  uint32_t snap_bytes_ = 0;
  uint64_t frames_ = 0;
  uint64_t oversized_ = 0;
  uint64_t consumed_bytes_ = 0;
  uint64_t taken_bytes_ = 0;
  double last_us_ = 0;
  std::string problem_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_CAPTURE_PARSER_H_
