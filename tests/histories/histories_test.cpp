// A thousand random histories over two to four computers and up to three copies of a device: what
// each computer makes of a device is always right, and nothing is lost that nobody gave up.
#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <future>
#include <iostream>
#include <thread>

#include "histories/play.hpp"

namespace satchel::histories {

namespace {

namespace fs = std::filesystem;

/// In memory where there is a place for that: thousands of fsyncs.
class Scratch {
 public:
  Scratch() {
    const fs::path base = fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
    auto pattern = (base / "satchel-histories-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code left;
    fs::remove_all(path_, left);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

struct Outcome {
  std::vector<std::string> failures;
  Counts counts;
};

Outcome play(std::uint64_t first, std::uint64_t end, Mistake mistake) {
  const Scratch scratch;
  Workshop shop(scratch.path());
  Outcome out;
  for (auto seed = first; seed < end; ++seed) {
    Play play(shop, seed, mistake);
    if (auto failure = play.run()) out.failures.push_back(std::move(*failure));
    for (const auto& [what, times] : play.counts()) out.counts[what] += times;
    if (mistake != Mistake::none && !out.failures.empty()) break;
  }
  return out;
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const auto* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("a thousand random histories are told apart rightly, and nothing of them is lost") {
  const auto first = number_in("SATCHEL_FIRST_HISTORY", 1);
  const auto count = number_in("SATCHEL_HISTORIES", 1000);
  const auto parts = std::clamp<std::uint64_t>(std::thread::hardware_concurrency(), 1, 4);
  std::vector<std::future<Outcome>> playing;
  for (std::uint64_t i = 0; i < parts; ++i)
    playing.push_back(std::async(std::launch::async, play, first + count * i / parts,
                                 first + count * (i + 1) / parts, Mistake::none));
  Counts counts;
  std::vector<std::string> failures;
  for (auto& each : playing) {
    const auto outcome = each.get();
    failures.insert(failures.end(), outcome.failures.begin(), outcome.failures.end());
    for (const auto& [what, times] : outcome.counts) counts[what] += times;
  }
  const auto by_length = [](const auto& a, const auto& b) { return a.size() < b.size(); };
  std::sort(failures.begin(), failures.end(), by_length);
  std::string seen;
  for (const auto& [what, times] : counts) seen += what + ": " + std::to_string(times) + "\n";
  std::cout << "Histories " << first << " to " << first + count - 1
            << " ($SATCHEL_FIRST_HISTORY, $SATCHEL_HISTORIES):\n"
            << seen;
  if (!failures.empty())
    FAIL(failures.size() << " histories went wrong; the shortest: " << failures.front());
  if (count < 1000) return;
  for (const auto* what :
       {"ready, nothing lacks", "ready, an older copy", "ready, another branch",
        "ready, checked out elsewhere", "running, nothing lacks", "diverged, nothing lacks",
        "diverged, an older copy", "launches refused", "power cuts within a job", "checkpoints",
        "checkpoints that failed", "folds", "folds by themselves", "merges",
        "merges that a session elsewhere forbids", "sessions whose files a device has to have",
        "long histories", "choices", "files with the digest that is stated"}) {
    INFO(what);
    CHECK(counts[what] >= 10);
  }
}

TEST_CASE("a history finds each mistake that is made on purpose") {
  for (const auto mistake :
       {Mistake::marks_passed_over, Mistake::seen_forgotten, Mistake::need_forgotten,
        Mistake::mark_taken_for_ours, Mistake::checkpoint_forgotten}) {
    CAPTURE(static_cast<int>(mistake));
    const auto outcome = play(1, 400, mistake);
    CHECK_FALSE(outcome.failures.empty());
  }
}

}  // namespace satchel::histories
