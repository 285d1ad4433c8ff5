// Plays the kept seeds of all fuzz targets, without a fuzzer: fuzz_seeds FOLDER [CHANGES]. Each
// target has a folder of its own in it. Each seed is also played so often with a few bytes changed,
// the same ones in each run. A broken promise ends the program with the name of the seed, and what
// it was changed to is in the file fuzz-seed where the program was started.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/promise.hpp"

// FUZZ_TARGETS is each target's name in FUZZ_TARGET(…): the build gives them functions of their
// own.
#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t*, std::size_t);
FUZZ_TARGETS
#undef FUZZ_TARGET

namespace fs = std::filesystem;
using satchel::fuzz::accepted;

namespace {

struct Target {
  const char* name;
  int (*play)(const std::uint8_t*, std::size_t);
};

#define FUZZ_TARGET(name) Target{#name, fuzz_##name},
constexpr std::array targets{FUZZ_TARGETS};
#undef FUZZ_TARGET

std::array<char, 256>& playing() {
  static std::array<char, 256> name{};
  return name;
}

const std::string*& current() {
  static const std::string* input = nullptr;
  return input;
}

extern "C" void tell(int signal) {
  constexpr std::string_view before = "with the seed ";
  const auto& name = playing();
  // What else could be done when this fails? The signal says the same.
  [[maybe_unused]] auto n = ::write(STDERR_FILENO, before.data(), before.size());
  n = ::write(STDERR_FILENO, name.data(), std::strlen(name.data()));
  n = ::write(STDERR_FILENO, "\n", 1);
  if (const int file = ::open("fuzz-seed", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      file >= 0 && current() != nullptr)
    n = ::write(file, current()->data(), current()->size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  if (!fs::is_directory(folder)) return out;
  for (const auto& each : fs::directory_iterator(folder)) out.push_back(each.path());
  std::ranges::sort(out);
  return out;
}

/// A few bytes changed, left out, doubled, or put in the place of others.
std::string changed(std::string seed, std::mt19937& random) {
  for (auto changes = 1 + random() % 4; changes > 0 && !seed.empty(); --changes) {
    const auto at = random() % seed.size();
    const auto size = std::min<std::size_t>(1 + random() % 8, seed.size() - at);
    switch (random() % 5) {
      case 0:
        seed[at] = static_cast<char>(random());
        break;
      case 1:
        seed[at] = static_cast<char>(seed[at] ^ (1 << random() % 8));
        break;
      case 2:
        seed.erase(at, size);
        break;
      case 3:
        seed.insert(at, seed.substr(at, size));
        break;
      default:
        seed.replace(at, size, seed.substr(random() % seed.size(), size));
    }
  }
  return seed;
}

void play(const Target& target, const fs::path& seed, unsigned changes) {
  const auto name = seed.string();
  std::ranges::fill(playing(), '\0');
  std::ranges::copy(name.substr(0, playing().size() - 1), playing().begin());
  std::ifstream in(seed, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  satchel::fuzz::must(bool(in), "a seed can be read");
  const auto give = [&](const std::string& input) {
    current() = &input;
    target.play(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    current() = nullptr;
  };
  give(content);
  std::mt19937 random(1);
  for (unsigned i = 0; i < changes; ++i) give(changed(content, random));
}

/// What is wrong with a target's seeds; empty when nothing is.
std::string play_all(const Target& target, const fs::path& folder, unsigned changes,
                     std::size_t& played) {
  const auto seeds = files_in(folder / target.name);
  const auto before = accepted();
  for (const auto& seed : seeds) play(target, seed, changes);
  played += seeds.size() * (1 + changes);
  if (seeds.empty()) return "there are none";
  if (accepted() == before) return "all of them are refused: they try nothing any more";
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2 && count != 3) {
    std::cerr << "fuzz_seeds FOLDER [CHANGES]\n";
    return 2;
  }
  const fs::path folder = arguments[1];
  const auto changes = count == 3 ? static_cast<unsigned>(std::stoul(arguments[2])) : 0;
  for (const auto signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) std::signal(signal, tell);
  std::size_t wrong = 0;
  std::size_t played = 0;
  const auto complain = [&](const std::string& name, const std::string& why) {
    std::cerr << "seeds of " << name << ": " << why << "\n";
    ++wrong;
  };
  for (const auto& target : targets)
    if (const auto why = play_all(target, folder, changes, played); !why.empty())
      complain(target.name, why);
  for (const auto& each : files_in(folder)) {
    const auto name = each.filename().string();
    if (std::ranges::none_of(targets, [&](const Target& it) { return it.name == name; }))
      complain(name, "there is no such target");
  }
  std::cout << "fuzz_seeds: " << targets.size() << " targets, " << played << " inputs, of which "
            << accepted() << " were accepted, " << wrong << " targets wrong\n";
  return wrong == 0 ? 0 : 1;
}
