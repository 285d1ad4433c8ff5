// The free space is filled, read back, and free again.
#include "disk/free_space.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fault.hpp"
#include "base/handle.hpp"

namespace satchel::disk {

namespace {

constexpr std::uint64_t mebibyte = 1U << 20;
constexpr std::uint64_t tried = 70 * mebibyte;  ///< more than what is written through at once

/// A directory of which all but so much is to be left.
struct Place {
  std::filesystem::path path;
  UniqueFd directory;

  Place() {
    std::string name = std::filesystem::temp_directory_path() / "satchel-free-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    directory.reset(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Place() { std::filesystem::remove_all(path); }

  ByteCount all_but_tried() const {
    struct statvfs about {};
    REQUIRE(::fstatvfs(directory.get(), &about) == 0);
    return ByteCount(static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize - tried);
  }
};

}  // namespace

TEST_CASE("free space that keeps what is written to it passes, and is free again") {
  const Place place;
  ByteCount far, total;
  const auto done = probe_free_space(place.directory.get(), "it", place.all_but_tried(),
                                     [&](const Progress& progress) {
                                       far = progress.done;
                                       total = progress.total;
                                     },
                                     {});
  // Others use the same filesystem meanwhile.
  CHECK(done.value > tried / 2);
  CHECK(done.value < 2 * tried);
  CHECK(done.value % mebibyte == 0);
  CHECK(total.value == 2 * done.value);
  CHECK(far.value == total.value - mebibyte);
  CHECK(std::filesystem::is_empty(place.path));
}

TEST_CASE("a probe of free space that is stopped leaves nothing behind") {
  const Place place;
  std::stop_source stopping;
  const ProgressSink stop = [&](const Progress& progress) {
    if (progress.done.value >= tried / 4) stopping.request_stop();
  };
  CHECK_THROWS_AS(probe_free_space(place.directory.get(), "it", place.all_but_tried(), stop,
                                   stopping.get_token()),
                  Fault);
  CHECK(std::filesystem::is_empty(place.path));
}

TEST_CASE("where all is to be left nothing is written") {
  const Place place;
  CHECK(probe_free_space(place.directory.get(), "it", ByteCount(~std::uint64_t{0}), {}, {}) ==
        ByteCount());
}

}  // namespace satchel::disk
