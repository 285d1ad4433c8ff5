#include "hibernation/level_control.hpp"

#include <catch2/catch.hpp>

namespace satchel::hibernation {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t piece = 8U << 20;

/// A second of which the writer was at work for so long, with so much to write.
void second(LevelControl& levels, LevelControl::Clock::time_point& now,
            LevelControl::Clock::duration writing, std::uint64_t bytes = piece) {
  levels.wrote(bytes, now + 1s - writing, now + 1s);
  now += 1s;
}

}  // namespace

TEST_CASE("blocks are compressed harder while the device is slower, and again less") {
  auto now = LevelControl::Clock::time_point();
  LevelControl levels(1, now);
  second(levels, now, 100ms);
  CHECK(levels.level() == 1);
  second(levels, now, 900ms);
  CHECK(levels.level() == 3);
  second(levels, now, 600ms);
  CHECK(levels.level() == 4);
  second(levels, now, 400ms);  // just right
  CHECK(levels.level() == 4);
  for (int i = 0; i < 9; ++i) second(levels, now, 990ms);
  CHECK(levels.level() == 9);
  second(levels, now, 0ms);
  CHECK(levels.level() == 7);
  for (int i = 0; i < 9; ++i) second(levels, now, 10ms);
  CHECK(levels.level() == 1);
}

TEST_CASE("little is judged by nothing, and no level is below the settings' own") {
  auto now = LevelControl::Clock::time_point();
  LevelControl levels(12, now);
  for (int i = 0; i < 7; ++i) second(levels, now, 1s, 1U << 20);
  CHECK(levels.level() == 12);
  second(levels, now, 1s, 1U << 20);
  CHECK(levels.level() == 12);
  second(levels, now, 0ms);
  CHECK(levels.level() == 12);
}

}  // namespace satchel::hibernation
