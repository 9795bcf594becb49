#include "capture_parser.h"

#include <pcap/pcap.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>

namespace trafficcopy {
namespace {

// Pieces that wait for libpcap, octets: at the first no more are wanted, below the second they are again.
constexpr size_t kFedBytesMax = 1024 * 1024;
constexpr size_t kFedBytesLow = kFedBytesMax / 2;
// Batches that wait for JavaScript.
constexpr size_t kReadyBatchesMax = 2;
constexpr size_t kFileBufferBytes = 64 * 1024;

constexpr uint32_t kBatchBytesMax = 64 << 20;
// Beyond it (the year 287,396) a double is no whole number of microseconds, and much further on no 64 bits hold it. A
// file of pcapng may say so.
constexpr double kTimeUsMax = 9007199254740992.0;
constexpr double kUsPerSecond = 1e6;
constexpr double kNsPerUs = 1e3;

}  // namespace

Outcome CaptureParser::Open(const CaptureParserConfig& config) {
  const bool has_room = config.batch_bytes > 0 && config.batch_frames > 0;
  if (!has_room || config.batch_bytes > kBatchBytesMax || config.batch_frames > kBatchBytesMax) {
    return SysError{EINVAL, "batch of a capture file", {}, {}};
  }
  config_ = config;
  changed_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!changed_) return SysError::Take("eventfd");
  // Signals are for the threads of Node.js.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread_, nullptr, ThreadMain, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return SysError{error, "pthread_create", {}, {}};
  is_running_ = true;
  return std::nullopt;
}

void CaptureParser::Feed(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  const std::lock_guard lock(mutex_);
  // A file that libpcap has given up is not kept.
  if (has_ended_ || is_closing_) return;
  pieces_.emplace_back(bytes.begin(), bytes.end());
  fed_bytes_ += bytes.size();
  work_.notify_one();
}

void CaptureParser::FeedEnd() {
  const std::lock_guard lock(mutex_);
  is_fed_ = true;
  work_.notify_one();
}

size_t CaptureParser::Next(std::span<uint8_t> bytes, std::span<BatchEntry> entries, std::span<double> times_us) {
  const std::lock_guard lock(mutex_);
  if (ready_.empty()) return 0;
  Batch& batch = ready_.front();
  if (bytes.size() < batch.length || entries.size() < batch.count || times_us.size() < batch.count) return 0;
  std::copy_n(batch.bytes.begin(), batch.length, bytes.begin());
  std::copy_n(batch.entries.begin(), batch.count, entries.begin());
  std::copy_n(batch.times_us.begin(), batch.count, times_us.begin());
  const size_t count = batch.count;
  taken_bytes_ = batch.end_bytes;
  batch.count = 0;
  batch.length = 0;
  spare_.push_back(std::move(batch));
  ready_.pop_front();
  work_.notify_one();
  return count;
}

void CaptureParser::Acknowledge() {
  if (!changed_) return;
  eventfd_t announced = 0;
  eventfd_read(changed_.get(), &announced);
}

CaptureParser::State CaptureParser::Look() {
  const std::lock_guard lock(mutex_);
  return State{
      .link_type = link_type_,
      .snap_bytes = snap_bytes_,
      .frames = frames_,
      .oversized = oversized_,
      .consumed_bytes = consumed_bytes_,
      .taken_bytes = taken_bytes_,
      .last_us = last_us_,
      .wants_more = !has_ended_ && fed_bytes_ < kFedBytesMax,
      .has_batch = !ready_.empty(),
      .has_ended = has_ended_ && ready_.empty(),
  };
}

