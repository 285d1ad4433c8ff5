// libudev over umockdev's made-up sysfs: needs umockdev-wrapper, no rights.
#include <umockdev.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "udev/plugs.hpp"
#include "udev/plugs_contract.hpp"

using namespace satchel;

namespace {

struct UnrefTestbed {
  void operator()(UMockdevTestbed* testbed) const { g_object_unref(testbed); }
};

class UmockdevStage : public tests::PlugStage {
 public:
  Plugs& plugs() override { return plugs_; }

  std::string insert(const std::string& label) override {
    const std::string name = "sd" + std::string(1, static_cast<char>('b' + count_++));
    const std::string sequence = std::to_string(++sequence_);
    const char* attributes[] = {"dev", "8:16", nullptr};
    const char* properties[] = {"DEVNAME",          nullptr, "DEVTYPE",    "disk",
                                "ID_FS_LABEL",      nullptr, "ID_FS_TYPE", "ext4",
                                "SATCHEL_DEVICE",   "1",     "DISKSEQ",    nullptr,
                                "USEC_INITIALIZED", "1",     nullptr,      nullptr};
    const std::string node = "/dev/" + name;
    properties[1] = node.c_str();
    properties[5] = label.c_str();
    properties[11] = sequence.c_str();
    gchar* path = umockdev_testbed_add_devicev(testbed_.get(), "block", name.c_str(), nullptr,
                                               const_cast<gchar**>(attributes),
                                               const_cast<gchar**>(properties));
    REQUIRE(path != nullptr);
    paths_[node] = path;
    g_free(path);
    umockdev_testbed_uevent(testbed_.get(), paths_[node].c_str(), "add");
    return node;
  }
  void remove(const std::string& node) override {
    umockdev_testbed_uevent(testbed_.get(), paths_[node].c_str(), "remove");
    umockdev_testbed_remove_device(testbed_.get(), paths_[node].c_str());
  }
  void announce_again(const std::string& node) override { uevent(node, "change"); }
  void uevent(const std::string& node, const char* action) {
    umockdev_testbed_uevent(testbed_.get(), paths_[node].c_str(), action);
  }
  void set(const std::string& node, const char* key, const char* value) {
    umockdev_testbed_set_property(testbed_.get(), paths_[node].c_str(), key, value);
  }
  bool reaches(std::function<bool()> condition) override {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_until(deadline);
    }
    return condition();
  }

 private:
  std::unique_ptr<UMockdevTestbed, UnrefTestbed> testbed_{umockdev_testbed_new()};
  boost::asio::io_context loop_;
  UdevPlugs plugs_{loop_.get_executor()};
  std::map<std::string, std::string> paths_;
  int count_ = 0;
  int sequence_ = 0;
};

}  // namespace

TEST_CASE("libudev keeps the promises of Plugs") {
  UmockdevStage stage;
  tests::check_plugs_contract(stage);
}

TEST_CASE("a card taken out of its reader is told as absent") {
  UmockdevStage stage;
  tests::Heard heard;
  stage.plugs().start(heard.listener());
  const auto node = stage.insert("SATCHEL");
  REQUIRE(stage.reaches([&] { return heard.present.count(node) == 1; }));
  stage.set(node, "SATCHEL_DEVICE", "");
  stage.uevent(node, "change");
  CHECK(stage.reaches([&] { return heard.present.empty(); }));
}

TEST_CASE("a label is told as it is on the device, not as udev writes it for rules") {
  UmockdevStage stage;
  tests::Heard heard;
  stage.plugs().start(heard.listener());
  const auto node = stage.insert("SATCHEL_2");
  const auto told = [&](const char* encoded, const std::string& label) {
    stage.set(node, "ID_FS_LABEL_ENC", encoded);
    stage.uevent(node, "change");
    return stage.reaches([&] { return heard.present[node].label == label; });
  };
  CHECK(told("SATCHEL\\x202", "SATCHEL 2"));
  CHECK(told("SATCHEL\\x5c\\x41", "SATCHEL\\A"));
  CHECK(told("SATCHEL\\x1b[2J\\x2", "SATCHEL\\x1b[2J\\x2"));
}

TEST_CASE("a bind event leaves a device as it is") {
  UmockdevStage stage;
  tests::Heard heard;
  stage.plugs().start(heard.listener());
  const auto node = stage.insert("SATCHEL");
  REQUIRE(stage.reaches([&] { return heard.present.count(node) == 1; }));
  const int before = heard.presences;
  stage.uevent(node, "bind");
  REQUIRE(stage.reaches([&] { return heard.presences > before; }));
  CHECK(heard.absent.empty());
}
