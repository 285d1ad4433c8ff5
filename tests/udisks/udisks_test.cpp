// UDisksVolumes against the real udisksd with loop devices: in the private world
// (tests/world/enter).
#include <fcntl.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>

#include "base/handle.hpp"
#include "udev/loop_stick.hpp"
#include "udisks/volumes.hpp"
#include "udisks/volumes_contract.hpp"

using namespace satchel;
using tests::LoopStick;
using tests::shell;

namespace {

class UDisksStage : public tests::VolumeStage {
 public:
  boost::asio::io_context& loop() override { return loop_; }
  Volumes& volumes() override { return volumes_; }
  // Without waiting for udevd or udisksd: that is what UDisksVolumes has to cope with.
  std::string insert(const std::string& label) override { return plug(label, ""); }
  std::string insert_read_only(const std::string& label) override {
    return plug(label, "--read-only");
  }
  void open_file(const std::string& node, const std::string& mount_point) override {
    open_[node] = UniqueFd(open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(open_[node]);
  }
  void close_file(const std::string& node) override { open_.erase(node); }
  bool ask_removal(const std::string& node) override {
    return std::system(
               ("udisksctl unmount --no-user-interaction -b " + node + " 2>/dev/null").c_str()) ==
           0;
  }
  bool reaches(std::function<bool()> condition) override {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(50));
    }
    return condition();
  }

 private:
  std::string plug(const std::string& label, const std::string& options) {
    auto stick = std::make_unique<LoopStick>(label);
    const auto node = stick->plug(options);
    sticks_[node] = std::move(stick);
    return node;
  }

  boost::asio::io_context loop_;
  Bus bus_{loop_.get_executor(), BusListener()};
  UDisksVolumes volumes_{bus_};
  std::map<std::string, std::unique_ptr<LoopStick>> sticks_;
  std::map<std::string, UniqueFd> open_;
};

}  // namespace

TEST_CASE("UDisks2 keeps the promises of Volumes") {
  UDisksStage stage;
  tests::check_volumes_contract(stage);
}

TEST_CASE("a device is mounted without programs, devices, set-user-ID files and links") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  const auto point = tests::await(stage.loop(), stage.volumes().mount(node));
  CHECK(point == "/media/SATCHEL");
  const auto options = shell("findmnt -n -o OPTIONS " + point);
  for (const char* option : {"nosuid", "nodev", "noexec", "nosymfollow"})
    CHECK(options.find(option) != std::string::npos);
  tests::await(stage.loop(), stage.volumes().unmount(node));
}

TEST_CASE("what somebody mounted with its devices and programs is mounted anew, unless in use") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  const auto options = [&] { return shell("findmnt -n -o OPTIONS " + node); };
  shell("udevadm settle; mkdir -p /media/theirs; mount " + node + " /media/theirs");
  REQUIRE(options().find("nodev") == std::string::npos);

  stage.open_file(node, "/media/theirs");
  try {
    tests::await(stage.loop(), stage.volumes().mount(node));
    FAIL("it was used as it was");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(std::string(fault.what()).find("/media/theirs") != std::string::npos);
  }
  stage.close_file(node);
  CHECK(tests::await(stage.loop(), stage.volumes().mount(node)) == "/media/SATCHEL");
  for (const char* option : {"nosuid", "nodev"}) CHECK(options().find(option) != std::string::npos);
  // What is closed stays as it is.
  stage.open_file(node, "/media/SATCHEL");
  CHECK(tests::await(stage.loop(), stage.volumes().mount(node)) == "/media/SATCHEL");
  stage.close_file(node);
  tests::await(stage.loop(), stage.volumes().unmount(node));
}

TEST_CASE("a device that is back under its node is mounted, whatever UDisks2 still shows there") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  REQUIRE(tests::await(stage.loop(), stage.volumes().find(node)));
  const auto uevent = "/sys/block/" + node.substr(std::string("/dev/").size()) + "/uevent";
  // Of so many some are asked for between the two announcements' ways through udevd and UDisks2.
  for (int i = 0; i < 30; ++i) {
    shell("echo remove > " + uevent + "; echo add > " + uevent);
    CHECK(tests::await(stage.loop(), stage.volumes().mount(node)) == "/media/SATCHEL");
    tests::await(stage.loop(), stage.volumes().unmount(node));
  }
}

TEST_CASE("a device without a filesystem is not mounted, and the reason says so") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  shell("udevadm settle; wipefs -qa " + node + "; udevadm settle");
  boost::asio::io_context loop;
  Bus bus(loop.get_executor(), BusListener());
  UDisksVolumes impatient(bus, std::chrono::milliseconds(500));
  try {
    tests::await(loop, impatient.mount(node));
    FAIL("it was mounted");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::other_device);
  }
}

TEST_CASE("a label that the filesystem can't hold destroys nothing") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  const auto before = tests::await(stage.loop(), stage.volumes().find(node));
  CHECK_THROWS_AS(
      tests::await(stage.loop(), stage.volumes().format(node, "vfat", "MUCH TOO LONG FOR THIS")),
      Fault);
  CHECK(tests::await(stage.loop(), stage.volumes().mount(node)) == "/media/SATCHEL");
  tests::await(stage.loop(), stage.volumes().unmount(node));
}

TEST_CASE("UDisks2 gone is a clear fault, and UDisks2 back is heard again") {
  UDisksStage stage;
  const auto node = stage.insert("SATCHEL");
  const auto point = tests::await(stage.loop(), stage.volumes().mount(node));
  int announced = 0;
  stage.volumes().listen([&](RemovalRequest) { ++announced; });

  shell("kill $(cat /proc/[0-9]*/stat | awk '$2 == \"(udisksd)\" {print $1}')");
  shell("until ! busctl --system status org.freedesktop.UDisks2 >/dev/null 2>&1; do :; done");
  try {
    tests::await(stage.loop(), stage.volumes().unmount(node));
    FAIL("it was unmounted");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::fix_config);
    CHECK(fault.next_step().find("udisks2") != std::string::npos);
  }

  shell("(setsid /usr/libexec/udisks2/udisksd >/dev/null 2>&1 </dev/null &)");
  shell(
      "busctl --system --timeout=20 wait org.freedesktop.UDisks2 2>/dev/null || "
      "until busctl --system status org.freedesktop.UDisks2 >/dev/null 2>&1; do :; done");
  stage.open_file(node, point);
  CHECK(tests::await(stage.loop(), stage.volumes().mount(node)) == point);
  CHECK(!stage.ask_removal(node));
  CHECK(stage.reaches([&] { return announced > 0; }));
  stage.close_file(node);
  tests::await(stage.loop(), stage.volumes().unmount(node));
}
