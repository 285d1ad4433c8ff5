#include "format/head.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "base/fault.hpp"
#include "format/sample.hpp"
#include "format/text.hpp"

using namespace satchel;
using namespace satchel::format;
using Json = nlohmann::json;

namespace {

bool complains_about(const Mistakes& mistakes, const std::string& where) {
  for (const auto& each : mistakes)
    if (each.where == where) return true;
  return false;
}

// Changes a good head's JSON and signs it again, as a stranger with a key of his own could.
std::string altered(const std::function<void(Json&)>& change) {
  Json json = Json::parse(write_head(rich_head(), host_key()));
  change(json);
  json.erase("signature");
  const std::string message = "satchel-head-v1\n" + json.dump();
  json["signature"] = host_key().sign(bytes_of(message)).hex();
  return json.dump();
}

void refuses(const std::string& bytes, const std::string& where) {
  const auto read = read_head(bytes);
  REQUIRE_FALSE(read);
  INFO(to_string(read.error()));
  CHECK(complains_about(read.error(), where));
}

}  // namespace

TEST_CASE("a head reads back as it was written") {
  const Head head = rich_head();
  const std::string bytes = write_head(head, host_key());
  const auto read = read_head(bytes);
  REQUIRE(read);
  CHECK(read->head == head);
  CHECK(read->signer == host_key().public_key());
  CHECK(read->digest == digest_of(bytes));
  CHECK(write_head(read->head, host_key()) == bytes);

  const Head bare = next_head(CapsuleId(Uuid::random()), std::nullopt);
  const auto read_bare = read_head(write_head(bare, host_key()));
  REQUIRE(read_bare);
  CHECK(read_bare->head == bare);
}

TEST_CASE("every truncation of a head is refused") {
  const std::string bytes = write_head(rich_head(), host_key());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    if (read_head(std::string_view(bytes).substr(0, n))) FAIL("cut to " << n);
}

TEST_CASE("every flipped bit of a head is refused") {
  const std::string bytes =
      write_head(next_head(CapsuleId(Uuid::random()), std::nullopt), host_key());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string bent = bytes;
    bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ (1 << (bit % 8)));
    if (read_head(bent)) FAIL("bit " << bit);
  }
}

TEST_CASE("random mutations of a head never get through and never crash") {
  std::mt19937 random(20260101);
  const std::string bytes = write_head(rich_head(), host_key());
  static constexpr std::string_view pieces[] = {
      "{",       "}",       "[",    "]",  ",",
      ":",       "null",    "\"",   "-1", "1e9",
      "\\u0000", "\xff",    "true", "\\", "999999999999999999999",
      " ",       "\xc0\x80"};
  for (int round = 0; round < 1000; ++round) {
    std::string bent = bytes;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      const std::size_t at = random() % bent.size();
      switch (random() % 4) {
        case 0:
          bent.erase(at, 1 + random() % 40);
          break;
        case 1:
          bent.insert(at, pieces[random() % std::size(pieces)]);
          break;
        case 2:
          bent.insert(at, bent.substr(random() % bent.size(), random() % 200));
          break;
        default:
          bent[at] = static_cast<char>(random());
      }
      if (bent.empty()) bent = "x";
    }
    if (bent != bytes && read_head(bent)) FAIL(bent);
    version_of(bent);
  }
}

TEST_CASE("random changes of a head's values, signed again, never crash") {
  std::mt19937 random(7);
  const std::vector<Json> values = {nullptr,
                                    0,
                                    -1,
                                    1,
                                    UINT64_MAX,
                                    "",
                                    "x",
                                    "../x",
                                    true,
                                    Json::array(),
                                    Json::object(),
                                    "vda/a/b",
                                    std::string(300, 'n')};
  for (int round = 0; round < 150; ++round) {
    const std::string bytes = altered([&](Json& json) {
      Json flat = json.flatten();
      auto at = flat.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random() % flat.size()));
      json[Json::json_pointer(at.key())] = values[random() % values.size()];
    });
    const auto read = read_head(bytes);
    if (read) CHECK(check(read->head).empty());
  }
}

TEST_CASE("a head in any form but the canonical one is refused") {
  const std::string bytes = write_head(rich_head(), host_key());
  const Json json = Json::parse(bytes);
  CHECK_FALSE(read_head(json.dump(1)));
  CHECK_FALSE(read_head(json.dump(-1, ' ', true)));
  CHECK_FALSE(read_head(bytes + "\n"));
  CHECK_FALSE(read_head(" " + bytes));
  CHECK_FALSE(read_head("\xef\xbb\xbf" + bytes));
  std::string escaped = bytes;
  escaped.replace(escaped.find("a machine") == std::string::npos ? escaped.find("laptop")
                                                                 : escaped.find("a machine"),
                  1, "\\u006c");
  CHECK_FALSE(read_head(escaped));
}

