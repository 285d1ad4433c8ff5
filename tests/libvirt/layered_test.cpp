// Merges of a real guest's layers, and what they leave in the files.
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
#include "layers.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

Subject subject() {
  auto& world = EmbeddedWorld::instance();
  return {world, world.hypervisor, world.events, world.directory.path()};
}

void is_sound(const LayeredGuest& layered) {
  for (const auto* name : {"image", "cow", "layer-2", "layer-3", "overlay"})
    disk::check({layered.file(name), "qcow2"});
}

}  // namespace

TEST_CASE("a real guest's merged layers are in the file below, and the overlay can be shipped") {
  auto& world = EmbeddedWorld::instance();
  LayeredGuest layered(subject());
  // Into the COW file, or everything into the image at once: a fold.
  const std::string base = GENERATE(as<std::string>{}, "cow", "image");
  const auto before = layered.content("layer-3");
  REQUIRE(layered.content(base) != before);
  layered.start();
  world.run(layered.merging(layered.commit(base, "layer-3")));
  CHECK(layered.content(base) == before);
  CHECK(layered.content("layer-3") == before);
  world.run(world.hypervisor.destroy(layered.guest().id));
  is_sound(layered);
  const UniqueFd overlay(::open(layered.file("overlay").c_str(), O_RDWR | O_CLOEXEC));
  CHECK(disk::read_qcow2(overlay.get())->backing_name != base + ".qcow2");
  disk::set_backing(overlay.get(), base + ".qcow2");
  CHECK(disk::check_qcow2(overlay.get(), {base + ".qcow2", mebibytes(16)}).empty());
}

TEST_CASE("a real guest's second merge is refused with what to do, and works after a restore") {
  auto& world = EmbeddedWorld::instance();
  auto& hypervisor = world.hypervisor;
  LayeredGuest layered(subject());
  const auto id = layered.guest().id;
  const auto before = layered.content("layer-3");
  layered.start();
  std::stop_source stop;
  auto slow = layered.commit("cow", "layer-3");
  slow.bytes_per_second = 64 << 10;
  auto merging = world.begin(layered.merging(slow, stop.get_token()));
  REQUIRE(world.until([&] { return layered.looks() > 0 || Loop::done(merging); }));
  stop.request_stop();
  CHECK_THROWS_WITH(world.finish(std::move(merging)), Catch::Contains("it was stopped"));
  try {
    world.run(layered.merging(layered.commit("cow", "layer-3")));
    WARN("QEMU has learnt to merge twice");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.next_step().find("ejected") != std::string::npos);
  }
  CHECK(layered.content("layer-3") == before);
  const auto image = world.path("layered.save");
  world.run(hypervisor.save(id, image));
  is_sound(layered);
  layered.lend();
  world.run(hypervisor.restore(id, image, {}));
  if (layered.chain() != "overlay cow image")
    world.run(layered.merging(layered.commit("cow", "layer-3")));
  CHECK(layered.content("cow") == before);
  world.run(hypervisor.destroy(id));
  is_sound(layered);
}

TEST_CASE("a merge of which nothing comes is stopped, and its chain stays") {
  auto& world = EmbeddedWorld::instance();
  auto& hypervisor = world.hypervisor;
  LayeredGuest layered(subject());
  const auto id = layered.guest().id;
  layered.start();
  auto slow = layered.commit("cow", "layer-3");
  slow.bytes_per_second = 64 << 10;  // a chunk of it takes seconds
  const auto usual = hypervisor.longest_stall;
  hypervisor.longest_stall = std::chrono::milliseconds(500);
  CHECK_THROWS_WITH(world.run(layered.merging(slow)), Catch::Contains("came no further"));
  hypervisor.longest_stall = usual;
  CHECK(layered.chain() == "overlay layer-3 layer-2 cow image");
  CHECK(world.run(hypervisor.find(id))->state == GuestState::running);
  world.run(hypervisor.destroy(id));
  is_sound(layered);
}
