#include <catch2/catch.hpp>
#include <random>

#include "machine/fixtures.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

std::string desktop_json() { return write_json(reading_of("kvm-desktop").machine); }

std::string complaint(const std::string& json) {
  const auto machine = read_json(json);
  return machine ? "" : to_string(machine.error());
}

}  // namespace

TEST_CASE("a description comes back from JSON as it was") {
  for (const char* name : {"q35-efi-everything", "pc-everything", "kvm-desktop"}) {
    const Description machine = reading_of(name).machine;
    const auto again = read_json(write_json(machine));
    REQUIRE(again);
    CHECK(*again == machine);
    CHECK(write_json(*again) == write_json(machine));
  }
}

TEST_CASE("JSON with anything that is not a description is refused, and where is said") {
  const std::string json = desktop_json();
  const auto with = [&](const char* what, const char* instead) {
    return complaint(replaced(json, what, instead));
  };
  CHECK(with(R"("vcpus":4)", R"("vcpus":4,"emulator":"/bin/sh")") ==
        "/emulator: is not known here");
  CHECK(with(R"("vcpus":4)", R"("vcpus":4,"vcpus":5)") == "has a member twice in one object");
  CHECK(with(R"("vcpus":4)", R"("vcpus":-4)").starts_with("/vcpus: must be a whole number"));
  CHECK(with(R"("vcpus":4)", R"("vcpus":4.5)").starts_with("/vcpus: "));
  CHECK(with(R"("vcpus":4)", R"("vcpus":"4")").starts_with("/vcpus: "));
  CHECK(with(R"("vcpus":4)", R"("vcpus":99999999)").starts_with("/vcpus: "));
  CHECK(with(R"("version":1)", R"("version":2)").find("another version") != std::string::npos);
  CHECK(with(R"("accelerator":"kvm")", R"("accelerator":"xen")").starts_with("/accelerator: "));
  CHECK(with(R"("name":"desktop")", R"("name":"x'/><emulator>")").starts_with("/name: "));
  CHECK(with(R"("name":"desktop")", R"("name":"")").starts_with("/name: "));
  CHECK(with(R"("ua-root")", R"("ua-root,file=/etc/shadow")")
            .starts_with("/devices/disks/0/place/alias"));
  CHECK(with(R"("model":"none")", R"("model":"vfio")").starts_with("/devices/balloons/0/model: "));
  CHECK(with(R"("acpi":true)", R"("acpi":1)").starts_with("/features/acpi: "));
  CHECK(with(R"("target":"vdb")", R"("target":"vda")") == "disk vda: stands twice");
}

TEST_CASE("all mistakes in JSON are reported at once") {
  std::string json = replaced(desktop_json(), R"("vcpus":4)", R"("vcpus":0)");
  json = replaced(json, R"("acpi":true)", R"("acpi":null)");
  json = replaced(json, R"("mode":"custom")", R"("mode":"any")");
  const auto machine = read_json(json);
  REQUIRE_FALSE(machine);
  CHECK(machine.error().size() == 3);
}

TEST_CASE("JSON that is too deep, too long or no JSON is refused") {
  CHECK(complaint("") == "is not JSON");
  CHECK(complaint("[]") != "");
  CHECK(complaint("null") != "");
  CHECK(complaint(std::string(100000, '[')) != "");
  CHECK(complaint(std::string(100, '[') + std::string(100, ']')) != "");
  CHECK(complaint(R"({"a":)" + std::string(50, '[') + std::string(50, ']') + "}")
            .find("too deeply") != std::string::npos);
  CHECK(complaint(std::string(2 << 20, ' ')) == "is longer than 1 MiB");
}

TEST_CASE("no damaged JSON crashes the reader, and what it accepts is canonical") {
  const std::string seeds[] = {desktop_json(), write_json(reading_of("pc-everything").machine)};
  std::mt19937 random(20240607);
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string json = seeds[round % 2];
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % json.size();
      switch (random() % 4) {
        case 0:
          json[at] = static_cast<char>(random());
          break;
        case 1:
          json.erase(at, 1 + random() % 20);
          break;
        case 2:
          json.insert(at, json.substr(random() % json.size(), 1 + random() % 30));
          break;
        case 3:
          json[at] = "{}[]\",:0e-.\\\0"[random() % 13];
          break;
      }
      if (json.empty()) json = "{}";
    }
    const auto machine = read_json(json);
    if (!machine) {
      CHECK_FALSE(machine.error().empty());
      continue;
    }
    ++accepted;
    const auto again = read_json(write_json(*machine));
    REQUIRE(again);
    CHECK(*again == *machine);
  }
  CHECK(accepted > 0);
}

TEST_CASE("no damaged domain XML crashes the reader") {
  const std::string seed = domain_text("kvm-desktop");
  std::mt19937 random(7);
  for (int round = 0; round < 1500; ++round) {
    std::string xml = seed;
    for (unsigned edits = 1 + random() % 5; edits > 0; --edits) {
      const std::size_t at = random() % xml.size();
      if (random() % 2 == 0) {
        xml[at] = static_cast<char>(random());
      } else {
        xml.insert(at, xml.substr(random() % xml.size(), 1 + random() % 200));
      }
    }
    const auto reading = read_domain(xml);
    if (reading) {
      const auto again = read_json(write_json(reading->machine));
      REQUIRE(again);
      CHECK(*again == reading->machine);
    }
  }
}
