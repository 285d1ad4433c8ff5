// Where blocking calls run. The loop thread never blocks: `co_await offload(lane, f)` runs f on
// one of the lane's threads and continues the coroutine on its own executor with f's result or
// exception. Owned by the composition root; outlives every coroutine that uses it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace satchel {

template <class T>
using Task = boost::asio::awaitable<T>;

/// A few threads for one kind of blocking call.
class Lane {
 public:
  explicit Lane(std::size_t threads) : pool_(threads) {}
  boost::asio::thread_pool& pool() { return pool_; }

 private:
  boost::asio::thread_pool pool_;
};

/// `quick`: queries and aborts. `slow`: saves, restores, block jobs; a thread each for as many as
/// may run at once. `files`: reading and writing of devices and of the host's disk.
struct Lanes {
  Lane quick{4};
  Lane slow{16};
  Lane files{8};
};

/// Runs f on the lane. f must own what it uses, or refer to what the awaiting coroutine keeps.
template <class F>
Task<std::invoke_result_t<F&>> offload(Lane& lane, F f) {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    auto work = [](F run) -> Task<void> {
      run();
      co_return;
    };
    auto job = boost::asio::co_spawn(lane.pool(), work(std::move(f)), boost::asio::use_awaitable);
    co_await std::move(job);
  } else {
    // Not the job's own result: Asio would have it default-constructible.
    std::optional<R> result;
    auto work = [](F run, std::optional<R>& out) -> Task<void> {
      out.emplace(run());
      co_return;
    };
    auto job =
        boost::asio::co_spawn(lane.pool(), work(std::move(f), result), boost::asio::use_awaitable);
    co_await std::move(job);
    co_return std::move(*result);
  }
}

}  // namespace satchel
