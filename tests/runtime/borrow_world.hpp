// A machine whose memory has pages that its disk has as well.
#pragma once

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <iterator>

#include "hibernation/page_map.hpp"
#include "runtime/upkeep_world.hpp"

namespace satchel::test {

/// A machine runs that has a file in its page cache, and on its disk.
struct BorrowWorld : UpkeepWorld {
  explicit BorrowWorld(std::function<void(Config&)> adjust = [](Config&) {})
      : UpkeepWorld(1, std::move(adjust)) {
    // Content of its own: nothing is in earlier generations.
    bellows.start();
    anvil.start();
    anvil.plug();
    REQUIRE(launch(anvil) == "done");
    for (int n = 0; n < 3; ++n) anvil.hypervisor.tick(guest);
    write(anvil, 12, page_cache());
  }

  /// What the fake's guest has in its memory (fake_save_image.cpp) when it has counted so far.
  std::string page_cache() {
    const auto counter = anvil.counter(guest);
    std::string out;
    for (std::uint64_t i = 0; i < (64U << 10); ++i)
      out.push_back(static_cast<char>((i >> 6) * (counter + 1)));
    return out;
  }
  /// What the newest generation wrote of its memory.
  hibernation::Segment written() const {
    std::ifstream file(on_device(capsule) / head(capsule).hibernation->map, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto map = hibernation::read_page_map(bytes);
    REQUIRE(map);
    return map->segments.front();
  }
  /// Four pages of the machine's memory are on its disk.
  bool borrows() const { return written().borrowed == 4 && codec() == "zstd-pages-3"; }
  std::string codec() const { return head(capsule).hibernation->codec; }
  void rest(TestHost& at) {
    at.pull();
    at.plug();
    REQUIRE(at.reaches(capsule, "ready"));
  }
  /// From one port to another, or to the same.
  void carry(TestHost& from, TestHost& to, std::uint64_t counted = 4) {
    from.pull();
    to.plug();
    INFO(to.log.all());
    REQUIRE(to.reaches(capsule, "ready"));
    REQUIRE(launch(to) == "done");
    CHECK(to.counter(guest) == counted);
    REQUIRE(to.until([&] { return !to.is_checking(capsule); }));
    CHECK_FALSE(to.log.says("stored anew"));
  }
  void eject_with_a_pull_at_the_streams_end(TestHost& at) {
    at.hypervisor.at_streams_end = [&] {
      std::promise<void> pulled;
      boost::asio::post(loop.io, [&] {
        at.pull();
        pulled.set_value();
      });
      pulled.get_future().wait();
    };
    CHECK(at.end_of(at.host().eject(capsule)).result != "done");
    REQUIRE(at.reaches(capsule, "stranded"));
    at.wait_for_jobs();
    at.hypervisor.at_streams_end = {};
  }
  void check_that_the_second_copy_goes_on(TestHost& at, TestHost& elsewhere) {
    at.plug();
    INFO(at.log.all());
    REQUIRE(at.reaches(capsule, "running"));
    at.wait_for_jobs();
    CHECK(at.counter(guest) == 4);
    REQUIRE(eject(at) == "done");
    carry(at, elsewhere);
  }
};

}  // namespace satchel::test
