#include "table.hpp"

#include <catch2/catch.hpp>

#include "progress.hpp"

using namespace satchel;
using namespace satchel::cli;

namespace {

Screen terminal(int width) {
  Screen screen;
  screen.terminal = true;
  screen.width = width;
  return screen;
}

JobView writing() {
  JobView job;
  job.operation = "eject";
  job.step = "writing memory";
  job.progress = 0.5;
  job.done = mebibytes(120);
  job.total = mebibytes(240);
  job.rate = mebibytes(40).value;
  job.remaining_us = 3'000'000;
  return job;
}

}  // namespace

TEST_CASE("columns line up whatever the letters are") {
  Table table({{"NAME"}, {"SIZE", Table::Align::right}});
  table.add({"büro", "1 B"});
  table.add({"日本", "1000 B"});
  CHECK(table.render(Screen()) ==
        "NAME    SIZE\n"
        "büro     1 B\n"
        "日本  1000 B\n");
}

TEST_CASE("a table fits the screen, cutting off only what may be cut off") {
  Table table({{"NAME", Table::Align::left, Table::Fit::shrink}, {"STATE"}});
  table.add({"a very long name of a capsule", "running"});
  CHECK(table.render(terminal(20)) ==
        "NAME         STATE\n"
        "a very lon…  running\n");
}

TEST_CASE("a table too narrow for all leaves out the columns that may be left out") {
  Table table({{"NAME", Table::Align::left, Table::Fit::shrink},
               {"TYPE", Table::Align::left, Table::Fit::leave_out},
               {"STATE"}});
  table.add({"debian", "ext4", "running"});
  CHECK(table.render(terminal(21)) == "NAME    TYPE  STATE\ndebian  ext4  running\n");
  CHECK(table.render(terminal(20)) == "NAME    STATE\ndebian  running\n");
}

TEST_CASE("the last column may go on below itself") {
  Table table({{"CHECK"}, {"FOUND", Table::Align::left, Table::Fit::wrap}});
  table.add({"kvm", "/dev/kvm is there, but a guest does not start."});
  CHECK(table.render(terminal(32)) ==
        "CHECK  FOUND\n"
        "kvm    /dev/kvm is there, but a\n"
        "       guest does not start.\n");
  CHECK(table.render(Screen()) ==
        "CHECK  FOUND\n"
        "kvm    /dev/kvm is there, but a guest does not start.\n");
}

TEST_CASE("sentences break between words, and not at all where there is no width") {
  CHECK(wrapped("one two three", 8, 0, 2) == "one two\n  three");
  CHECK(wrapped("one two three", 8, 4, 0) == "one\ntwo\nthree");
  CHECK(wrapped("one two three", 0, 0, 2) == "one two three");
  CHECK(wrapped("immeasurable", 4, 0, 2) == "immeasurable");
}

TEST_CASE("no colour unless the screen has colours") {
  CHECK(toned("safe", Tone::good, terminal(80)) == "safe");
  auto colourful = terminal(80);
  colourful.colours = true;
  CHECK(toned("safe", Tone::good, colourful) == "\033[32msafe\033[0m");
}

TEST_CASE("a name from a foreign device can't command the terminal") {
  CHECK(printable("a\033[2Jb\nc") == "a?[2Jb?c");
  CHECK(printable("\xff\xfe") == "??");
  CHECK(printable("Gerät") == "Gerät");
  CHECK(printable("x\u202Ey") == "x?y");
}

TEST_CASE("a time that is not known is a dash") { CHECK(local_time(UnixMicros(0)) == "-"); }

TEST_CASE("progress says step, share, bytes, rate and time left") {
  CHECK(progress_line(writing(), 100) ==
        "writing memory [===============>              ]  50%  120 MiB of 240 MiB  40.0 MiB/s  "
        "3 s left");
}

TEST_CASE("a narrow screen loses the least important first, and never wraps") {
  const auto line = progress_line(writing(), 62);
  CHECK(display_width(line) <= 62);
  CHECK(line.find("120 MiB of 240 MiB") != std::string::npos);
  CHECK(line.find("left") == std::string::npos);
  for (int width = 1; width < 120; ++width)
    CHECK(display_width(progress_line(writing(), width)) <= width);
}

TEST_CASE("without a terminal each step is one line") {
  std::ostringstream out;
  {
    ProgressDisplay display(out, Screen());
    auto job = writing();
    display.show(job);
    job.progress = 0.6;
    display.show(job);
    job.step = "checking";
    display.show(job);
  }
  CHECK(out.str() == "  writing memory\n  checking\n");
}

TEST_CASE("durations read as people say them") {
  CHECK(duration(1) == "1 s");
  CHECK(duration(250'000'000) == "4 min 10 s");
  CHECK(duration(7'500'000'000) == "2 h 5 min");
}