TEST_CASE("JSON that the format does not allow is refused whatever it says") {
  CHECK_FALSE(read_head(""));
  CHECK_FALSE(read_head("null"));
  CHECK_FALSE(read_head("[]"));
  CHECK_FALSE(read_head(R"({"version":1,"version":1})"));
  CHECK_FALSE(read_head(R"({"version":1.0})"));
  CHECK_FALSE(read_head(std::string(1 << 20, '[')));
  CHECK_FALSE(read_head(std::string(largest_head + 1, ' ')));
  CHECK_FALSE(read_head(R"({"a":"NUL)" + std::string(1, '\0') + R"("})"));
  std::string many = "[0";
  for (int i = 0; i < (1 << 17); ++i) many += ",0";
  CHECK_FALSE(read_head(many + "]"));
}

TEST_CASE("a head signed by another key, or not by its generation's host, is refused") {
  refuses(altered([](Json& json) { json["signer"] = host_key("b").public_key().hex(); }),
          "/signer");
  CHECK_THROWS_AS(write_head(rich_head(), host_key("b")), Fault);
  Json json = Json::parse(write_head(rich_head(), host_key()));
  json["name"] = "another";
  refuses(json.dump(), "/signature");
}

TEST_CASE("a head of a later version is told from a damaged one") {
  const std::string bytes = altered([](Json& json) {
    json["version"] = 3;
    json["news"] = true;
  });
  const auto read = read_head(bytes);
  REQUIRE_FALSE(read);
  REQUIRE(read.error().size() == 1);
  CHECK(read.error()[0].where == "version");
  CHECK(version_of(bytes) == 3);
  CHECK_FALSE(version_of("{"));
}

TEST_CASE("a head with segments is of version 2, one without of version 1") {
  auto head = rich_head();
  CHECK(version_of(write_head(head, host_key())) == 1);
  const std::string earlier = "memory/5.pages";
  head.objects.insert(head.objects.begin(), {earlier, ByteCount(7), digest_of(earlier)});
  head.hibernation->segments = {earlier};
  const auto bytes = write_head(head, host_key());
  CHECK(version_of(bytes) == 2);
  const auto read = read_head(bytes);
  REQUIRE(read);
  CHECK(read->head == head);

  const auto changed = [&](auto change) {
    Json json = Json::parse(bytes);
    change(json);
    return json.dump();
  };
  refuses(changed([](Json& json) { json["version"] = 1; }), "/hibernation/segments");
  refuses(changed([](Json& json) { json["hibernation"].erase("segments"); }),
          "/hibernation/segments");
  refuses(changed([](Json& json) { json["hibernation"]["segments"] = {1}; }),
          "/hibernation/segments/0");
  refuses(changed([](Json& json) { json["hibernation"]["segments"] = Json::array(); }),
          "/objects/0/path");
  refuses(changed([](Json& json) { json["hibernation"]["segments"] = {"memory/4.pages"}; }),
          "/hibernation/segments/0");
  refuses(changed([](Json& json) { json["hibernation"] = nullptr; }), "/version");
  refuses(changed([](Json& json) {
            json["hibernation"]["segments"] = std::vector<std::string>(65, "memory/5.pages");
          }),
          "/hibernation/segments");
  // Every generation's own pages are no segment of an earlier one.
  refuses(changed([](Json& json) { json["hibernation"]["segments"] = {"memory/7.pages"}; }),
          "/hibernation/segments/0");
}

TEST_CASE("each member of a head is checked, and all mistakes are told at once") {
  refuses(altered([](Json& json) { json["epoch"] = 0; }), "/epoch");
  refuses(altered([](Json& json) { json["epoch"] = 4294967296; }), "/epoch");
  refuses(altered([](Json& json) { json["extra"] = 1; }), "/extra");
  refuses(altered([](Json& json) { json.erase("name"); }), "/name");
  refuses(altered([](Json& json) { json["name"] = "two\nlines"; }), "/name");
  refuses(altered([](Json& json) { json["name"] = "turned\u202e"; }), "/name");
  refuses(altered([](Json& json) { json["name"] = std::string(256, 'n'); }), "/name");
  refuses(altered([](Json& json) { json["machine"] = "text"; }), "/machine");
  refuses(altered([](Json& json) { json["generation"]["parent"] = nullptr; }),
          "/generation/parent");
  refuses(altered([](Json& json) { json["generation"]["seq"] = 9007199254740992; }),
          "/generation/seq");
  refuses(altered([](Json& json) { json["generation"]["id"] = "ABC"; }), "/generation/id");
  refuses(altered([](Json& json) { json["capsule"] = Uuid().str(); }), "/capsule");
  refuses(altered([](Json& json) { json["disks"][0]["target"] = "slots"; }), "/disks/0/target");
  refuses(altered([](Json& json) { json["disks"][0]["target"] = "vdb"; }), "/disks/0/chain/0");
  refuses(altered([](Json& json) { json["disks"][0]["chain"] = Json::array(); }), "/disks/0/chain");
  refuses(altered([](Json& json) { json["disks"][0]["chain"][2] = "vda/cow.qcow2"; }),
          "/disks/0/chain/2");
  refuses(
      altered([](Json& json) { json["disks"] = Json(std::vector<Json>(65, json["disks"][0])); }),
      "/disks");
  refuses(altered([](Json& json) { json["objects"] = Json(std::vector<Json>(4097)); }), "/objects");
  refuses(altered([](Json& json) { json["history"] = Json(std::vector<Json>(33)); }), "/history");
  refuses(altered([](Json& json) { std::swap(json["objects"][0], json["objects"][1]); }),
          "/objects");
  refuses(altered([](Json& json) { std::swap(json["history"][0], json["history"][1]); }),
          "/history/1/generation/seq");
  refuses(altered([](Json& json) { json["nvram"] = nullptr; }), "/objects/2/path");
  refuses(altered([](Json& json) { json["nvram"] = "state/8.nvram"; }), "/nvram");
  refuses(altered([](Json& json) { json["hibernation"]["codec"] = "Zstd"; }), "/hibernation/codec");
  refuses(altered([](Json& json) { json["hibernation"]["was_paused"] = 1; }),
          "/hibernation/was_paused");
  refuses(altered([](Json& json) { json["objects"][0]["digest"] = std::string(64, 'F'); }),
          "/objects/0/digest");
  const auto read = read_head(altered([](Json& json) {
    json["epoch"] = "x";
    json["generation"].erase("host");
    json["objects"][1]["size"] = -1;
  }));
  REQUIRE_FALSE(read);
  CHECK(complains_about(read.error(), "/epoch"));
  CHECK(complains_about(read.error(), "/generation/host"));
  CHECK(complains_about(read.error(), "/objects/1/size"));
}

