#include "sync/report.hpp"

#include <catch2/catch.hpp>

using namespace satchel::sync;

TEST_CASE("a path is shown without what a terminal would act on") {
  CHECK(shown("Bilder/Straße.txt") == "Bilder/Straße.txt");
  CHECK(shown("a\nb\x1b[2J") == R"(a\x0ab\x1b[2J)");
  CHECK(shown("back\\slash") == R"(back\\slash)");
  CHECK(harmless(shown("back\\slash\n")) == shown("back\\slash\n"));
  CHECK(harmless("\x1b[2J\\x0a") == R"(\x1b[2J\x0a)");
  CHECK(shown("\xff\xc3") == R"(\xff\xc3)");
  CHECK(shown("\xc0\xaf") == R"(\xc0\xaf)");                    // an overlong '/'
  CHECK(shown("\xed\xa0\x80") == R"(\xed\xa0\x80)");            // half a surrogate pair
  CHECK(shown("a\xe2\x80\xae.exe") == R"(a\xe2\x80\xae.exe)");  // text turned around
  CHECK(shown("\xc2\x9b") == R"(\xc2\x9b)");                    // a one-character escape sequence
}

TEST_CASE("a report says in one line what was done") {
  Report report;
  CHECK(report.nothing_to_do());
  CHECK(summary(report) == "nothing to do");
  report.counts.added = 3;
  report.counts.conflicts = 1;
  report.counts.already_equal = 7;
  CHECK_FALSE(report.nothing_to_do());
  CHECK(summary(report) == "3 added, 1 in conflict");
}

TEST_CASE("how long a sync took is told part by part, without those that took nothing") {
  Durations took;
  CHECK(summary(took) == "0.0 s");
  took.starting = 18;
  took.listing_guest = 1.26;
  took.planning = 0.01;
  CHECK(summary(took) == "19.3 s: 18.0 starting the reader, 1.3 listing the guest's");
}