std::string CaptureParser::problem() {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::string CaptureParser::link_type_text() {
  const std::lock_guard lock(mutex_);
  const char* const name = pcap_datalink_val_to_name(link_type_);
  const char* const description = pcap_datalink_val_to_description(link_type_);
  if (name == nullptr) return "DLT " + std::to_string(link_type_);
  return description == nullptr ? std::string(name) : std::string(name) + ", " + description;
}

void CaptureParser::Close() {
  if (is_running_) {
    {
      const std::lock_guard lock(mutex_);
      is_closing_ = true;
      work_.notify_one();
    }
    pthread_join(thread_, nullptr);
    is_running_ = false;
  }
  const std::lock_guard lock(mutex_);
  pieces_.clear();
  ready_.clear();
  spare_.clear();
  changed_.Reset();
}

void* CaptureParser::ThreadMain(void* self) {
  static_cast<CaptureParser*>(self)->Run();
  return nullptr;
}

void CaptureParser::Run() {
  std::FILE* const file = fopencookie(
      this, "rb", cookie_io_functions_t{.read = OnRead, .write = nullptr, .seek = nullptr, .close = nullptr});
  if (file != nullptr) {
    setvbuf(file, nullptr, _IOFBF, kFileBufferBytes);
    Parse(file);
  }
  const std::lock_guard lock(mutex_);
  if (file == nullptr) problem_ = "no memory to read it";
  if (filling_.count > 0) PublishLocked();
  has_ended_ = true;
  pieces_.clear();
  fed_bytes_ = 0;
  Announce();
}

void CaptureParser::Parse(std::FILE* file) {
  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
  if (pcap == nullptr) {
    fclose(file);
    const std::lock_guard lock(mutex_);
    problem_ = error;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    link_type_ = pcap_datalink(pcap);
    snap_bytes_ = static_cast<uint32_t>(std::max(pcap_snapshot(pcap), 0));
    Announce();
  }
  pcap_pkthdr* header = nullptr;
  const u_char* frame = nullptr;
  int status = 0;
  while ((status = pcap_next_ex(pcap, &header, &frame)) == 1) {
    // libpcap was asked for nanoseconds: the field has them.
    const double time_us =
        static_cast<double>(header->ts.tv_sec) * kUsPerSecond + static_cast<double>(header->ts.tv_usec) / kNsPerUs;
    if (!Append(frame, header->caplen, header->len, time_us)) break;
  }
  if (status == PCAP_ERROR) {
    const std::lock_guard lock(mutex_);
    problem_ = pcap_geterr(pcap);
  }
  pcap_close(pcap);
}

bool CaptureParser::Append(const uint8_t* frame, uint32_t captured_bytes, uint32_t wire_bytes, double time_us) {
  const bool is_oversized = captured_bytes > config_.batch_bytes;
  const bool is_full = filling_.count == config_.batch_frames || captured_bytes > config_.batch_bytes - filling_.length;
  if (!is_oversized && filling_.count > 0 && is_full && !Publish()) return false;
  const std::lock_guard lock(mutex_);
  frames_ += 1;
  last_us_ = std::max(last_us_, time_us);
  if (is_oversized) {
    oversized_ += 1;
    return !is_closing_;
  }
  if (filling_.bytes.empty()) {
    filling_.bytes.resize(config_.batch_bytes);
    filling_.entries.resize(config_.batch_frames);
    filling_.times_us.resize(config_.batch_frames);
  }
  std::memcpy(filling_.bytes.data() + filling_.length, frame, captured_bytes);
  filling_.entries[filling_.count] = BatchEntry{
      .offset = static_cast<uint32_t>(filling_.length),
      .captured_bytes = captured_bytes,
      .wire_bytes = std::max(wire_bytes, captured_bytes),
      .time_us = static_cast<uint32_t>(static_cast<uint64_t>(std::clamp(time_us, 0.0, kTimeUsMax))),
  };
  filling_.times_us[filling_.count] = time_us;
  filling_.count += 1;
  filling_.length += captured_bytes;
  return !is_closing_;
}

bool CaptureParser::Publish() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [this] { return is_closing_ || ready_.size() < kReadyBatchesMax; });
  if (is_closing_) return false;
  PublishLocked();
  return true;
}

void CaptureParser::PublishLocked() {
  filling_.end_bytes = consumed_bytes_;
  ready_.push_back(std::move(filling_));
  filling_ = Batch{};
  if (!spare_.empty()) {
    filling_ = std::move(spare_.back());
    spare_.pop_back();
  }
  Announce();
}

ssize_t CaptureParser::OnRead(void* self, char* buffer, size_t size) {
  return static_cast<CaptureParser*>(self)->Read(buffer, size);
}

// 0 is the end of the file to libpcap.
ssize_t CaptureParser::Read(char* buffer, size_t size) {
  std::unique_lock lock(mutex_);
  // What a slow pipe has brought so far must not wait for what it brings later.
  const auto may_publish = [this] { return filling_.count > 0 && ready_.size() < kReadyBatchesMax; };
  while (pieces_.empty() && !is_fed_ && !is_closing_) {
    if (may_publish()) PublishLocked();
    work_.wait(lock, [&] { return !pieces_.empty() || is_fed_ || is_closing_ || may_publish(); });
  }
  if (is_closing_ || pieces_.empty()) return 0;
  const std::vector<uint8_t>& piece = pieces_.front();
  const size_t bytes = std::min(size, piece.size() - piece_offset_);
  std::memcpy(buffer, piece.data() + piece_offset_, bytes);
  piece_offset_ += bytes;
  if (piece_offset_ == piece.size()) {
    pieces_.pop_front();
    piece_offset_ = 0;
  }
  const bool was_enough = fed_bytes_ >= kFedBytesLow;
  fed_bytes_ -= bytes;
  consumed_bytes_ += bytes;
  if (was_enough && fed_bytes_ < kFedBytesLow) Announce();
  return static_cast<ssize_t>(bytes);
}

void CaptureParser::Announce() { eventfd_write(changed_.get(), 1); }

}  // namespace trafficcopy
