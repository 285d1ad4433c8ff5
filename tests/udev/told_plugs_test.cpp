#include "udev/told_plugs.hpp"

#include <catch2/catch.hpp>

#include "fakes/fake_plugs.hpp"
#include "udev/plugs_contract.hpp"

using namespace satchel;
using satchel::tests::Heard;
using Tag = ToldPlugs::News::Tag;

namespace {

ToldPlugs::News news(std::string action, std::string node, std::uint64_t sequence, Tag tag) {
  ToldPlugs::News out;
  out.action = std::move(action);
  out.plug.node = std::move(node);
  out.plug.sysfs = "/sys/devices" + out.plug.node;
  out.plug.disk_sequence = sequence;
  out.tag = tag;
  return out;
}

struct Told {
  Heard heard;
  ToldPlugs plugs;
  Told() { plugs.set_listener(heard.listener()); }
};

}  // namespace

TEST_CASE("a change that takes the label away is told as absent") {
  Told told;
  told.plugs.hear(news("change", "/dev/loop0", 3, Tag::ours));
  told.plugs.hear(news("change", "/dev/loop0", 4, Tag::not_ours));
  CHECK(told.heard.present.empty());
  CHECK(told.heard.absent == std::vector<std::string>{"/dev/loop0"});
}

TEST_CASE("a device that never was ours is never told") {
  Told told;
  told.plugs.hear(news("add", "/dev/sda1", 1, Tag::not_ours));
  told.plugs.hear(news("change", "/dev/sda1", 1, Tag::not_ours));
  told.plugs.hear(news("remove", "/dev/sda1", 1, Tag::not_ours));
  CHECK(told.heard.presences == 0);
  CHECK(told.heard.absent.empty());
}

TEST_CASE("a remove counts whatever udev still says of the tag") {
  Told told;
  told.plugs.hear(news("add", "/dev/sdb1", 5, Tag::ours));
  told.plugs.hear(news("remove", "/dev/sdb1", 5, Tag::ours));
  CHECK(told.heard.present.empty());
}

TEST_CASE("queued news of an earlier insertion do not undo what was enumerated") {
  Told told;
  told.plugs.hear_all({news("", "/dev/sdb1", 7, Tag::ours)});
  told.plugs.hear(news("add", "/dev/sdb1", 5, Tag::ours));
  told.plugs.hear(news("remove", "/dev/sdb1", 5, Tag::not_ours));
  CHECK(told.heard.present.at("/dev/sdb1").disk_sequence == 7);
  CHECK(told.heard.presences == 1);
}

TEST_CASE("a device whose sequence is not known can always go") {
  Told told;
  told.plugs.hear(news("add", "/dev/sdb1", 7, Tag::ours));
  told.plugs.hear(news("remove", "/dev/sdb1", 0, Tag::not_ours));
  CHECK(told.heard.present.empty());
}

TEST_CASE("an enumeration after lost events tells what has gone, come and stayed") {
  Told told;
  told.plugs.hear(news("add", "/dev/sdb1", 1, Tag::ours));
  told.plugs.hear(news("add", "/dev/sdc1", 2, Tag::ours));
  told.plugs.hear_all({news("", "/dev/sdc1", 2, Tag::ours), news("", "/dev/sdd1", 3, Tag::ours),
                       news("", "/dev/sda1", 0, Tag::not_ours)});
  CHECK(told.heard.absent == std::vector<std::string>{"/dev/sdb1"});
  CHECK(told.heard.present.count("/dev/sdc1") == 1);
  CHECK(told.heard.present.count("/dev/sdd1") == 1);
  CHECK(told.heard.present.count("/dev/sda1") == 0);
}

TEST_CASE("an enumeration that sees a device without its label tells it as absent") {
  Told told;
  told.plugs.hear(news("change", "/dev/loop0", 1, Tag::ours));
  told.plugs.hear_all({news("", "/dev/loop0", 2, Tag::not_ours)});
  CHECK(told.heard.absent == std::vector<std::string>{"/dev/loop0"});
}

TEST_CASE("a move under a new node ends the old one") {
  Told told;
  told.plugs.hear(news("add", "/dev/sdb1", 1, Tag::ours));
  auto moved = news("move", "/dev/sdc1", 1, Tag::ours);
  moved.sysfs_before = "/sys/devices/dev/sdb1";
  told.plugs.hear(std::move(moved));
  CHECK(told.heard.absent == std::vector<std::string>{"/dev/sdb1"});
  CHECK(told.heard.present.count("/dev/sdc1") == 1);
}

namespace {

class FakeStage : public tests::PlugStage {
 public:
  Plugs& plugs() override { return plugs_; }
  std::string insert(const std::string& label) override {
    Plug plug;
    plug.node = "/dev/fake" + label;
    plug.label = label;
    plug.fs_type = "ext4";
    plugs_.plug(plug);
    return plug.node;
  }
  void remove(const std::string& node) override { plugs_.unplug(node); }
  void announce_again(const std::string& node) override { plugs_.announce_again(node); }
  bool reaches(std::function<bool()> condition) override { return condition(); }

 private:
  fakes::FakePlugs plugs_;
};

}  // namespace

TEST_CASE("the fake keeps the promises of Plugs") {
  FakeStage stage;
  tests::check_plugs_contract(stage);
}
