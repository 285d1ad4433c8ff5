// A machine of anvil's that is at home there, with copies of its disks.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "runtime/running_world.hpp"

namespace satchel::test {

/// Packed on anvil, where it is at home and runs. What is kept of its disks is whole.
struct KeptWorld : RunningWorld {
  explicit KeptWorld(const std::function<void(HostWorld&)>& adjust = [](HostWorld&) {})
      : RunningWorld(1, adjust) {
    REQUIRE(anvil.until([&] { return keeps(anvil); }));
  }
  std::filesystem::path kept_in(TestHost& host) const {
    return host.session_directory(capsule).parent_path().parent_path() / "disks" /
           capsule.value.str();
  }
  bool keeps(TestHost& host) const { return std::filesystem::exists(kept_in(host) / "head.json"); }
  GenerationId kept_generation(TestHost& host) const {
    std::ifstream file(kept_in(host) / "head.json", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto head = format::read_head(bytes);
    REQUIRE(head);
    return head->head.generation.id;
  }
  std::vector<std::filesystem::path> copies() {
    std::vector<std::filesystem::path> out;
    for (const auto& each : std::filesystem::directory_iterator(kept_in(anvil)))
      if (each.path().extension() == ".qcow2") out.push_back(each.path());
    return out;
  }
  void strand() {
    anvil.pull();
    REQUIRE(
        anvil.until([&] { return anvil.detail(capsule).find("is saved") != std::string::npos; }));
    anvil.wait_for_jobs();
  }
  std::string launch(TestHost& host, LaunchRequest::Device device) {
    LaunchRequest request;
    request.capsule = capsule;
    request.device = device;
    return host.result([&] { return host.host().launch(request); });
  }
  std::string go_on_without_device() { return launch(anvil, LaunchRequest::Device::without); }
  void check_that_bellows_has(std::uint64_t counted) {
    CHECK(eject() == "done");
    anvil.pull();
    CHECK(anvil.until([&] { return !anvil.has_session(capsule); }));
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    REQUIRE(launch(bellows, LaunchRequest::Device::needed) == "done");
    CHECK(bellows.counter(guest) == counted);
  }
};

inline void flip_last_byte(const std::filesystem::path& file) {
  std::fstream change(file, std::ios::in | std::ios::out | std::ios::binary);
  change.seekp(-1, std::ios::end);
  const auto byte = static_cast<char>(change.peek());
  change.seekp(-1, std::ios::end);
  change.put(static_cast<char>(~byte));
}

}  // namespace satchel::test
