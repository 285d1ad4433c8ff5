// What the journal says of jobs and of who asked for them.
#include "runtime/messages.hpp"

#include <catch2/catch.hpp>

using namespace satchel;

namespace {

std::string field(const LogLine& line, std::string_view name) {
  for (const auto& [each, value] : line.fields)
    if (each == name) return value;
  return "none";
}

}  // namespace

TEST_CASE("what a job came to is one line, with numbers that programs find") {
  const CapsuleId id(Uuid::random());
  const auto line = outcome_line(id, "web",
                                 {"eject", "ejected to", Sequence(4), "/dev/sdb1", mebibytes(68),
                                  std::chrono::milliseconds(3059)});
  CHECK(line.level == LogLevel::info);
  CHECK(line.text == "web: ejected to /dev/sdb1, generation 4: 68.0 MiB in 3.05 s");
  CHECK(field(line, "SATCHEL_CAPSULE") == id.value.str());
  CHECK(field(line, "SATCHEL_OPERATION") == "eject");
  CHECK(field(line, "SATCHEL_GENERATION") == "4");
  CHECK(field(line, "SATCHEL_DEVICE") == "/dev/sdb1");
  CHECK(field(line, "SATCHEL_BYTES") == "71303168");
  CHECK(field(line, "SATCHEL_SECONDS") == "3.05");
}

TEST_CASE("a job of no capsule that failed is found by its kind") {
  const Fault fault(Remedy::free_space, {"pack", "web", "the device is full", "Use another one."});
  const auto line = job_failure_line("pack", std::nullopt, fault);
  CHECK(line.level == LogLevel::warning);
  CHECK(line.text == "could not pack web: the device is full. Use another one.");
  CHECK(line.message_id == failure_line(CapsuleId(Uuid::random()), "web", fault).message_id);
  CHECK(field(line, "SATCHEL_OPERATION") == "pack");
  CHECK(field(line, "SATCHEL_REMEDY") == "free-space");
  CHECK(field(line, "SATCHEL_CAPSULE") == "none");
}

TEST_CASE("who asked for something is said with what it is about") {
  const auto line = request_line(1000, {Action::manage, "remove the machine", "web", "/dev/sdb1"});
  CHECK(line.level == LogLevel::info);
  CHECK(line.text == "user 1000 asks to remove the machine: web, on /dev/sdb1");
  CHECK(field(line, "SATCHEL_USER") == "1000");
  CHECK(field(line, "SATCHEL_REQUEST") == "remove the machine");
  CHECK(request_line(0, {Action::manage, "format the device", {}, "/dev/sdb1"}).text ==
        "user 0 asks to format the device, on /dev/sdb1");
  const auto refused = refused_line(1001, {Action::eject, "eject the machine", "web", "/dev/sdb1"});
  CHECK(refused.text == "user 1001 may not eject the machine: web, on /dev/sdb1");
  CHECK(refused.message_id != line.message_id);
}

TEST_CASE("that a device may be pulled out is not said twice") {
  const auto line =
      notice_line(CapsuleId(Uuid::random()), "web", core::Notice::safe, core::State(core::Safe()));
  CHECK(line.text == "web: The device may be pulled out.");
}
