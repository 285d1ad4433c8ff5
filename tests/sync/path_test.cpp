#include "sync/path.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "sync/names.hpp"

using namespace satchel;
using namespace satchel::sync;

TEST_CASE("a folder's content follows it directly, before names that begin as it does") {
  std::vector<std::string> paths{"a.b", "a/z", "a b", "a", "a/b/c", "b", "a/b", "\xff", "A"};
  std::ranges::sort(paths, TreeOrder{});
  CHECK(paths ==
        std::vector<std::string>{"A", "a", "a/b", "a/b/c", "a/z", "a b", "a.b", "b", "\xff"});
}

TEST_CASE("a path that leads elsewhere, or that the sync itself uses, is refused with its reason") {
  for (const auto* each :
       {"", "/etc/passwd", "a/", "a//b", "..", "a/../b", ".", "a/./b", ".satchel-trash",
        "a/.satchel-sync-0123456789abcdef0123456789abcdef.part"})
    CHECK(refusal_of_path(each));
  CHECK(refusal_of_path(std::string("a\0b", 3)));
  CHECK(refusal_of_path("a/" + std::string(256, 'x')));
  for (const auto* each : {"a", "...", "..a", "a/.satchel-trash", "a\nb", "\xff/\x01", " "})
    CHECK_FALSE(refusal_of_path(each));
  CHECK_FALSE(refusal_of_path(std::string(255, 'x') + "/" + std::string(255, 'x')));
}

TEST_CASE("a link is carried only when it can't lead out of the folder, whatever is on its way") {
  CHECK(stays_inside("a", "b"));
  CHECK(stays_inside("a", "b/c/d"));
  CHECK(stays_inside("d/e/a", "../../b"));
  CHECK(stays_inside("d/a", "./..//b"));
  CHECK(stays_inside("d/a", ".."));
  CHECK_FALSE(stays_inside("a", ".."));
  CHECK_FALSE(stays_inside("a", "../b"));
  CHECK_FALSE(stays_inside("d/a", "../../b"));
  CHECK_FALSE(stays_inside("a", "/etc/passwd"));
  CHECK_FALSE(stays_inside("a", ""));
  // b may be a link to the top, and "b/.." the folder above it.
  CHECK_FALSE(stays_inside("d/e/f/a", "b/../c"));
}

TEST_CASE("a draft's name is known again, and is never the same") {
  const auto name = temporary_name();
  CHECK(is_temporary(name));
  CHECK(name != temporary_name());
  CHECK_FALSE(is_temporary(".satchel-sync-x.part"));
  CHECK_FALSE(is_temporary(name + "~"));
}

TEST_CASE("what comes beside says where it is from and when, and keeps its extension") {
  const std::string moment = "2026-11-22 10.15";
  CHECK(beside_name("letter.odt", "web", moment, 1) == "letter (from web, 2026-11-22 10.15).odt");
  CHECK(beside_name("letter.odt", "web", moment, 3) ==
        "letter (from web, 2026-11-22 10.15, 3).odt");
  CHECK(beside_name("a.tar.gz", "web", moment, 1) == "a (from web, 2026-11-22 10.15).tar.gz");
  CHECK(beside_name(".bashrc", "web", moment, 1) == ".bashrc (from web, 2026-11-22 10.15)");
  CHECK(beside_name("Makefile", "a/b\n(c)", moment, 1) ==
        "Makefile (from a_b__c_, 2026-11-22 10.15)");
  const auto longest = beside_name(std::string(251, 'x') + ".txt", "web", moment, 1);
  CHECK(longest.size() == 255);
  CHECK(longest.ends_with("x (from web, 2026-11-22 10.15).txt"));
  std::string umlauts;
  for (int n = 0; n < 127; ++n) umlauts += "ä";
  const auto cut = beside_name(umlauts, std::string(100, 'c'), moment, 1);
  CHECK(cut.size() <= 255);
  CHECK(cut.substr(0, cut.find(" (")).size() % 2 == 0);  // no half letter
}

TEST_CASE("a moment is read back from a folder's name, and nothing else is") {
  const UnixNanos when(1'795'000'000'000'000'000);
  const auto words = moment_words(when);
  REQUIRE(parse_moment(words));
  CHECK(moment_words(*parse_moment(words)) == words);
  CHECK(when.value - parse_moment(words)->value < 60'000'000'000);
  for (const auto* each : {"", "2026-11-22", "2026-02-31 10.15", "2026-11-22 10.15x",
                           "2026-11-22 10:15", "my own folder..."})
    CHECK_FALSE(parse_moment(each));
}
