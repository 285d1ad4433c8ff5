// satcheld: see satcheld(8).
#include <malloc.h>

#include <exception>
#include <iostream>

#include "base/fault.hpp"
#include "config/config.hpp"
#include "log.hpp"
#include "options.hpp"
#include "places.hpp"
#include "service.hpp"

namespace {

constexpr int failed = 1;
constexpr int bad_configuration = 78;  // EX_CONFIG of sysexits.h: systemd does not restart on it

/// Buffers of some MiB go back to the system as soon as they are freed. By its own lights malloc
/// would keep the largest that there was for each of many threads, for as long as the daemon runs.
void keep_small() {
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  ::mallopt(M_ARENA_MAX, 2);
}

/// Who asks for a check reads it in a terminal; of the service it is an error in the journal.
void tell(const satchel::Mistakes& mistakes, satchel::Options::Do what) {
  if (what == satchel::Options::Do::check_config) {
    for (const auto& mistake : mistakes) std::cerr << mistake.where << ": " << mistake.what << '\n';
    return;
  }
  const auto log = satchel::open_log(satchel::LogLevel::error);
  for (const auto& mistake : mistakes) log->error(mistake.where + ": " + mistake.what);
}

int serve(const satchel::Places& places, satchel::Config config) {
  const auto log = satchel::open_log(config.log.level);
  try {
    const auto ours_alone = satchel::prepare(places);
    satchel::Service service(places, std::move(config), *log);
    return service.run();
  } catch (const satchel::Fault& fault) {
    log->error(std::string(fault.what()) + ". " + fault.next_step());
    return failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_small();
  const auto places = satchel::places();
  const auto parsed = satchel::parse_options(argc, argv, places.configuration / "satchel.yaml");
  if (!parsed.options) return parsed.exit_status;

  const auto config = satchel::load_config(parsed.options->config);
  if (!config) {
    tell(config.error(), parsed.options->what);
    return bad_configuration;
  }
  if (parsed.options->what == satchel::Options::Do::check_config) {
    std::cout << parsed.options->config.string() << " is correct\n";
    return 0;
  }
  return serve(places, *config);
}
