// One planning: a walk through three sorted sequences, path by path. Inside lib/sync only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sync/decide.hpp"
#include "sync/places.hpp"
#include "sync/plan.hpp"

namespace satchel::sync {

class Planner {
 public:
  explicit Planner(const Situation& situation)
      : situation_(situation), places_(situation, plan_), records_(situation.records.begin()) {}

  Plan make();

 private:
  // A directory on the host that the guest no longer has, or has something else for.
  struct Parting {
    std::string path;
    std::size_t host;
    std::optional<std::size_t> guest;
  };

  // The walk (plan.cpp).
  bool next();
  void visit();
  void visit_closed();
  void enter_directory(Verdict verdict);
  void see_to_partings();
  void part_or_stay(const Parting& parting);
  void stay_occupied();

  // What a verdict about the path leads to (verdicts.cpp).
  void act(Verdict verdict);
  void ask();
  void note_what_was_learned();
  void agree();
  bool restamp(const Record& now);
  void arrive(Why why);
  void come(Why why, std::string to);
  void come_beside(const Places::Beside& found);
  void update();
  void replace();
  std::uint32_t mode_after(const HostEntry& over) const;
  Action coming(Deed deed, Why why, std::string to);
  Action removal(Deed deed) const;

  const GuestEntry& guest() const { return situation_.guest[*guest_]; }
  const HostEntry& host() const { return situation_.host[*host_]; }
  bool comes_as_directory() const { return guest_ && guest().entry.kind == Kind::directory; }
  Deed writing() const {
    return guest().entry.kind == Kind::link ? Deed::write_link : Deed::write_file;
  }
  Version guest_version() const { return {guest().entry.kind, guest().entry.size, guest().digest}; }
  Seen guest_seen() const { return {guest_version(), stamp_of(guest().entry), guest().trust}; }
  Seen host_seen() const { return {host().version, host().stamp, host().trust}; }
  /// The guest's version is dealt with, without anything that both agree on.
  Record dealt_with() const;
  void change(std::optional<Record> record) { plan_.changes.push_back({path_, std::move(record)}); }
  void attention(std::string text) {
    plan_.lines.push_back({Mark::attention, path_, std::move(text)});
  }
  void skip(std::string text);
  void stays() {
    if (host_) staying_.push_back(*host_);
  }

  const Situation& situation_;
  Plan plan_;
  Places places_;

  // Where the walk is: the next of each sequence, and what they have at this path.
  Records::const_iterator records_;
  std::size_t next_guest_ = 0;
  std::size_t next_host_ = 0;
  std::string path_;
  const Record* record_ = nullptr;
  std::optional<std::size_t> guest_;
  std::optional<std::size_t> host_;

  std::string closed_;                // nothing is decided below this directory
  std::vector<std::size_t> staying_;  // of the host's entries
  std::vector<Parting> partings_;
  std::vector<Action> trashes_;
  std::vector<Action> removals_;
};

}  // namespace satchel::sync
