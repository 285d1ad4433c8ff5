#include "names.hpp"

#include <catch2/catch.hpp>

#include "exit_code.hpp"

using namespace satchel;
using namespace satchel::cli;

namespace {

CapsuleView capsule(const std::string& name, const std::string& uuid) {
  CapsuleView out;
  out.name = name;
  out.id = CapsuleId(*Uuid::parse(uuid));
  return out;
}

DeviceView device(std::uint32_t number, const std::string& node, const std::string& label) {
  DeviceView out;
  out.number = DeviceNumber(number);
  out.node = node;
  out.label = label;
  out.mount_point = "/media/" + label;
  return out;
}

HostView host() {
  HostView out;
  out.capsules = {capsule("debian", "11111111-0000-4000-8000-000000000000"),
                  capsule("debian-test", "12222222-0000-4000-8000-000000000000"),
                  capsule("office", "33333333-0000-4000-8000-000000000000")};
  out.devices = {device(1, "/dev/sdb1", "SATCHEL"), device(4, "/dev/sdc1", "SATCHEL-2")};
  return out;
}

ExitCode refusal(const std::function<void()>& lookup) {
  try {
    lookup();
    return ExitCode::done;
  } catch (const Refusal& refused) {
    CHECK(!refused.next().empty());
    return refused.code();
  }
}

}  // namespace

TEST_CASE("a capsule is found by name, UUID and a beginning that only one has") {
  const auto all = host();
  CHECK(find_capsule(all, "office").name == "office");
  CHECK(find_capsule(all, "off").name == "office");
  CHECK(find_capsule(all, "33333333-0000-4000-8000-000000000000").name == "office");
  CHECK(find_capsule(all, "12").name == "debian-test");
}

TEST_CASE("an exact name wins over longer ones that begin with it") {
  CHECK(find_capsule(host(), "debian").name == "debian");
}

TEST_CASE("an ambiguous word is refused with the candidates") {
  const auto all = host();
  try {
    find_capsule(all, "deb");
    FAIL("one was chosen");
  } catch (const Refusal& refused) {
    CHECK(refused.code() == ExitCode::choice_needed);
    CHECK(refused.reason().find("debian-test") != std::string::npos);
  }
}

TEST_CASE("an unknown or empty word is not found") {
  const auto all = host();
  CHECK(refusal([&] { find_capsule(all, "windows"); }) == ExitCode::not_found);
  CHECK(refusal([&] { find_capsule(all, ""); }) == ExitCode::not_found);
  CHECK(refusal([&] { find_device(all, "/dev/sdz"); }) == ExitCode::not_found);
}

TEST_CASE("a device is found by node, label, mount point and number") {
  const auto all = host();
  for (const char* word : {"/dev/sdc1", "sdc1", "SATCHEL-2", "/media/SATCHEL-2", "4"})
    CHECK(find_device(all, word).node == "/dev/sdc1");
}

TEST_CASE("a word for both a capsule and a device is refused") {
  auto all = host();
  all.capsules.push_back(capsule("SATCHEL", "44444444-0000-4000-8000-000000000000"));
  CHECK(refusal([&] { find_target(all, "SATCHEL"); }) == ExitCode::choice_needed);
  CHECK(std::holds_alternative<CapsuleView>(find_target(all, "office")));
  CHECK(std::holds_alternative<DeviceView>(find_target(all, "sdb1")));
}

TEST_CASE("what keeps all of the service from working is said in place of what is not known") {
  HostView waiting;
  waiting.detail = "libvirt does not answer.";
  const auto said = [&](const std::function<void()>& lookup) {
    try {
      lookup();
    } catch (const Refusal& refusal) {
      return refusal.reason();
    }
    return std::string();
  };
  CHECK(said([&] { find_capsule(waiting, "debian"); }) == waiting.detail);
  CHECK(said([&] { find_device(waiting, "sdb1"); }) == waiting.detail);
  CHECK(said([&] { find_target(waiting, "debian"); }) == waiting.detail);
  CHECK(said([&] { only_device(waiting); }) == waiting.detail);
}

TEST_CASE("the only device is meant when none is named") {
  auto all = host();
  CHECK(refusal([&] { only_device(all); }) == ExitCode::choice_needed);
  all.devices.pop_back();
  CHECK(only_device(all).node == "/dev/sdb1");
  all.devices.clear();
  CHECK(refusal([&] { only_device(all); }) == ExitCode::not_found);
}
