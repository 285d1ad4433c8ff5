#include "sync/plan.hpp"

#include <iterator>
#include <string_view>
#include <unordered_set>

#include "sync/planner.hpp"

namespace satchel::sync {

Plan make_plan(const Situation& situation) { return Planner(situation).make(); }

Plan Planner::make() {
  while (next()) visit();
  see_to_partings();
  std::vector<Action> all = std::move(trashes_);
  for (auto* part : {&removals_, &plan_.actions})
    all.insert(all.end(), std::make_move_iterator(part->begin()),
               std::make_move_iterator(part->end()));
  plan_.actions = std::move(all);
  plan_.counts.guest_entries = situation_.guest.size();
  plan_.counts.host_entries = situation_.host.size();
  return std::move(plan_);
}

// Takes the next path of the three sorted sequences.
bool Planner::next() {
  const auto& guests = situation_.guest;
  const auto& hosts = situation_.host;
  const std::string* least = nullptr;
  const auto offer = [&](const std::string& path) {
    if (least == nullptr || TreeOrder{}(path, *least)) least = &path;
  };
  if (next_guest_ < guests.size()) offer(guests[next_guest_].entry.path);
  if (next_host_ < hosts.size()) offer(hosts[next_host_].path);
  if (records_ != situation_.records.end()) offer(records_->first);
  if (least == nullptr) return false;
  path_ = *least;
  guest_.reset();
  host_.reset();
  record_ = nullptr;
  if (next_guest_ < guests.size() && guests[next_guest_].entry.path == path_)
    guest_ = next_guest_++;
  if (next_host_ < hosts.size() && hosts[next_host_].path == path_) host_ = next_host_++;
  if (records_ != situation_.records.end() && records_->first == path_)
    record_ = &(records_++)->second;
  return true;
}

void Planner::visit() {
  if (!closed_.empty() && is_below(path_, closed_)) return stays();
  closed_.clear();
  places_.leave_for(path_);
  if (guest_ && !guest().refused.empty()) {
    skip(guest().refused);
    // It may be a folder that can't be looked at: what is not listed below is not known to be gone.
    closed_ = path_;
    return stays();
  }
  if (host_ && !host().closed.empty()) return visit_closed();
  const Version version = guest_ ? guest_version() : Version{};
  const Verdict verdict =
      decide(record_, guest_ ? &version : nullptr, host_ ? &host().version : nullptr);
  act(verdict);
  if (!comes_as_directory()) return;
  enter_directory(verdict);
  if (guest().entry.what.empty()) return;
  skip("what is in it can't be listed: " + guest().entry.what);
  closed_ = path_;
}

// What the host has there can't be looked at: nothing is decided about it or what is below.
void Planner::visit_closed() {
  stays();
  if (guest_) skip(host().closed);
  closed_ = path_;
}

void Planner::enter_directory(Verdict verdict) {
  using State = Places::State;
  const bool is_there = host_ && host().version.kind == Kind::directory;
  const bool is_in_the_way = host_ && !is_there && verdict != Verdict::replace;
  places_.enter(path_,
                is_there        ? State::there
                : is_in_the_way ? State::blocked
                                : State::missing,
                *guest_);
  // A new directory comes even when nothing is in it.
  Why why = Why::added;
  if (verdict == Verdict::bring_back)
    why = Why::brought_back;
  else if (verdict == Verdict::replace)
    why = Why::updated;
  else if (verdict != Verdict::create && verdict != Verdict::conflict)
    return;
  if (places_.make_here(why) == Places::Made::before) change(dealt_with());
}

// Directories that are to go: they do when nothing stays in them. The deepest come first.
void Planner::see_to_partings() {
  if (partings_.empty()) return;
  std::unordered_set<std::string> occupied;
  const auto occupy_above = [&](std::string_view path) {
    for (path = parent_of(path); !path.empty(); path = parent_of(path))
      if (!occupied.emplace(path).second) return;
  };
  for (const std::size_t each : staying_) occupy_above(situation_.host[each].path);
  for (const Action& each : plan_.actions) occupy_above(each.to);
  for (auto parting = partings_.rbegin(); parting != partings_.rend(); ++parting) {
    path_ = parting->path;
    guest_ = parting->guest;
    host_ = parting->host;
    record_ = &situation_.records.find(path_)->second;
    if (!occupied.contains(path_)) {
      removals_.push_back(removal(Deed::remove_directory));
      if (guest_) come(Why::updated, path_);
    } else {
      occupy_above(path_);
      stay_occupied();
    }
  }
}

void Planner::stay_occupied() {
  // A directory that both had is in none that has another place on the host.
  if (guest_) return come_beside(places_.beside(parent_of(path_), path_, *guest_));
  attention("the guest has deleted this folder; it stays with what is only here");
  ++plan_.counts.kept;
  change(std::nullopt);
}

}  // namespace satchel::sync
