// Three stages over a ring of slots: one thread fills them in order, some work on them, and the
// caller's thread empties them in the same order. Memory is the ring; a slow stage slows the
// others. The first exception of any stage stops all and is thrown by run() after every thread has
// ended.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/fault.hpp"

namespace satchel::hibernation {

template <class Slot>
class Pipeline {
 public:
  struct Stages {
    /// False when there is no more. The token ends its waits.
    std::function<bool(Slot&, std::stop_token)> fill;
    std::function<void(Slot&)> work;
    std::function<void(Slot&)> empty;
  };

  Pipeline(unsigned threads, Stages stages)
      : threads_(threads), stages_(std::move(stages)), ring_(threads + 2) {}

  void run(std::stop_token stop) {
    {
      std::vector<std::jthread> crew;
      // Ends before the crew is joined, however this scope is left.
      const StopAtEnd end{ending_};
      const std::stop_callback on_stop(stop, [this] { ending_.request_stop(); });
      crew.emplace_back([this] { guarded([this] { fill_all(); }); });
      for (unsigned i = 0; i < threads_; ++i)
        crew.emplace_back([this] { guarded([this] { work_all(); }); });
      guarded([this] { empty_all(); });
    }
    if (failure_) std::rethrow_exception(failure_);
    if (!complete_)
      throw Fault(Remedy::retry, {"go through", "the machine's memory", "it was stopped", {}});
  }

 private:
  enum class Stage { empty, filled, worked };
  struct Place {
    Slot slot;
    Stage stage = Stage::empty;
  };
  struct StopAtEnd {
    std::stop_source& source;
    ~StopAtEnd() { source.request_stop(); }
  };
  using Lock = std::unique_lock<std::mutex>;

  Place& place(std::uint64_t index) { return ring_[index % ring_.size()]; }

  template <class F>
  void guarded(const F& stage) {
    try {
      stage();
    } catch (...) {
      {
        const Lock lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      ending_.request_stop();
    }
  }

  /// Waits for `ready` under the lock; false when it is over instead.
  template <class Ready>
  bool wait(Lock& lock, const Ready& ready) {
    return changed_.wait(lock, ending_.get_token(), ready) && !ending_.stop_requested();
  }

  void advance(Lock& lock, Place& to, Stage stage) {
    lock.lock();
    to.stage = stage;
    changed_.notify_all();
  }

  void fill_all() {
    Lock lock(mutex_);
    for (;; ++filled_) {
      auto& next = place(filled_);
      if (!wait(lock, [&] { return next.stage == Stage::empty; })) return;
      lock.unlock();
      if (!stages_.fill(next.slot, ending_.get_token())) break;
      advance(lock, next, Stage::filled);
    }
    lock.lock();
    all_filled_ = true;
    changed_.notify_all();
  }

  void work_all() {
    Lock lock(mutex_);
    while (wait(lock, [&] { return taken_ < filled_ || all_filled_; }) && taken_ < filled_) {
      auto& next = place(taken_++);
      lock.unlock();
      stages_.work(next.slot);
      advance(lock, next, Stage::worked);
    }
  }

  void empty_all() {
    Lock lock(mutex_);
    for (std::uint64_t index = 0;; ++index) {
      auto& next = place(index);
      if (!wait(lock,
                [&] { return next.stage == Stage::worked || (all_filled_ && index == filled_); }))
        return;
      if (next.stage != Stage::worked) break;
      lock.unlock();
      stages_.empty(next.slot);
      advance(lock, next, Stage::empty);
    }
    complete_ = true;
  }

  unsigned threads_;
  Stages stages_;
  std::vector<Place> ring_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::stop_source ending_;
  std::exception_ptr failure_;
  std::uint64_t filled_ = 0;  // slots that were filled so far
  std::uint64_t taken_ = 0;   // slots that a worker took so far
  bool all_filled_ = false;
  bool complete_ = false;
};

}  // namespace satchel::hibernation
