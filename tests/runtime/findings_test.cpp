#include "runtime/findings.hpp"

#include <catch2/catch.hpp>

using namespace satchel;
using Catch::Contains;
using Verdict = Finding::Verdict;

TEST_CASE("what AppArmor refused is counted, and the last of it told") {
  CHECK(apparmor_finding("").verdict == Verdict::good);
  CHECK(apparmor_finding("audit: type=1400 apparmor=\"STATUS\" profile=\"libvirt-1\"\n").verdict ==
        Verdict::good);
  const auto finding = apparmor_finding(
      "audit: type=1400 audit(1.2:4): apparmor=\"DENIED\" operation=\"open\" class=\"file\" "
      "profile=\"libvirt-b\" name=\"/dev/sg0\" pid=7 comm=\"qemu-system-x86\"\n"
      "audit: type=1400 audit(1.2:3): apparmor=\"DENIED\" operation=\"mknod\" "
      "profile=\"libvirt-a\"");
  CHECK(finding.verdict == Verdict::warning);
  CHECK_THAT(finding.found, Contains("2 accesses") && Contains("open of /dev/sg0 by libvirt-b."));
  CHECK_THAT(finding.remedy, Contains("/etc/apparmor.d/local"));
}

TEST_CASE("a clock is wrong when it is before what was already written") {
  constexpr std::uint64_t second = 1'000'000;
  const UnixMicros now(1'700'000'000 * second);
  const UnixMicros made(now.value - 86400 * second);
  HostView view;
  CHECK(clock_finding(now, view, made).verdict == Verdict::good);
  view.capsules.emplace_back();
  auto& capsule = view.capsules.back();
  capsule.name = "traveller";
  capsule.last_host = "desk";
  capsule.last_time = UnixMicros(now.value + 9 * 60 * second);
  CHECK(clock_finding(now, view, made).verdict == Verdict::good);
  capsule.last_time = UnixMicros(now.value + 86400 * second);
  const auto finding = clock_finding(now, view, made);
  CHECK(finding.verdict == Verdict::warning);
  CHECK(finding.found ==
        "This computer's clock says 2023-11-14 22:13 UTC, but traveller was written at 2023-11-15 "
        "22:13 UTC by desk.");
  CHECK_FALSE(finding.remedy.empty());
  view.capsules.clear();
  const UnixMicros later(now.value + 86400 * second);
  CHECK(clock_finding(now, view, later).found ==
        "This computer's clock says 2023-11-14 22:13 UTC, but satcheld itself was made at "
        "2023-11-15 22:13 UTC.");
}
