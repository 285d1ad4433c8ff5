#include "config/quantity.hpp"

#include <catch2/catch.hpp>

using namespace satchel;
using namespace std::chrono_literals;

TEST_CASE("sizes have a whole number and a binary unit") {
  CHECK(parse_size("0B") == ByteCount(0));
  CHECK(parse_size("512MiB") == mebibytes(512));
  CHECK(parse_size("1 GiB") == mebibytes(1024));
  CHECK(parse_size("16777215TiB") == ByteCount(16777215ULL << 40));
  for (const auto* wrong : {"", "1", "MiB", "-1MiB", "1.5GiB", "1MB", "1mib", "1  MiB", "1MiB ",
                            " 1MiB", "16777216TiB", "99999999999999999999B"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
}

TEST_CASE("durations have a whole number and a unit") {
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("10min") == 10min);
  CHECK(parse_duration("2 h") == 2h);
  CHECK(parse_duration("1d") == 24h);
  for (const auto* wrong : {"", "10", "min", "10m", "-1s", "4000d", "1s1s"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}
