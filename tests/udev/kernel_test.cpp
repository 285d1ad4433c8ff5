// UdevPlugs against the kernel's events and a real udevd with our rule: loop devices in the private
// world (tests/world/enter).
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "udev/loop_stick.hpp"
#include "udev/plugs.hpp"
#include "udev/plugs_contract.hpp"

using namespace satchel;
using tests::LoopStick;

namespace {

class KernelStage : public tests::PlugStage {
 public:
  explicit KernelStage(ByteCount receive_buffer = mebibytes(16), UniqueFd socket = UniqueFd())
      : plugs_(loop_.get_executor(), receive_buffer, std::move(socket)) {}

  Plugs& plugs() override { return plugs_; }
  std::string insert(const std::string& label) override {
    auto stick = std::make_unique<LoopStick>(label);
    const std::string node = stick->plug();
    sticks_[node] = std::move(stick);
    tests::shell("udevadm settle --timeout=20");
    return node;
  }
  void remove(const std::string& node) override {
    sticks_.at(node)->unplug();
    sticks_.erase(node);
  }
  void announce_again(const std::string& node) override { tests::announce_change(node); }
  bool reaches(std::function<bool()> condition) override {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_until(deadline);
    }
    return condition();
  }

 private:
  boost::asio::io_context loop_;
  UdevPlugs plugs_;
  std::map<std::string, std::unique_ptr<LoopStick>> sticks_;
};

/// What systemd makes of satcheld-udev.socket.
UniqueFd udev_socket() {
  UniqueFd out(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 2;
  REQUIRE(::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const int on = 1;
  REQUIRE(::setsockopt(out.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  return out;
}

/// This thread in a network namespace of its own, until the end.
class OwnNetwork {
 public:
  OwnNetwork() : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    REQUIRE(before_);
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
  }
  ~OwnNetwork() { ::setns(before_.get(), CLONE_NEWNET); }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

 private:
  UniqueFd before_;
};

}  // namespace

TEST_CASE("the kernel and udevd keep the promises of Plugs") {
  KernelStage stage;
  tests::check_plugs_contract(stage);
}

TEST_CASE("a socket handed over brings udev's events into another network namespace") {
  UniqueFd socket = udev_socket();
  OwnNetwork network;
  KernelStage stage(mebibytes(16), std::move(socket));
  tests::check_plugs_contract(stage);
}

TEST_CASE("a device with another label is not told") {
  KernelStage stage;
  tests::Heard heard;
  stage.plugs().start(heard.listener());
  const auto theirs = stage.insert("HOLIDAYS");
  const auto ours = stage.insert("satchel-2");
  REQUIRE(stage.reaches([&] { return heard.present.count(ours) == 1; }));
  CHECK(heard.present.count(theirs) == 0);
}

TEST_CASE("a device that gets another label is told as absent") {
  KernelStage stage;
  tests::Heard heard;
  stage.plugs().start(heard.listener());
  const auto node = stage.insert("SATCHEL");
  REQUIRE(stage.reaches([&] { return heard.present.count(node) == 1; }));
  tests::shell("tune2fs -L HOLIDAYS " + node);
  CHECK(stage.reaches([&] { return heard.present.empty(); }));
}

TEST_CASE("events that were lost for want of room are made up for") {
  KernelStage stage(ByteCount(1));
  tests::Heard heard;
  const auto going = stage.insert("SATCHEL-A");
  const auto staying = stage.insert("SATCHEL-B");
  stage.plugs().start(heard.listener());
  REQUIRE(heard.present.size() == 2);

  // Nobody reads meanwhile, so all but the first few of these are dropped by the kernel.
  for (int i = 0; i < 60; ++i) {
    tests::announce_change(staying);
    if (i % 10 == 0) tests::shell("udevadm settle --timeout=20");
  }
  stage.remove(going);
  const auto coming = stage.insert("SATCHEL-C");
  tests::shell("udevadm settle --timeout=20");

  // The kernel may well give the new one the old one's node.
  REQUIRE(stage.reaches([&] { return heard.present[coming].label == "SATCHEL-C"; }));
  CHECK(heard.presences < 60);
  CHECK(heard.present.count(staying) == 1);
  if (coming != going) CHECK(heard.absent == std::vector<std::string>{going});
}
