// Waits for a stream whose device is gone: one that gives nothing for five seconds has come to a
// halt. Loop thread, but for what says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

namespace satchel {

class Patience : public std::enable_shared_from_this<Patience> {
 public:
  Patience(const boost::asio::any_io_executor& loop, std::stop_source reading)
      : timer_(loop), reading_(std::move(reading)) {}

  void note_read(std::size_t bytes) { read_ += bytes; }
  /// Nothing is read of the stream for as long as it takes.
  void be_busy(bool busy) { busy_ = busy; }
  /// Loop thread.
  void begin() {
    timer_.expires_after(longest);
    timer_.async_wait([self = shared_from_this(), seen = read_.load()](auto cancelled) {
      if (cancelled) return;
      if (self->read_ == seen && !self->busy_)
        self->reading_.request_stop();
      else
        self->begin();
    });
  }
  void end() { timer_.cancel(); }

 private:
  static constexpr auto longest = std::chrono::seconds(5);

  boost::asio::steady_timer timer_;
  std::stop_source reading_;
  std::atomic<std::uint64_t> read_ = 0;
  std::atomic<bool> busy_ = false;
};

}  // namespace satchel
