#include "runtime/meter.hpp"

#include <algorithm>
#include <numeric>

namespace satchel {

void Meter::expect(ByteCount total) {
  const std::lock_guard lock(mutex_);
  total_ = total.value;
}

void Meter::expect_more(ByteCount to_come) {
  const std::lock_guard lock(mutex_);
  total_ = counted() + to_come.value;
}

std::uint64_t Meter::counted() const {
  return std::accumulate(beside_.begin(), beside_.end(), before_ + in_step_);
}

ProgressSink Meter::begin(std::string step) {
  const std::lock_guard lock(mutex_);
  before_ += in_step_;
  in_step_ = 0;
  step_ = std::move(step);
  return [this](const Progress& report) {
    const std::lock_guard hold(mutex_);
    in_step_ = std::max(in_step_, report.done.value);
  };
}

ProgressSink Meter::beside() {
  const std::lock_guard lock(mutex_);
  auto& mine = beside_.emplace_back(0);
  return [this, &mine](const Progress& report) {
    const std::lock_guard hold(mutex_);
    mine = std::max(mine, report.done.value);
  };
}

Meter::Reading Meter::read(std::chrono::steady_clock::time_point now) {
  using std::chrono::duration;
  const std::lock_guard lock(mutex_);
  const auto done = counted();
  if (mark_ == std::chrono::steady_clock::time_point{}) {
    mark_ = now;
    mark_bytes_ = done;
  } else if (const double seconds = duration<double>(now - mark_).count(); seconds >= 0.2) {
    const double latest = static_cast<double>(done - mark_bytes_) / seconds;
    const double weight = std::min(1.0, seconds / 2.0);
    rate_ = rate_ == 0 ? latest : rate_ + weight * (latest - rate_);
    mark_ = now;
    mark_bytes_ = done;
  }
  const auto total = std::max(total_, done);
  if (total_ > 0) shown_ = std::max(shown_, static_cast<double>(done) / static_cast<double>(total));
  Reading out{
      step_, ByteCount(done), ByteCount(total_ == 0 ? 0 : total), static_cast<std::uint64_t>(rate_),
      0,     shown_};
  if (total_ > 0 && rate_ >= 1)
    out.remaining_us = static_cast<std::uint64_t>(static_cast<double>(total - done) / rate_ * 1e6);
  return out;
}

}  // namespace satchel
