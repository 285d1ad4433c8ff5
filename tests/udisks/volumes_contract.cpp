#include "udisks/volumes_contract.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/fault.hpp"
#include "disk/capacity.hpp"

namespace satchel::tests {

namespace {

/// The remedy of the Fault that the task throws; none when it ends well.
template <class T>
std::optional<Remedy> refusal(boost::asio::io_context& loop, Task<T> task) {
  try {
    await(loop, std::move(task));
    return std::nullopt;
  } catch (const Fault& fault) {
    INFO(fault.what());
    CHECK(!fault.next_step().empty());
    return fault.remedy();
  }
}

}  // namespace

void check_volumes_contract(VolumeStage& stage) {
  auto& volumes = stage.volumes();
  auto& loop = stage.loop();
  std::vector<RemovalRequest> requests;
  volumes.listen([&](RemovalRequest request) { requests.push_back(std::move(request)); });

  INFO("an unknown node is none, and can be unmounted but not mounted");
  CHECK(!await(loop, volumes.find("/dev/satchel-nowhere")));
  CHECK(refusal(loop, volumes.mount("/dev/satchel-nowhere")) == Remedy::replug);
  CHECK(!refusal(loop, volumes.unmount("/dev/satchel-nowhere")));

  INFO("a volume is found and listed with what is on it");
  const auto node = stage.insert("SATCHEL-V");
  const auto found = await(loop, volumes.find(node));
  REQUIRE(found);
  CHECK(found->node == node);
  CHECK(found->size == mebibytes(32));
  CHECK(!found->read_only);
  const auto all = await(loop, volumes.all());
  CHECK(std::count_if(all.begin(), all.end(),
                      [&](const auto& each) { return each.node == node; }) == 1);

  INFO("mounting gives the mount point, mounting again the same one");
  const auto point = await(loop, volumes.mount(node));
  CHECK(std::filesystem::is_directory(point));
  CHECK(await(loop, volumes.mount(node)) == point);
  std::ofstream(point + "/kept") << "kept";

  INFO("a mounted volume is not formatted, and loses nothing");
  CHECK(refusal(loop, volumes.format(node, "ext4", "SATCHEL")) == Remedy::retry);
  CHECK(refusal(loop, volumes.open(node)) == Remedy::retry);
  CHECK(std::filesystem::exists(point + "/kept"));

  INFO("a busy volume is not unmounted, and our own attempt is not announced");
  stage.open_file(node, point);
  CHECK(refusal(loop, volumes.unmount(node)) == Remedy::retry);
  CHECK(requests.empty());

  INFO("what somebody else asks is announced");
  CHECK(!stage.ask_removal(node));
  REQUIRE(stage.reaches([&] { return !requests.empty(); }));
  CHECK(requests.front().node == node);
  CHECK(requests.front().operation == "filesystem-unmount");
  requests.clear();

  INFO("once let go of it can be unmounted, again and again");
  stage.close_file(node);
  CHECK(!refusal(loop, volumes.unmount(node)));
  CHECK(!refusal(loop, volumes.unmount(node)));
  CHECK(requests.empty());

  INFO("it can be mounted once more, and has kept what was on it");
  const auto again = await(loop, volumes.mount(node));
  CHECK(std::filesystem::exists(again + "/kept"));
  await(loop, volumes.unmount(node));

  INFO("its medium is as large as it says, keeps what is written to it, and is as it was");
  {
    const auto medium = await(loop, volumes.open(node));
    CHECK(static_cast<std::uint64_t>(::lseek(medium.get(), 0, SEEK_END)) ==
          await(loop, volumes.find(node))->size.value);
    CHECK_FALSE(disk::probe_capacity(medium.get(), node, {}, {}));
  }
  const auto after = await(loop, volumes.mount(node));
  CHECK(std::filesystem::exists(after + "/kept"));
  await(loop, volumes.unmount(node));

  INFO("this one has no port that could be switched off");
  CHECK(!await(loop, volumes.power_off(node)));

  INFO("formatting makes an empty filesystem with the label");
  REQUIRE(stage.reaches([&] { return await(loop, volumes.find(node))->mount_points.empty(); }));
  const auto uuid = await(loop, volumes.find(node))->fs_uuid;
  await(loop, volumes.format(node, "ext4", "SATCHEL-NEW"));
  REQUIRE(stage.reaches(
      [&] { return await(loop, volumes.find(node))->label == std::string("SATCHEL-NEW"); }));
  CHECK(await(loop, volumes.find(node))->fs_uuid != uuid);
  const auto fresh = await(loop, volumes.mount(node));
  CHECK(!std::filesystem::exists(fresh + "/kept"));
  await(loop, volumes.unmount(node));

  INFO("a read-only volume says so and is not formatted");
  const auto fixed = stage.insert_read_only("SATCHEL-RO");
  const auto seen = await(loop, volumes.find(fixed));
  REQUIRE(seen);
  CHECK(seen->read_only);
  CHECK(refusal(loop, volumes.format(fixed, "ext4", "SATCHEL")) == Remedy::other_device);
}

}  // namespace satchel::tests
