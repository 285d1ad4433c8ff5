// What the import tests share: an exported machine, and an empty device to import it onto.
#pragma once

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "async/process.hpp"
#include "runtime/host_world.hpp"

namespace satchel::test {

namespace fs = std::filesystem;

inline std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write(const fs::path& file, const std::string& text) {
  fs::remove(file);
  std::ofstream(file, std::ios::binary) << text;
}

inline std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

inline void qemu_img(std::vector<std::string> arguments) {
  ProcessRun run;
  run.arguments = std::move(arguments);
  run.arguments.insert(run.arguments.begin(), "qemu-img");
  const auto end = run_process(run);
  INFO(end.errors << end.output);
  REQUIRE(end.exit_status == 0);
}

inline constexpr auto second = "/dev/fake2";

/// An export of a machine that has counted to two, in `set`; an empty device beside its own.
struct ImportWorld : HostWorld {
  DomainId guest;
  fs::path set = scratch.path() / "set";

  ImportWorld() {
    anvil.start();
    anvil.plug();
    guest = anvil.machine("traveller");
    anvil.run_machine(guest);
    const auto capsule = anvil.pack("traveller");
    anvil.hypervisor.tick(guest);
    anvil.hypervisor.tick(guest);
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    export_it(capsule, set);
    anvil.plug(second, "0000-0002");
  }
  ~ImportWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

  void export_it(CapsuleId capsule, const fs::path& to) {
    fs::create_directory(to);
    ExportRequest request;
    request.capsule = capsule;
    request.directory = opened(to);
    request.path = to.string();
    REQUIRE(anvil.result([&] { return anvil.host().export_to(std::move(request)); }) == "done");
  }
  static UniqueFd opened(const fs::path& directory) {
    return UniqueFd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ImportRequest request() {
    ImportRequest out;
    out.directory = opened(set);
    out.path = set.string();
    for (const auto& each : anvil.host().view().devices)
      if (each.node == second) out.device = each.number;
    return out;
  }
  std::string import_it(ImportRequest what) {
    return anvil.result([&] { return anvil.host().import_from(std::move(what)); });
  }
  /// The one capsule on the second device.
  CapsuleId imported() const {
    for (const auto& each : fs::directory_iterator(device(second) / "satchel"))
      if (each.is_directory()) return CapsuleId(*Uuid::parse(each.path().filename().string()));
    FAIL("there is no capsule");
    return {};
  }
  format::Head imported_head() const {
    const UniqueFd root(::open(device(second).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto seen = format::CapsuleDirectory::open(root.get(), imported()).examine();
    REQUIRE(seen.newest);
    return seen.newest->head;
  }
  bool second_is_empty() const {
    const auto capsules = device(second) / "satchel";
    if (!fs::exists(capsules)) return true;
    for (const auto& each : fs::directory_iterator(capsules))
      if (each.is_directory()) return false;
    return true;
  }
};

}  // namespace satchel::test
