#include "base/host_fault.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "base/told_of.hpp"

namespace satchel {

TEST_CASE("a disk of this computer that fails sends nobody to plug a device in again") {
  const auto device = fault_from_errno(EIO, "write", "slots/0");
  CHECK(device.remedy() == Remedy::replug);
  const auto host = host_fault_from_errno(EIO, "write", "/srv/machine/vda.qcow2");
  CHECK(host.remedy() == Remedy::other_device);
  CHECK(host.next_step().find("lug the device") == std::string::npos);
  CHECK(host.next_step().find("this computer") != std::string::npos);
  CHECK(std::string(host.what()) == "could not write /srv/machine/vda.qcow2: Input/output error");
}

TEST_CASE("a disk of this computer that is full is told as any other") {
  const auto full = host_fault_from_errno(ENOSPC, "write", "journal.new");
  CHECK(full.remedy() == Remedy::free_space);
  CHECK(full.next_step() == fault_from_errno(ENOSPC, "write", "journal.new").next_step());
}

TEST_CASE("a failure is told of what people know it by") {
  const Fault inner(Remedy::free_space,
                    Fault::Text{"make", "/proc/7/fd/9", "no room", "Make some."});
  try {
    told_of("vda/cow.qcow2", [&] { throw inner; });
    FAIL("it was not thrown on");
  } catch (const Fault& fault) {
    CHECK(std::string(fault.what()) == "could not make vda/cow.qcow2: no room");
    CHECK(fault.remedy() == Remedy::free_space);
    CHECK(fault.next_step() == "Make some.");
  }
  CHECK(told_of("nothing", [] { return 7; }) == 7);
}

}  // namespace satchel
