// Passes things from one thread to another, a few at a time: the giver waits while the taker is
// behind.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>

namespace satchel::hibernation {

template <class Thing>
class Handoff {
 public:
  explicit Handoff(std::size_t most) : most_(most) {}

  /// Waits for room; false when a stop was requested first.
  bool give(Thing thing, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, std::move(stop), [&] { return things_.size() < most_; })) return false;
    things_.push_back(std::move(thing));
    changed_.notify_all();
    return true;
  }

  /// Nothing more comes, for this reason or because all was given.
  void close(std::exception_ptr why = {}) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    why_ = std::move(why);
    changed_.notify_all();
  }

  /// Waits for the next; none at the end and when a stop was requested first. Throws what it was
  /// closed for.
  std::optional<Thing> take(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, std::move(stop), [&] { return !things_.empty() || closed_; }))
      return std::nullopt;
    if (closed_ && why_) std::rethrow_exception(why_);
    if (things_.empty()) return std::nullopt;
    std::optional<Thing> out(std::move(things_.front()));
    things_.pop_front();
    changed_.notify_all();
    return out;
  }

 private:
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Thing> things_;
  bool closed_ = false;
  std::exception_ptr why_;
};

}  // namespace satchel::hibernation
