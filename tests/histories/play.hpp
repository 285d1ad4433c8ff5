// One random history: computers, copies of a device, and what happens to them. After every step all
// that the product says, and all that it keeps, is held against what really happened.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "histories/computer.hpp"

namespace satchel::histories {

/// How often each thing was seen, over all histories: a test of nothing shows.
using Counts = std::map<std::string, std::uint64_t>;

class Play {
 public:
  Play(Workshop& shop, std::uint64_t seed, Mistake mistake);
  ~Play();
  Play(const Play&) = delete;
  Play& operator=(const Play&) = delete;

  /// What went wrong, with the steps up to there: the shortest beginning of it that does.
  std::optional<std::string> run();
  const Counts& counts() const { return counts_; }

 private:
  struct Backup {
    std::filesystem::path place;
    GenerationId tip;
  };

  std::size_t draw(std::size_t below);
  bool chance(std::size_t one_in) { return draw(one_in) == 0; }
  Computer& any_computer() { return *computers_[draw(computers_.size())]; }
  std::size_t number_of(const Computer& computer) const;
  Medium* any_free_medium();

  std::string title(const Computer& computer) const;
  static std::string title(const Medium& medium);

  // play.cpp
  void pack();
  void step();
  void copy();
  void restore();
  void insert(Computer& computer, Medium& medium);
  /// Does it, and what follows when the power fails meanwhile.
  void with_power(Computer& computer, const std::function<void()>& what);

  // play_acts.cpp
  void act(Computer& computer);
  void write(Computer& computer);
  void pull(Computer& computer);
  void eject(Computer& computer);
  void checkpoint(Computer& computer);
  void launch(Computer& computer);
  void merge(Computer& computer);
  void go_back(Computer& computer);
  void choose(Computer& computer);
  void restart(Computer& computer);
  void run_long();

  // play_checks.cpp
  bool is_held(std::size_t host, const core::Ready& ready) const;
  void expect(const Computer& computer, Expected wanted);
  void require(bool holds, const std::string& what) const;
  /// Of the devices to which something was or may have been done since they were checked last.
  void check_media();
  /// Of what a launch, a merge or an export of this generation compares.
  void check_digests(const format::CapsuleDirectory& capsule, const format::Head& newest,
                     const format::Head& head, const std::string& what);
  void check_sessions();
  View on_medium(const Medium& medium, const std::vector<std::string>& chain) const;
  std::filesystem::path place_of(std::size_t medium) const;
  void say(std::string what) { steps_.push_back(std::move(what)); }

  Workshop& shop_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::filesystem::path world_;
  CapsuleId capsule_;
  Truth truth_;
  std::vector<std::unique_ptr<Medium>> media_;
  std::vector<Backup> backups_;
  std::vector<std::unique_ptr<Computer>> computers_;
  std::vector<std::string> steps_;
  Counts counts_;
  int value_ = 0;
};

}  // namespace satchel::histories
