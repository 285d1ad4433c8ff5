// Which zstd level blocks get: the settings' own while the writer waits for the compressors, higher
// ones while these wait for a writer whose device is slower, as `zstd --adapt` has it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace satchel::hibernation {

class LevelControl {
 public:
  using Clock = std::chrono::steady_clock;
  /// `least`: zstd's, 1 to 19. More than 9 gives hardly less and takes several times as long.
  LevelControl(int least, Clock::time_point now)
      : least_(least), most_(std::max(least, 9)), level_(least), span_began_(now) {}

  /// Any thread.
  int level() const { return level_.load(std::memory_order_relaxed); }

  /// The writer, and nobody else: it was at `bytes` from `begin` to `end`.
  void wrote(std::uint64_t bytes, Clock::time_point begin, Clock::time_point end) {
    bytes_ += bytes;
    writing_ += end - begin;
    if (bytes_ < span) return;
    using Seconds = std::chrono::duration<double>;
    const auto share = Seconds(writing_) / Seconds(end - span_began_);
    const int step = share > 0.75 ? 2 : share > 0.5 ? 1 : share < 0.2 ? -2 : 0;
    level_ = std::clamp(level() + step, least_, most_);
    span_began_ = end;
    writing_ = {};
    bytes_ = 0;
  }

 private:
  /// A file of a device is written back in pieces of this size (format/object_writer.cpp), and its
  /// writer waits at each of them or not at all.
  static constexpr std::uint64_t span = 8U << 20;
  const int least_;
  const int most_;
  std::atomic<int> level_;
  Clock::time_point span_began_;
  Clock::duration writing_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace satchel::hibernation
