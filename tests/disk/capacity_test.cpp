// Devices that keep less than they say are found out, and every other one is left as it was.
#include "disk/capacity.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "base/fault.hpp"

namespace satchel::disk {

namespace {

constexpr std::uint64_t mebibyte = 1U << 20;

/// A device of 4 GiB, as it says; where a block really lies is `place`'s to say.
class Device {
 public:
  static constexpr ByteCount size{4096 * mebibyte};
  using Place = std::function<std::optional<std::uint64_t>(std::uint64_t at)>;

  explicit Device(Place place) : place_(std::move(place)) {
    // What a filesystem would have there.
    for (std::uint64_t at = 0; at < 64 * mebibyte; at += 4 * mebibyte) write(at, byte_of(at));
    before_ = kept_;
  }

  Medium medium() {
    return {size,
            [this](std::uint64_t at, std::span<std::byte> block) {
              for (std::size_t i = 0; i < block.size(); i += capacity_block)
                read(at + i, block.subspan(i, capacity_block));
            },
            [this](std::uint64_t at, std::span<const std::byte> block) {
              if (refused_ == at)
                throw Fault(Remedy::replug, {"write", "the device", "it failed", {}});
              if (fails_on_ ? fails_at_ == 1 || --fails_at_ == 1 : fails_at_ && --fails_at_ == 0)
                throw Fault(Remedy::replug, {"write", "the device", "it failed", {}});
              for (std::size_t i = 0; i < block.size(); i += capacity_block)
                write(at + i, {block.begin() + i, block.begin() + i + capacity_block});
            },
            [] {}};
  }
  void fail_at(int write) { fails_at_ = write; }
  void fail_from(int write) {
    fails_at_ = write;
    fails_on_ = true;
  }
  /// Whoever wants to write there fails.
  void refuse(std::uint64_t at) { refused_ = at; }
  bool is_as_it_was() const {
    const auto zeros = std::vector<std::byte>(capacity_block);
    return std::ranges::all_of(kept_, [&](const auto& each) {
      const auto was = before_.find(each.first);
      return each.second == (was == before_.end() ? zeros : was->second);
    });
  }

 private:
  using Block = std::vector<std::byte>;
  static Block byte_of(std::uint64_t at) {
    return Block(capacity_block, static_cast<std::byte>(at / mebibyte + 1));
  }
  void write(std::uint64_t at, Block block) {
    if (const auto there = place_(at)) kept_[*there] = std::move(block);
  }
  void read(std::uint64_t at, std::span<std::byte> block) {
    const auto there = place_(at);
    const auto found = there ? kept_.find(*there) : kept_.end();
    std::ranges::fill(block, std::byte{});
    if (found != kept_.end()) std::ranges::copy(found->second, block.begin());
  }

  Place place_;
  std::map<std::uint64_t, Block> kept_, before_;
  int fails_at_ = 0;
  bool fails_on_ = false;
  std::optional<std::uint64_t> refused_;
};

std::optional<ByteCount> probe(Device& device, std::stop_token stop = {}) {
  return probe_capacity(device.medium(), 7, {}, std::move(stop));
}

}  // namespace

TEST_CASE("a device that keeps all that it says is left as it was") {
  Device device([](std::uint64_t at) { return std::optional(at); });
  CHECK_FALSE(probe(device));
  CHECK(device.is_as_it_was());
}

TEST_CASE("a device that wraps around is found out, and its first part is as it was") {
  const auto real = GENERATE(512 * mebibyte, 1024 * mebibyte, 2048 * mebibyte);
  Device device([real](std::uint64_t at) { return std::optional(at % real); });
  const auto kept = probe(device);
  REQUIRE(kept);
  CHECK(kept->value == real);
  CHECK(device.is_as_it_was());
}

TEST_CASE("a device that wraps around at an odd place is found out") {
  const auto real = GENERATE(300 * mebibyte, 1000 * mebibyte, 1906 * mebibyte + 4096);
  Device device([real](std::uint64_t at) { return std::optional(at % real); });
  CHECK(probe(device));
}

TEST_CASE("a device that drops what lies beyond its end is found out") {
  const auto real = 1000 * mebibyte;
  Device device([real](std::uint64_t at) { return at < real ? std::optional(at) : std::nullopt; });
  const auto kept = probe(device);
  REQUIRE(kept);
  CHECK(kept->value >= real);
  CHECK(kept->value <= real + Device::size.value / 64);
  CHECK(device.is_as_it_was());
}

TEST_CASE("a device that writes everything beyond its end to one place is found out") {
  const auto real = 1000 * mebibyte;
  Device device([real](std::uint64_t at) { return std::optional(std::min(at, real)); });
  CHECK(probe(device));
}

TEST_CASE("a probe that is stopped or fails puts back what it wrote over") {
  Device device([](std::uint64_t at) { return std::optional(at); });
  SECTION("stopped") {
    std::stop_source stopping;
    int left = 150;
    const ProgressSink stop = [&](const Progress&) {
      if (--left == 0) stopping.request_stop();
    };
    CHECK_THROWS_AS(probe_capacity(device.medium(), 7, stop, stopping.get_token()), Fault);
    CHECK(left <= 0);
  }
  SECTION("failed") {
    device.fail_at(60);
    CHECK_THROWS_AS(probe(device), Fault);
  }
  SECTION("a place that takes nothing any more keeps no other from being put back") {
    const auto samples = capacity_samples(Device::size);
    device.refuse(samples[samples.size() / 2]);
    CHECK_THROWS_WITH(probe(device),
                      Catch::Contains("could not put back what stood on the device"));
  }
  CHECK(device.is_as_it_was());
}

TEST_CASE("a device that is pulled during a probe is not called broken") {
  Device device([](std::uint64_t at) { return std::optional(at); });
  device.fail_from(60);
  CHECK_THROWS_WITH(probe(device), "could not write the device: it failed");
}

TEST_CASE("all places that are tried lie within, and the last block is one of them") {
  const auto size = GENERATE(ByteCount(4096), ByteCount(5 * mebibyte), ByteCount(96 * mebibyte),
                             ByteCount(64'000'000'000));
  const auto samples = capacity_samples(size);
  REQUIRE_FALSE(samples.empty());
  CHECK(samples.back() == (size.value / capacity_block - 1) * capacity_block);
  CHECK(std::ranges::is_sorted(samples));
  CHECK(std::ranges::adjacent_find(samples) == samples.end());
}

TEST_CASE("a medium too small for a block has nothing to try") {
  CHECK(capacity_samples(ByteCount(100)).empty());
}

}  // namespace satchel::disk
