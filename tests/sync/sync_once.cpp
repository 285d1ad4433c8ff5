// One sync of a plain directory into another, for the tests in Python.
// Usage: sync_once GUEST HOST STATE CAPSULE SECONDS [dry] [meant]
// SECONDS: the time, as seconds since 1970. Prints the counts, then a line for each of the
// report's.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "fakes/plain_tree.hpp"
#include "sync/sync.hpp"

using namespace satchel;

int main(int count, char** arguments) {
  if (count < 6) return 2;
  const auto open = [](const char* path) {
    return UniqueFd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  };
  PlainTree guest(arguments[1]);
  const UniqueFd target = open(arguments[2]);
  const UniqueFd state = open(arguments[3]);
  sync::Order order;
  order.capsule_name = arguments[4];
  order.guest_shown = arguments[1];
  order.host_shown = arguments[2];
  order.target = target.get();
  order.state = state.get();
  order.now = UnixNanos(std::strtoll(arguments[5], nullptr, 10) * 1'000'000'000);
  for (int n = 6; n < count; ++n) {
    if (arguments[n] == std::string_view("dry")) order.extent = sync::Extent::dry_run;
    if (arguments[n] == std::string_view("meant")) order.emptiness = sync::Emptiness::meant;
  }
  try {
    const auto report = sync::synchronise(order, guest, {}, {});
    const auto& c = report.counts;
    const auto& d = report.durations;
    std::printf("%s\n", sync::summary(report).c_str());
    std::printf("equal %lu read %lu written %lu\n", c.already_equal, c.read.value, c.written.value);
    std::printf("seconds: listing %.3f scanning %.3f planning %.3f applying %.3f\n",
                d.listing_guest, d.scanning_host, d.planning, d.applying);
    for (const auto& line : report.lines)
      std::printf("%c %s\t%s\n", sync::sign(line.mark), sync::shown(line.path).c_str(),
                  line.text.c_str());
    return 0;
  } catch (const Fault& fault) {
    std::fprintf(stderr, "%s (%s)\n", fault.what(), std::string(to_string(fault.remedy())).c_str());
    return 1;
  }
}