TEST_CASE("paths that lead out, hide, or clash on FAT are refused") {
  for (const char* path : {"", "/vda/x", "vda/../x", "../x", "vda/x/y", "vda//x", ".x", "vda/.x",
                           "vda/x.", "vda/", "slots/0", "Heads/1.json", "log", "vda/ä", "vda/a b"})
    refuses(altered([&](Json& json) {
              json["objects"][0]["path"] = path;
              json["hibernation"]["map"] = path;
            }),
            "/objects/0/path");
  refuses(altered([&](Json& json) {
            json["objects"][1]["path"] = "memory/7.MAP";
            json["hibernation"]["pages"] = "memory/7.MAP";
          }),
          "/objects/1/path");
}

TEST_CASE("a head with a mistake is not written") {
  Head head = rich_head();
  head.machine_json = "[]";
  CHECK_THROWS_AS(write_head(head, host_key()), Fault);
  head.machine_json = R"({"a":1.5})";
  CHECK_THROWS_AS(write_head(head, host_key()), Fault);
  head.machine_json = R"({"a":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]})";
  CHECK_THROWS_AS(write_head(head, host_key()), Fault);
  head = rich_head();
  head.name = "bad \xff";
  CHECK_THROWS_AS(write_head(head, host_key()), Fault);
}

TEST_CASE("what merges change in place stands where the files above can hide it") {
  auto head = rich_head();
  const auto with = [&](std::vector<std::string> chain, std::uint32_t epoch) {
    auto changed = head;
    changed.epoch = epoch;
    auto& disk = changed.disks[0];
    for (std::size_t i = 0; i < chain.size(); ++i)
      for (auto& object : changed.objects)
        if (object.path == disk.chain[i]) object.path = chain[i];
    disk.chain = std::move(chain);
    std::sort(changed.objects.begin(), changed.objects.end(),
              [](const Object& a, const Object& b) { return a.path < b.path; });
    return check(changed);
  };
  const std::string image = "vda/image.qcow2";
  const std::string layer = "vda/layer-7.qcow2";
  CHECK(with({image, "vda/cow.qcow2", layer}, 1).empty());
  CHECK(with({image, "vda/cow.qcow2", layer}, 4).empty());
  CHECK(with({image, "vda/cow-4.qcow2", layer}, 4).empty());
  CHECK(complains_about(with({image, "vda/cow-5.qcow2", layer}, 4), "/disks/0/chain/1"));
  CHECK(complains_about(with({image, layer, "vda/cow-4.qcow2"}, 4), "/disks/0/chain/2"));
  CHECK(complains_about(with({layer, image, "vda/x.qcow2"}, 4), "/disks/0/chain/1"));
}

TEST_CASE("COW files have the names of their epochs") {
  CHECK(cow_path("vda", 1) == "vda/cow.qcow2");
  CHECK(cow_path("vda", 12) == "vda/cow-12.qcow2");
  CHECK(epoch_of_cow("vda/cow.qcow2") == 1U);
  CHECK(epoch_of_cow("vda/cow-12.qcow2") == 12U);
  for (const auto* other :
       {"vda/cow-1.qcow2", "vda/cow-02.qcow2", "vda/cow-.qcow2", "cow.qcow2", "vda/cow-2x.qcow2",
        "vda/layer-2.qcow2", "vda/cow-99999999999999999999.qcow2"}) {
    CAPTURE(other);
    CHECK_FALSE(epoch_of_cow(other));
    CHECK_FALSE(is_merged_in_place(other));
  }
}
