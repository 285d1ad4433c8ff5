#include "base/fault.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

namespace satchel::test {

TEST_CASE("what a system call says leads to what somebody can do about it") {
  const auto remedy = [](int error) { return fault_from_errno(error, "write", "a").remedy(); };
  CHECK(remedy(ENOSPC) == Remedy::free_space);
  CHECK(remedy(EDQUOT) == Remedy::free_space);
  CHECK(remedy(EIO) == Remedy::replug);
  CHECK(remedy(ENODEV) == Remedy::replug);
  CHECK(remedy(EACCES) == Remedy::ask_admin);
  CHECK(remedy(EFBIG) == Remedy::other_device);
  CHECK(remedy(EBADF) == Remedy::report_bug);
}

TEST_CASE("of a filesystem that is read-only it is told how it may be writable again") {
  const auto fault = fault_from_errno(EROFS, "make", "heads/4.json");
  CHECK(fault.remedy() == Remedy::other_device);
  CHECK(fault.what() == std::string("could not make heads/4.json: Read-only file system"));
  CHECK_THAT(fault.next_step(),
             Catch::Contains("repair it") && Catch::Contains("plug it in again"));
}

TEST_CASE("what came from outside is one line of text, and no longer than a line may be") {
  const Fault fault(Remedy::retry, {"start", "it", "QEMU says:\n\xff<evil>\x1b[31m", {}});
  CHECK(fault.what() == std::string("could not start it: QEMU says: \\xff<evil>\\x1b[31m"));
  std::string many;
  for (int i = 0; i < 1000000; ++i) many += "é";
  const Fault cut(Remedy::fix_request, {"trust", "x" + many, {}, {}});
  const std::string said = cut.what();
  CHECK(said.size() < 5000);
  CHECK(said.ends_with("é…"));
  // Said again, it is the same.
  CHECK(Fault(Remedy::retry, fault.text()).what() == std::string(fault.what()));
}

}  // namespace satchel::test
