#include "runtime/undo.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

using Steps = std::vector<std::string>;

Task<void> step(Steps& steps, std::string name) {
  steps.push_back(std::move(name));
  co_return;
}

enum class End { good, bad };

Task<int> work(Undo& undo, Steps& steps, End end) {
  undo.note("take the first back", [&steps] { return step(steps, "first undone"); });
  undo.note("take the second back", [&steps] { return step(steps, "second undone"); });
  if (end == End::bad) throw std::runtime_error("no room");
  co_return 7;
}

template <class T>
T result_of(Task<T> task) {
  boost::asio::io_context loop;
  auto result = boost::asio::co_spawn(loop, std::move(task), boost::asio::use_future);
  loop.run();
  return result.get();
}

}  // namespace

TEST_CASE("what has failed is undone, newest first, before the failure goes on") {
  Undo undo;
  KeptLog log;
  Steps steps;
  CHECK_THROWS_WITH(result_of(or_undo(undo, log, work(undo, steps, End::bad))), "no room");
  CHECK(steps == Steps{"second undone", "first undone"});
}

TEST_CASE("what has succeeded is not undone") {
  Undo undo;
  KeptLog log;
  Steps steps;
  CHECK(result_of(or_undo(undo, log, work(undo, steps, End::good))) == 7);
  result_of(undo.run(log));
  CHECK(steps.empty());
}

}  // namespace satchel::test
