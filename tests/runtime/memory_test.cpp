// What an eject stores of the memory that the device has already, and who may rely on it.
#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <future>

#include "base/fault.hpp"
#include "fakes/fake_memory.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

/// A machine that came from one computer and runs at another, as it was.
struct MemoryWorld : RunningWorld {
  explicit MemoryWorld(std::size_t stream_bytes = 256 << 10)
      : RunningWorld(1, [&](HostWorld& world) {
          world.anvil.hypervisor.stream_bytes = stream_bytes;
          world.bellows.hypervisor.stream_bytes = stream_bytes;
        }) {
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.pull();
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    launch(bellows);
  }

  void launch(TestHost& host) const {
    LaunchRequest request;
    request.capsule = capsule;
    INFO(host.log.all());
    REQUIRE(host.result([&] { return host.host().launch(request); }) == "done");
  }

  std::string eject() {
    return bellows.result([&] { return bellows.host().eject(capsule); });
  }
  std::string checkpoint() {
    return bellows.result([&] { return bellows.host().checkpoint(capsule); });
  }
  /// Plugged in again where it was last.
  void come_back() {
    bellows.pull();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    launch(bellows);
    REQUIRE(bellows.until([&] { return !bellows.is_checking(capsule); }));
  }
  void eject_with_a_pull_at_the_streams_end() {
    bellows.hypervisor.at_streams_end = [&] {
      std::promise<void> pulled;
      boost::asio::post(loop.io, [&] {
        bellows.pull();
        pulled.set_value();
      });
      pulled.get_future().wait();
    };
    CHECK(bellows.end_of(bellows.host().eject(capsule)).result != "done");
    REQUIRE(bellows.reaches(capsule, "stranded"));
    bellows.wait_for_jobs();
    bellows.hypervisor.at_streams_end = {};
  }
  std::filesystem::path cache() const {
    return bellows.session_directory(capsule).parent_path().parent_path() / "cache" /
           capsule.value.str();
  }
  ByteCount size_of(const std::string& object) const { return head(capsule).find(object)->size; }
  /// Flips a bit in an object.
  void damage(const std::string& object, std::streamoff at) const {
    std::fstream file(on_device(capsule) / object, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
  }
  /// Stranded, it goes on from the second copy once the device is back, and then elsewhere.
  void check_that_the_second_copy_goes_on() {
    bellows.plug();
    INFO(bellows.log.all());
    REQUIRE(bellows.reaches(capsule, "running"));
    bellows.wait_for_jobs();
    CHECK(bellows.counter(guest) == 1);
    CHECK(eject() == "done");
    check_that_it_goes_on_at_anvil();
  }
  /// The machine goes on at the first computer, where it counts on.
  void check_that_it_goes_on_at_anvil(std::uint64_t counted = 1) {
    bellows.pull();
    anvil.plug();
    INFO(anvil.log.all());
    REQUIRE(anvil.reaches(capsule, "ready"));
    launch(anvil);
    CHECK(anvil.counter(guest) == counted);
  }
};

}  // namespace

TEST_CASE("memory that the device has already is not written to it again") {
  MemoryWorld world;
  const auto before = world.head(world.capsule);
  REQUIRE(before.hibernation);
  const auto first = before.hibernation->pages;
  CHECK(before.hibernation->segments == std::vector<std::string>{});
  INFO(world.bellows.log.all());
  CHECK(world.eject() == "done");
  const auto head = world.head(world.capsule);
  REQUIRE(head.hibernation);
  CHECK(head.hibernation->segments == std::vector<std::string>{first});
  CHECK(world.size_of(head.hibernation->pages) < ByteCount(200));
  CHECK(world.size_of(first) == before.find(first)->size);
  CHECK(std::filesystem::exists(world.on_device(world.capsule) / first));
  world.check_that_it_goes_on_at_anvil();
  CHECK(world.anvil.result([&] { return world.anvil.host().eject(world.capsule); }) == "done");
}

TEST_CASE("an eject tells the pages that have not changed since the launch by their tags") {
  MemoryWorld world(stream_with_memory);
  auto& bellows = world.bellows;
  SECTION("all of them") {
    CHECK(world.eject() == "done");
    CHECK(bellows.log.says("of which 30 were told by their tags"));
    world.check_that_it_goes_on_at_anvil();
  }
  SECTION("two thirds of them") {
    bellows.hypervisor.tick(world.guest);
    CHECK(world.eject() == "done");
    CHECK(bellows.log.says("of which 20 were told by their tags"));
    world.check_that_it_goes_on_at_anvil(2);
  }
  SECTION("what a checkpoint stored as well") {
    bellows.hypervisor.tick(world.guest);
    REQUIRE(world.checkpoint() == "done");
    CHECK(bellows.log.says("of which 20 were told by their tags"));
    CHECK(world.eject() == "done");
    CHECK(bellows.log.says("of which 30 were told by their tags"));
    world.check_that_it_goes_on_at_anvil(2);
  }
}

TEST_CASE("a restarted daemon has no tags, and its first checkpoint makes some") {
  MemoryWorld world(stream_with_memory);
  auto& bellows = world.bellows;
  bellows.stop();
  bellows.start();
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  bellows.hypervisor.tick(world.guest);
  REQUIRE(world.checkpoint() == "done");
  INFO(bellows.log.all());
  CHECK(bellows.log.says("of which 0 were told by their tags"));
  CHECK(world.eject() == "done");
  CHECK(bellows.log.says("of which 10 were told by their tags"));
  world.check_that_it_goes_on_at_anvil(2);
}

