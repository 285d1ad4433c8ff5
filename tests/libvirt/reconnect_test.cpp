#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fault.hpp"
#include "contract.hpp"

using namespace satchel;
using namespace satchel::test;

TEST_CASE("a libvirt that is not there is a fault that says so, and is told once") {
  Loop loop;
  TemporaryDirectory directory;
  // A test driver's configuration that does not exist yet stands in for a daemon that is not up.
  const auto config = directory.path() + "/node.xml";
  LibvirtHypervisor hypervisor("test://" + config, loop.io.get_executor(), loop.lanes);
  std::vector<bool> changes;
  hypervisor.listen_connection([&](bool up) { changes.push_back(up); });
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(loop.run(hypervisor.domains()), Fault);
  CHECK(loop.until([&] { return changes == std::vector<bool>{false}; }));
  write_whole(config, "<node><cpu><mhz>1000</mhz></cpu></node>");
  CHECK(loop.until([&] { return changes == std::vector<bool>{false, true}; }));
  CHECK(loop.run(hypervisor.domains()).empty());
}
