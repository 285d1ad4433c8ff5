#include "config/config.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace satchel;
using namespace std::chrono_literals;

namespace {

Mistakes mistakes_in(std::string_view yaml) {
  const auto parsed = parse_config(yaml, "satchel.yaml");
  REQUIRE_FALSE(parsed);
  return parsed.error();
}

}  // namespace

TEST_CASE("the file that is installed says the defaults") {
  const auto parsed = load_config(SATCHEL_SOURCE_DIR "/config/satchel.yaml");
  if (!parsed) FAIL(to_string(parsed.error()));
  CHECK(*parsed == Config{});
}

TEST_CASE("without a file, and with an empty one, the defaults hold") {
  const auto absent = load_config("/nowhere/satchel.yaml");
  REQUIRE(absent);
  CHECK(*absent == Config{});
  for (const auto* text : {"", "# nothing\n", "---\n", "eject:\nnetworks:\n  map:\n"}) {
    CAPTURE(text);
    const auto parsed = parse_config(text, "satchel.yaml");
    REQUIRE(parsed);
    CHECK(*parsed == Config{});
  }
}

TEST_CASE("a file that can't be read is a mistake, not the defaults") {
  const auto parsed = load_config("/proc/self/mem/satchel.yaml");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().front().where == "/proc/self/mem/satchel.yaml");
}

TEST_CASE("every key is read") {
  const auto parsed = parse_config(R"(host_name: anvil
on_insert: ask
libvirt: {uri: "qemu:///embed?root=/var/lib/satchel/e"}
networks:
  map: {office: bridged, lab: lab2}
  default: nat
  otherwise: link-down
display: {listen: "::1"}
device: {patience: 45s}
eject: {power_off: false, deadline: 90s}
space: {keep_free_host: 2GiB, keep_free_device: 0B}
check: {disks: all}
cache: {memory: 3MiB, disks: 5MiB, disks_of: everywhere}
compression: {level: 19, threads: 3}
log: {level: debug}
checkpoint: {every: 5min, size: 64MiB, rate: 0B}
merge: {layers: 2, size: 1GiB, rate: 4MiB, while_running: false}
fold: {cow_limit: 10%}
capsules:
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10: {cow_limit: 2GiB, home: true}
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a11:
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a12:
    sync:
      - {guest: /home/ann/Documents, to: /home/ann/Documents/, owner: nobody}
      - {guest: "C:/Users/Ann", to: /home/ann/Windows, owner: nobody, trash_days: 7}
    sync_on_return: true
)",
                                   "satchel.yaml");
  if (!parsed) FAIL(to_string(parsed.error()));
  CHECK(parsed->host_name == "anvil");
  CHECK(parsed->on_insert == OnInsert::ask);
  CHECK(parsed->libvirt.uri == "qemu:///embed?root=/var/lib/satchel/e");
  CHECK(parsed->networks.map.at("office") == "bridged");
  CHECK(parsed->networks.map.at("lab") == "lab2");
  CHECK(parsed->networks.fallback == "nat");
  CHECK(parsed->networks.otherwise == Otherwise::link_down);
  CHECK(parsed->display.listen == std::optional<std::string>("::1"));
  CHECK(parsed->eject.power_off == PowerOff::no);
  CHECK(parsed->device.patience == 45s);
  CHECK(parsed->eject.deadline == 90s);
  CHECK(parsed->space.keep_free_host == mebibytes(2048));
  CHECK(parsed->space.keep_free_device == ByteCount(0));
  CHECK(parsed->cache.memory == mebibytes(3));
  CHECK(parsed->cache.disks == mebibytes(5));
  CHECK(parsed->cache.disks_of == DisksKept::everywhere);
  CHECK(parsed->check.disks == DisksChecked::all);
  CHECK(parsed->compression.level == 19);
  CHECK(parsed->compression.threads == 3);
  CHECK(parsed->log.level == LogLevel::debug);
  CHECK(parsed->checkpoint ==
        Config::Checkpoint{std::chrono::minutes(5), mebibytes(64), ByteCount()});
  CHECK(parsed->merge == Config::Merge{2, mebibytes(1024), mebibytes(4), WhileRunning::no});
  CHECK(parsed->fold.cow_limit == CowLimit{CowLimit::Of::images, 10});
  const auto capsule = [&](const char* id) {
    return parsed->capsules.at(CapsuleId(*Uuid::parse(id)));
  };
  CHECK(parsed->capsules.size() == 3);
  const auto& synced = capsule("7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a12");
  const std::vector<SyncRule> rules{{"/home/ann/Documents", "/home/ann/Documents", "nobody", 30},
                                    {"C:/Users/Ann", "/home/ann/Windows", "nobody", 7}};
  CHECK(synced.sync == rules);
  CHECK(synced.on_return == OnReturn::sync);
  CHECK(
      capsule("7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10") ==
      CapsuleSettings{CowLimit{CowLimit::Of::bytes, 2ULL << 30}, Home::yes, {}, OnReturn::nothing});
  CHECK(capsule("7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a11") == CapsuleSettings{});
}

TEST_CASE("a capsule's settings are told apart by its UUID, and their mistakes have their places") {
  const auto found = mistakes_in(R"(fold: {cow_limit: 101%}
capsules:
  traveller:
    home: true
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10:
    cow_limit: much
    home: perhaps
    colour: red
)");
  const Mistakes expected = {
      {"satchel.yaml, line 1, column 19",
       "fold.cow_limit must be a share as in 25%, up to 100%, or a size as in 2GiB, not \"101%\""},
      {"satchel.yaml, line 3, column 3", "a key of capsules must be a capsule's UUID"},
      {"satchel.yaml, line 6, column 16",
       "capsules.7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10.cow_limit must be a share as in 25%, up to "
       "100%, or a size as in 2GiB, not \"much\""},
      {"satchel.yaml, line 7, column 11",
       "capsules.7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10.home must be true or false, not \"perhaps\""},
      {"satchel.yaml, line 8, column 5",
       "unknown key capsules.7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10.colour"},
  };
  CHECK(found == expected);
}

