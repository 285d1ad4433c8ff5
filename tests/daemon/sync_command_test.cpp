#include "sync_command.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "async/process.hpp"
#include "disk/files.hpp"

using namespace satchel;

TEST_CASE("without systemd the worker is simply run") {
  const std::vector<std::string> expected{"/x/satchel-sync"};
  CHECK(sync_command(Init::other, "/x/satchel-sync", "ann", {"/home/ann"}) == expected);
}

TEST_CASE("with systemd it is a unit of the owner's that systemd understands") {
  const auto command =
      sync_command(Init::systemd, "/bin/true", "games", {"/no/such \"folder\" 5%", "/tmp"});
  REQUIRE(command.front() == "systemd-run");
  CHECK(command.back() == "/bin/true");
  std::string unit = "[Service]\nExecStart=/bin/true\n";
  const std::string property = "--property=";
  for (const auto& word : command)
    if (word.starts_with(property)) unit += word.substr(property.size()) + "\n";
  CHECK(unit.find("User=games\n") != unit.npos);
  CHECK(unit.find("CapabilityBoundingSet=\n") != unit.npos);
  CHECK(unit.find("ReadWritePaths=\"-/tmp\"\n") != unit.npos);
  // Where it will be made is what has to be writable.
  CHECK(unit.find("ReadWritePaths=\"-/no\"\n") != unit.npos);
  const Files files;
  std::ofstream(files.path("satchel-try.service")) << unit;
  ProcessRun run;
  run.arguments = {"systemd-analyze", "verify", files.path("satchel-try.service")};
  const auto end = run_process(run);
  INFO(unit << end.errors);
  CHECK(end.errors.find("satchel-try") == end.errors.npos);
  CHECK(end.exit_status == 0);
}
