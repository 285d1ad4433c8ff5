// The three-way table, every cell of it: what was agreed, what the guest had, what both have now.
#include "sync/decide.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace satchel;
using namespace satchel::sync;

namespace {

// "" nothing, "a" a file with that content, "a?" one whose digest is not known, "@x" a link, "/"
// a directory, "!" something else.
std::optional<Version> version(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "/") return Version{Kind::directory, {}, Digest{}};
  if (text == "!") return Version{Kind::other, {}, {}};
  Version out{text[0] == '@' ? Kind::link : Kind::file, ByteCount(1), digest_of(text)};
  if (text.back() == '?') out.digest.reset();
  return out;
}

struct Row {
  std::string agreed, guest_before, guest, host;
  Verdict verdict;
};

}  // namespace

TEST_CASE("what becomes of a path follows from what was agreed and what both sides have now") {
  using enum Verdict;
  const Row rows[] = {
      // never seen before
      {"", "", "", "a", nothing},
      {"", "", "a", "", create},
      {"", "", "/", "", create},
      {"", "", "a", "a", agree},
      {"", "", "/", "/", agree},
      {"", "", "@x", "@x", agree},
      {"", "", "a", "b", conflict},
      {"", "", "a", "@a", conflict},
      {"", "", "a", "/", conflict},
      {"", "", "/", "a", conflict},
      {"", "", "a", "!", conflict},
      {"", "", "a?", "b", ask},
      {"", "", "a", "b?", ask},
      {"", "", "@x", "@y", conflict},
      // in the guest as it was
      {"a", "a", "a", "a", agree},
      {"a", "a", "a", "b", nothing},
      {"a", "a", "a", "b?", nothing},
      {"a", "a", "a", "", nothing},
      {"a", "a", "a", "/", nothing},
      {"/", "/", "/", "", nothing},
      {"/", "/", "/", "a", nothing},
      {"a", "a", "a", "!", nothing},
      // changed in the guest only
      {"a", "a", "b", "a", update},
      {"a", "a", "@x", "a", replace},
      {"a", "a", "/", "a", replace},
      {"/", "/", "a", "/", replace},
      {"@x", "@x", "@y", "@x", update},
      {"@x", "@x", "a", "@x", replace},
      {"a", "a", "a?", "a", ask},
      {"a", "a", "b", "a?", ask},
      // on both sides
      {"a", "a", "b", "b", agree},
      {"a", "a", "b", "c", conflict},
      {"a", "a", "b", "/", conflict},
      {"a", "a", "/", "c", conflict},
      {"a", "a", "/", "/", agree},
      {"/", "/", "a", "@x", conflict},
      {"a", "a", "b", "!", conflict},
      // deleted on the host
      {"a", "a", "b", "", bring_back},
      {"a", "a", "a?", "", ask},
      {"a", "a", "/", "", bring_back},
      // deleted in the guest
      {"a", "a", "", "a", trash},
      {"@x", "@x", "", "@x", trash},
      {"/", "/", "", "/", directory_gone},
      {"a", "a", "", "b", keep},
      {"a", "a", "", "a?", ask},
      {"a", "a", "", "/", keep},
      {"/", "/", "", "a", keep},
      {"a", "a", "", "!", keep},
      {"a", "a", "", "", forget},
      // after a conflict: the host's "a" is not the guest's "b", and nothing agreed on, or "o"
      {"", "b", "b", "a", nothing},
      {"o", "b", "b", "a", nothing},
      {"o", "b", "b", "b", agree},
      {"o", "b", "b", "a?", ask},
      {"o", "b", "c", "a", conflict},
      {"o", "b", "c", "o", update},
      {"o", "b", "c", "c", agree},
      {"o", "b", "", "a", keep},
      {"o", "b", "", "o", trash},
      {"", "b", "", "a", keep},
      {"", "b", "", "", forget},
      {"o", "b", "b", "", nothing},
      {"o", "b", "c", "", bring_back},
  };
  for (const Row& row : rows) {
    INFO("agreed '" << row.agreed << "', guest '" << row.guest_before << "' -> '" << row.guest
                    << "', host '" << row.host << "'");
    std::optional<Record> record;
    if (const auto before = version(row.guest_before))
      record = Record{{*before, {}, Trust::by_stamp}, std::nullopt, version(row.agreed)};
    const auto guest = version(row.guest);
    const auto host = version(row.host);
    CHECK(decide(record ? &*record : nullptr, guest ? &*guest : nullptr, host ? &*host : nullptr) ==
          row.verdict);
  }
}

TEST_CASE(
    "whatever the host has that both did not agree on is never replaced and never taken away") {
  const std::string all[] = {"", "a", "b", "c", "@x", "@y", "/"};
  for (const auto& agreed : all)
    for (const auto& before : all)
      for (const auto& now : all)
        for (const auto& there : all) {
          if (there.empty() || there == agreed) continue;
          const auto guest_before = version(before);
          std::optional<Record> record;
          if (guest_before)
            record = Record{{*guest_before, {}, Trust::by_stamp}, {}, version(agreed)};
          const auto guest = version(now);
          const auto host = version(there);
          const Verdict verdict =
              decide(record ? &*record : nullptr, guest ? &*guest : nullptr, &*host);
          INFO(agreed << "|" << before << "|" << now << "|" << there);
          REQUIRE(verdict != Verdict::update);
          REQUIRE(verdict != Verdict::replace);
          REQUIRE(verdict != Verdict::trash);
          REQUIRE(verdict != Verdict::directory_gone);
        }
}
