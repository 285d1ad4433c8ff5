#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "contract.hpp"

using namespace satchel;
using namespace satchel::test;

TEST_CASE("libvirt's test driver keeps the contract as far as it goes") {
  Loop loop;
  TemporaryDirectory directory;
  std::vector<GuestEvent> events;
  LibvirtHypervisor hypervisor("test:///default", loop.io.get_executor(), loop.lanes);
  hypervisor.listen([&](GuestEvent event) { events.push_back(std::move(event)); });
  const Subject subject{loop, hypervisor, events, directory.path(), "test"};
  SECTION("definitions") { a_definition_is_kept_until_it_is_removed(subject); }
  SECTION("life") { a_guest_starts_pauses_resumes_and_ends(subject); }
  SECTION("refusals") { what_makes_no_sense_is_refused(subject); }
  SECTION("its own machine") {
    const auto described = loop.run(hypervisor.describe("test"));
    REQUIRE(described);
    CHECK(described->entry.state == GuestState::running);
    CHECK_FALSE(described->live.empty());
    // Its domains have no agent.
    CHECK_FALSE(loop.run(hypervisor.set_guest_time(described->entry.id)));
  }
}