TEST_CASE("tags do not make an eject rely on memory that was found damaged") {
  MemoryWorld world(stream_with_memory);
  auto& bellows = world.bellows;
  const auto first = world.head(world.capsule).hibernation->pages;
  world.damage(first, 20);
  auto verifying = [&] { return bellows.host().verify(world.capsule); };
  CHECK(bellows.result(verifying) != "done");
  CHECK(world.eject() == "done");
  INFO(bellows.log.all());
  CHECK(bellows.log.says("of which 0 were told by their tags"));
  CHECK(world.head(world.capsule).hibernation->segments == std::vector<std::string>{});
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("a segment that was damaged since is relied on no more") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  const auto first = world.head(world.capsule).hibernation->pages;
  bellows.stop();
  world.damage(first, 20);
  bellows.start();
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  CHECK(world.eject() == "done");
  INFO(bellows.log.all());
  CHECK(bellows.log.says("stored anew"));
  const auto head = world.head(world.capsule);
  CHECK(head.hibernation->segments == std::vector<std::string>{});
  CHECK(world.size_of(head.hibernation->pages) > ByteCount(200));
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("a restarted daemon relies on memory that it has read again") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  bellows.stop();
  bellows.start();
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  CHECK(world.eject() == "done");
  CHECK_FALSE(bellows.log.says("stored anew"));
  CHECK(world.head(world.capsule).hibernation->segments->size() == 1);
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("the second copy needs nothing of what only the pulled device has") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  world.eject_with_a_pull_at_the_streams_end();
  CHECK(std::filesystem::exists(bellows.session_directory(world.capsule) / "guest.save"));
  bellows.plug();
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  INFO(bellows.log.all());
  CHECK(bellows.counter(world.guest) == 1);
  CHECK(world.eject() == "done");
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("a machine that comes back is read from this computer, and its device all the same") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject() == "done");
  world.come_back();
  CHECK(bellows.counter(world.guest) == 1);
  CHECK(world.eject() == "done");
  INFO(bellows.log.all());
  CHECK_FALSE(bellows.log.says("stored anew"));
  CHECK(world.head(world.capsule).hibernation->segments->size() == 1);
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("damage on the device is found beside a machine that came from this computer's copy") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  const auto first = world.head(world.capsule).hibernation->pages;
  REQUIRE(world.eject() == "done");
  world.damage(first, 20);
  world.come_back();
  INFO(bellows.log.all());
  CHECK(bellows.counter(world.guest) == 1);
  CHECK(bellows.log.says("its next eject stores all of its memory anew"));
  CHECK(world.eject() == "done");
  CHECK(world.head(world.capsule).hibernation->segments == std::vector<std::string>{});
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("a copy on this computer that was damaged is passed over") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject() == "done");
  std::size_t damaged = 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(world.cache())) {
    if (!each.is_regular_file()) continue;
    std::filesystem::resize_file(each.path(), 10);
    ++damaged;
  }
  CHECK(damaged == 2);
  world.come_back();
  INFO(bellows.log.all());
  CHECK(bellows.counter(world.guest) == 1);
  CHECK(world.eject() == "done");
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("the second copy of a machine that came back is made of what this computer has") {
  MemoryWorld world;
  REQUIRE(world.eject() == "done");
  world.come_back();
  world.eject_with_a_pull_at_the_streams_end();
  world.check_that_the_second_copy_goes_on();
}

TEST_CASE("what is kept of a machine goes when that is asked for, and nothing counts on it") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject() == "done");
  world.come_back();
  CHECK(bellows.await(bellows.host().drop_cache(CapsuleId(Uuid::random()))) == ByteCount(0));
  CHECK(bellows.await(bellows.host().drop_cache(world.capsule)) > ByteCount(0));
  CHECK_FALSE(std::filesystem::exists(world.cache()));
  world.eject_with_a_pull_at_the_streams_end();
  CHECK(bellows.await(bellows.host().drop_cache({})) == ByteCount(0));
  world.check_that_the_second_copy_goes_on();
}

TEST_CASE("of a private machine nothing is kept, and what was is removed at the start") {
  MemoryWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject() == "done");
  CHECK(std::filesystem::exists(world.cache()));
  bellows.stop();
  bellows.config.capsules[world.capsule].privacy = Privacy::kept;
  bellows.start();
  CHECK_FALSE(std::filesystem::exists(world.cache()));
  world.come_back();
  CHECK(world.eject() == "done");
  CHECK_FALSE(std::filesystem::exists(world.cache()));
  world.check_that_it_goes_on_at_anvil();
}

TEST_CASE("a map that refers to what the head does not name is refused") {
  MemoryWorld world;
  REQUIRE(world.eject() == "done");
  const UniqueFd root(::open(world.device().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto capsule = format::CapsuleDirectory::open(root.get(), world.capsule);
  auto head = world.head(world.capsule);
  CHECK(MemoryFile(capsule, head, world.device()).stream_size() == head.hibernation->stream_size);
  auto other = head;
  other.hibernation->segments->clear();
  CHECK_THROWS_WITH(MemoryFile(capsule, other, world.device()),
                    Catch::Contains("does not name it"));
  other = head;
  other.hibernation->pages = other.hibernation->segments->front();
  CHECK_THROWS_WITH(MemoryFile(capsule, other, world.device()),
                    Catch::Contains("another generation"));
  other = head;
  other.hibernation->codec = "zstd-pages-4";
  CHECK_THROWS_WITH(MemoryFile(capsule, other, world.device()), Catch::Contains("zstd-pages-4"));
}

}  // namespace satchel::test
