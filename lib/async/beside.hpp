// A task that runs beside the coroutine that began it, which joins it later. Loop thread. The task
// must not outlive what it refers to: whoever begins one joins it on every path.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "async/lanes.hpp"

namespace satchel {

class Beside {
 public:
  /// `on_failure` is called on the loop, at once, when the task ends by an exception.
  Beside(boost::asio::any_io_executor loop, Task<void> task, std::function<void()> on_failure = {})
      : state_(std::make_shared<State>(loop)) {
    state_->end.expires_at(boost::asio::steady_timer::time_point::max());
    boost::asio::co_spawn(
        loop, std::move(task),
        [state = state_, on_failure = std::move(on_failure)](std::exception_ptr failure) {
          state->has_ended = true;
          state->failure = failure;
          state->end.cancel();
          if (failure && on_failure) on_failure();
        });
  }

  bool has_ended() const { return state_->has_ended; }
  /// The exception that it ended by; null while it runs or when it has succeeded.
  std::exception_ptr failure() const { return state_->failure; }

  /// Waits for its end, however it comes.
  Task<void> settled() {
    const auto state = state_;
    while (!state->has_ended) {
      boost::system::error_code woken;
      co_await state->end.async_wait(
          boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    }
  }

  /// Waits for its end; throws what it threw.
  Task<void> join() {
    const auto state = state_;
    auto waiting = settled();
    co_await std::move(waiting);
    if (state->failure) std::rethrow_exception(state->failure);
  }

  /// Waits for its end or so long; true when it has ended. Throws nothing of the task's.
  Task<bool> ended_within(std::chrono::milliseconds time) {
    const auto state = state_;
    if (!state->has_ended) {
      state->end.expires_after(time);
      boost::system::error_code woken;
      co_await state->end.async_wait(
          boost::asio::redirect_error(boost::asio::use_awaitable, woken));
      state->end.expires_at(boost::asio::steady_timer::time_point::max());
    }
    co_return state->has_ended;
  }

 private:
  struct State {
    explicit State(boost::asio::any_io_executor loop) : end(std::move(loop)) {}
    boost::asio::steady_timer end;
    bool has_ended = false;
    std::exception_ptr failure;
  };
  std::shared_ptr<State> state_;
};

}  // namespace satchel
