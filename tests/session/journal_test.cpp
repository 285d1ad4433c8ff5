#include <algorithm>
#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "session/samples.hpp"
#include "session/session.hpp"

using namespace satchel;

namespace {

std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void check_mistake(const std::string& text, const std::string& where, const std::string& what) {
  const auto read = read_journal(text);
  REQUIRE_FALSE(read);
  CAPTURE(to_string(read.error()));
  const auto& all = read.error();
  CHECK(std::find(all.begin(), all.end(), Mistake{where, what}) != all.end());
}

}  // namespace

TEST_CASE("a journal reads back as it was written, with and without what is optional") {
  auto full = samples::session();
  CHECK(read_journal(write_journal(full)) == Result<Session>(full));
  auto bare = full;
  bare.checkpointed.reset();
  bare.checkpoint.reset();
  bare.on_copies = false;
  bare.committing.reset();
  bare.written.reset();
  bare.original_definition.reset();
  bare.nvram.reset();
  bare.save_image.reset();
  bare.disks.clear();
  CHECK(read_journal(write_journal(bare)) == Result<Session>(bare));
}

TEST_CASE("every phase has a word of its own") {
  for (const auto phase : {Phase::packing, Phase::launching, Phase::waking, Phase::running,
                           Phase::ejecting, Phase::stranded}) {
    auto session = samples::session();
    session.phase = phase;
    CHECK(read_journal(write_journal(session))->phase == phase);
  }
}

TEST_CASE("a journal that is cut short at any byte is refused, never half believed") {
  const auto text = write_journal(samples::session());
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    CHECK_FALSE(read_journal(text.substr(0, length)));
}

TEST_CASE("a journal with a wrong value says where") {
  const auto text = write_journal(samples::session());
  check_mistake(with(text, "\"ejecting\"", "\"dancing\""), "/phase",
                "is not one of the known words");
  check_mistake(with(text, "\"base_sequence\": 17", "\"base_sequence\": -17"), "/base_sequence",
                "must be a whole number");
  check_mistake(with(text, "\"target\": \"vdb\"", "\"target\": 1"), "/disks/1/target",
                "must be a text");
  check_mistake(with(text, "\"/var/lib/satchel/sessions/a/vdb-1", "\"vdb-1"), "/disks/1/frozen",
                "must be an absolute path");
  check_mistake(with(text, "\"domain_name\"", "\"domain_nickname\""), "/domain_nickname",
                "is unknown");
  check_mistake(with(text, "\"domain_name\"", "\"domain_nickname\""), "/domain_name", "is missing");
  check_mistake(with(text, "\"nvram\": \"/", "\"nvram\": \""), "/nvram",
                "must be an absolute path");
  check_mistake(with(text, "\"fs_uuid\"", "\"domain_name\": \"x\", \"fs_uuid\""), "/domain_name",
                "is given twice");
}

TEST_CASE("a journal of another version is refused as such") {
  const auto text = write_journal(samples::session());
  check_mistake(with(text, "\"version\": 1", "\"version\": 2"), "/version",
                "is not the version that this program knows");
  check_mistake(with(text, "\"version\": 1,", ""), "/version", "is missing");
  check_mistake("[]", "", "must be an object");
}

TEST_CASE("a name that is not UTF-8 is refused when it is written") {
  auto session = samples::session();
  session.domain_name = "\xff";
  CHECK_THROWS_AS(write_journal(session), Fault);
}
