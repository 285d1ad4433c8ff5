#include "udev/plugs_contract.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace satchel::tests {

Plugs::Listener Heard::listener() {
  return Plugs::Listener{[this](Plug plug) {
                           ++presences;
                           present[plug.node] = std::move(plug);
                         },
                         [this](std::string node) {
                           present.erase(node);
                           absent.push_back(std::move(node));
                         }};
}

void check_plugs_contract(PlugStage& stage) {
  Heard heard;
  const std::string before = stage.insert("SATCHEL-A");
  stage.plugs().start(heard.listener());

  INFO("a device that was there before is told when start returns");
  REQUIRE(heard.present.count(before) == 1);
  CHECK(heard.present[before].label == "SATCHEL-A");
  CHECK(heard.present[before].sysfs.rfind("/sys/", 0) == 0);

  INFO("a device that comes later is told");
  const std::string later = stage.insert("SATCHEL-B");
  REQUIRE(stage.reaches([&] { return heard.present.count(later) == 1; }));
  CHECK(heard.present[later].label == "SATCHEL-B");
  CHECK(heard.present[later].fs_type == "ext4");

  INFO("a repeated announcement changes nothing");
  const Plug as_told = heard.present[later];
  const int presences = heard.presences;
  stage.announce_again(later);
  REQUIRE(stage.reaches([&] { return heard.presences > presences; }));
  CHECK(heard.present.size() == 2);
  CHECK(heard.present[later].disk_sequence == as_told.disk_sequence);
  CHECK(heard.absent.empty());

  INFO("a device that goes is told as absent, the other one stays");
  stage.remove(later);
  REQUIRE(stage.reaches([&] { return heard.present.count(later) == 0; }));
  CHECK(heard.present.count(before) == 1);
  CHECK(std::count(heard.absent.begin(), heard.absent.end(), later) >= 1);

  INFO("a new insertion has a higher disk sequence");
  const std::string again = stage.insert("SATCHEL-B");
  REQUIRE(stage.reaches([&] { return heard.present.count(again) == 1; }));
  CHECK(heard.present[again].disk_sequence > as_told.disk_sequence);
  stage.remove(again);
  stage.remove(before);
  REQUIRE(stage.reaches([&] { return heard.present.empty(); }));
}

}  // namespace satchel::tests