TEST_CASE("a sync's mistakes have their places: paths, owners, and targets that overlap") {
  const auto found = mistakes_in(R"(capsules:
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a10:
    sync:
      - guest: Documents
        to: ../ann
        owner: root
      - {guest: /a, to: /srv/a, owner: no-such-user-here, trash_days: 0}
    sync_on_return: often
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a11:
    sync:
      - {guest: /a, to: /srv/a/b, owner: nobody}
      - {guest: /a, colour: red}
  7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a12: {sync: all}
)");
  const std::vector<std::string> places = {
      "line 4, column 16", "line 5, column 13",  "line 6, column 16",  "line 7, column 40",
      "line 7, column 71", "line 8, column 21",  "line 11, column 25", "line 12, column 9",
      "line 12, column 9", "line 12, column 21", "line 13, column 48"};
  REQUIRE(found.size() == places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    INFO(found[i].where << ": " << found[i].what);
    CHECK(found[i].where == "satchel.yaml, " + places[i]);
  }
  CHECK(found[6].what.find("another rule's 'to'") != std::string::npos);
  CHECK(found[7].what == "capsules.7d0a6f0c-58b4-4d3c-9c0e-1f3c5b6f2a11.sync[2].to is missing");
}

TEST_CASE("all mistakes are told at once, each with its line and column") {
  const auto found = mistakes_in(R"(on_insert: maybe
colour: red
compression:
  level: 20
  threads: many
  size: 3
space:
  keep_free_host: 5GB
)");
  const Mistakes expected = {
      {"satchel.yaml, line 1, column 12", "on_insert must be resume or ask, not \"maybe\""},
      {"satchel.yaml, line 8, column 19",
       "space.keep_free_host must be a size as in 512MiB, not \"5GB\""},
      {"satchel.yaml, line 4, column 10",
       "compression.level must be a whole number from 1 to 19, not \"20\""},
      {"satchel.yaml, line 5, column 12",
       "compression.threads must be a whole number from 0 to 256, not \"many\""},
      {"satchel.yaml, line 6, column 3", "unknown key compression.size"},
      {"satchel.yaml, line 2, column 1", "unknown key colour"},
  };
  CHECK(found.size() == expected.size());
  for (const auto& each : expected) {
    CAPTURE(each.where, each.what);
    CHECK(std::find(found.begin(), found.end(), each) != found.end());
  }
}

TEST_CASE("mistakes are told from the top of the file to its end") {
  const auto found = mistakes_in("space: 1\non_insert: 2\nlog: {level: 3}\n");
  REQUIRE(found.size() == 3);
  CHECK(found[0].where == "satchel.yaml, line 1, column 8");
  CHECK(found[1].where == "satchel.yaml, line 2, column 12");
  CHECK(found[2].where == "satchel.yaml, line 3, column 14");
}

TEST_CASE("a key given twice, a second document and a list for a section are mistakes") {
  CHECK(mistakes_in("on_insert: ask\non_insert: resume\n").front().what ==
        "on_insert is given twice");
  CHECK(mistakes_in("on_insert: ask\n---\non_insert: ask\n").front().what ==
        "there must be one document only");
  CHECK(mistakes_in("eject: [1, 2]\n").front().what == "eject must have keys and values");
  CHECK(mistakes_in("- a\n").front().what == "the text must have keys and values");
}

TEST_CASE("what isn't YAML is told with its place") {
  const auto found = mistakes_in("on_insert: [ask\n");
  REQUIRE(found.size() == 1);
  CHECK(found.front().where.find("satchel.yaml, line ") == 0);
  CHECK(found.front().what.find("this is not YAML: ") == 0);
}

TEST_CASE("a text that contains itself, or unfolds into very much, is refused") {
  CHECK_FALSE(parse_config("a: &x {b: *x}\n", "x"));
  std::string bomb = "a0: &a0 {k: v}\n";
  for (int i = 1; i < 12; ++i) {
    const auto below = "*a" + std::to_string(i - 1);
    const auto name = "a" + std::to_string(i);
    bomb += name + ": &" + name + " {a: " + below + " , b: " + below + " , c: " + below + " }\n";
  }
  CHECK_FALSE(parse_config(bomb, "x"));
}

TEST_CASE("libvirt is this computer's own and never another one's") {
  for (const auto* uri : {"qemu+ssh://elsewhere/system", "xen:///", "qemu:///embed?root=relative",
                          "qemu:///embed", ""}) {
    CAPTURE(uri);
    CHECK_FALSE(parse_config("libvirt: {uri: \"" + std::string(uri) + "\"}", "x"));
  }
}

TEST_CASE("a value in a list, an address that is none and a name with a slash are refused") {
  CHECK_FALSE(parse_config("display: {listen: localhost}", "x"));
  CHECK_FALSE(parse_config("host_name: a/b", "x"));
  CHECK_FALSE(parse_config("host_name: [a]", "x"));
  CHECK_FALSE(parse_config("networks: {map: {a: [b]}}", "x"));
  CHECK_FALSE(parse_config("eject: {deadline: 5s}", "x"));
}
