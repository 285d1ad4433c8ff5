#include "hibernation/restore_feed.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

using namespace satchel;
using namespace satchel::hibernation;

namespace {

constexpr int no_wait = 0;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A feed, and a reader that has opened it.
class Fed {
 public:
  Fed() {
    std::string name = "/tmp/satchel-feed-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
    feed_.emplace(path_);
    reader_.reset(open(feed_->path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(reader_);
  }
  Fed(const Fed&) = delete;
  Fed& operator=(const Fed&) = delete;
  ~Fed() {
    feed_.reset();
    std::filesystem::remove_all(path_);
  }

  RestoreFeed& feed() { return *feed_; }
  std::string read_all() {
    std::array<char, 4096> buffer{};
    const auto n = read(reader_.get(), buffer.data(), buffer.size());
    return n < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(n));
  }
  /// What poll(2) says when it is asked for bytes to read, as QEMU's main loop asks.
  short wakes() {
    pollfd waits{reader_.get(), POLLIN, 0};
    REQUIRE(poll(&waits, 1, no_wait) >= 0);
    return waits.revents;
  }

 private:
  std::filesystem::path path_;
  std::optional<RestoreFeed> feed_;
  UniqueFd reader_;
};

}  // namespace

TEST_CASE("a stream that ends before its first byte wakes QEMU with what is no stream", "[feed]") {
  Fed fed;
  fed.feed().write_header(bytes_of("libvirt's header"), {});
  CHECK(fed.read_all() == "libvirt's header");
  fed.feed().abandon();
  CHECK((fed.wakes() & POLLIN) != 0);
  const auto given = fed.read_all();
  CHECK(given.size() >= 4);
  CHECK(given.substr(0, 4) != "QEVM");
}

TEST_CASE("a stream that ends where it is gets no byte that is not its own", "[feed]") {
  Fed fed;
  fed.feed().write_header(bytes_of("libvirt's header"), {});
  fed.feed().write(bytes_of("QEVM and more"), {});
  fed.feed().abandon();
  fed.feed().abandon();
  CHECK(fed.read_all() == "libvirt's headerQEVM and more");
  CHECK(fed.wakes() == POLLHUP);
  CHECK(fed.read_all().empty());
}

TEST_CASE("the FIFO's name is gone with the stream's end, for nobody opens it twice", "[feed]") {
  Fed fed;
  fed.feed().abandon();
  struct stat found {};
  CHECK(stat(fed.feed().path().c_str(), &found) != 0);
}
