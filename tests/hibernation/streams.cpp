#include "streams.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "async/process.hpp"
#include "base/handle.hpp"

namespace satchel::test {

namespace {

std::string stream_of(const std::string& machine) {
  const UniqueFd file(memfd_create("stream", MFD_CLOEXEC));
  const auto path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file.get());
  ProcessRun run;
  run.arguments = {"sh", "-c",
                   "printf 'migrate \"exec:cat >" + path +
                       "\"\\nquit\\n' | exec qemu-system-x86_64 -accel tcg -m 32 -nodefaults "
                       "-display none -monitor stdio -S " +
                       machine};
  const auto end = run_process(run);
  CAPTURE(end.output, end.errors);
  REQUIRE(end.exit_status == 0);
  struct stat about {};
  REQUIRE(fstat(file.get(), &about) == 0);
  std::string out(static_cast<std::size_t>(about.st_size), '\0');
  REQUIRE(pread(file.get(), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
  return out;
}

}  // namespace

const std::string& real_stream(const std::string& machine) {
  static std::map<std::string, std::string> known;
  auto& stream = known[machine];
  if (stream.empty()) stream = stream_of(machine);
  return stream;
}

std::string random_page(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < 4096) {
    const auto word = random();
    out.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return out;
}

}  // namespace satchel::test
