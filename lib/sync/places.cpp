#include "sync/places.hpp"

#include <algorithm>

#include "sync/decide.hpp"
#include "sync/names.hpp"

namespace satchel::sync {

std::optional<std::size_t> Places::find_host(std::string_view path) const {
  const auto& all = situation_.host;
  const auto at = std::ranges::lower_bound(all, path, TreeOrder{}, &HostEntry::path);
  if (at == all.end() || at->path != path) return std::nullopt;
  return static_cast<std::size_t>(at - all.begin());
}

bool Places::is_in_guest(std::string_view path) const {
  const auto& all = situation_.guest;
  const auto of = [](const GuestEntry& each) -> std::string_view { return each.entry.path; };
  const auto at = std::ranges::lower_bound(all, path, TreeOrder{}, of);
  return at != all.end() && at->entry.path == path;
}

bool Places::is_directory(std::string_view path) const {
  const auto found = find_host(path);
  return found && situation_.host[*found].version.kind == Kind::directory &&
         situation_.host[*found].closed.empty();
}

void Places::enter(std::string path, State state, std::size_t from) {
  std::string name(name_of(path));
  std::string host = joined(frames_.empty() ? std::string_view() : frames_.back().host, name);
  frames_.push_back({std::move(path), std::move(name), std::move(host), state, from});
}

void Places::leave_for(std::string_view path) {
  while (!frames_.empty() && !is_below(path, frames_.back().path)) frames_.pop_back();
  settled_ = std::min(settled_, frames_.size());
}

std::string Places::directory_here() {
  if (frames_.empty()) return {};
  make_here(Why::brought_back);
  return frames_.back().host;
}

Places::Made Places::make_here(Why why) {
  auto made = Made::before;
  for (; settled_ < frames_.size(); ++settled_) {
    const bool is_last = settled_ + 1 == frames_.size();
    made =
        require(frames_[settled_],
                settled_ == 0 ? std::string_view() : std::string_view(frames_[settled_ - 1].host),
                is_last ? why : Why::brought_back);
  }
  return made;
}

Places::Made Places::require(Frame& frame, std::string_view above, Why why) {
  frame.host = joined(above, frame.name);  // above may just have become another
  if (frame.state == State::there) return Made::before;
  const bool is_elsewhere = frame.host != frame.path;
  if (is_elsewhere && frame.state == State::missing && find_host(frame.host) &&
      !is_directory(frame.host))
    frame.state = State::blocked;
  auto made = Made::before;
  if (frame.state == State::blocked) {
    made = make_beside(frame, above);
  } else if (!is_directory(frame.host)) {
    make(frame, why);
    made = Made::planned;
  }
  frame.state = State::there;
  return made;
}

Places::Made Places::make_beside(Frame& frame, std::string_view above) {
  for (unsigned attempt = 1;; ++attempt) {
    frame.name = beside_name(name_of(frame.path), situation_.capsule, situation_.moment, attempt);
    frame.host = joined(above, frame.name);
    if (is_in_guest(joined(parent_of(frame.path), frame.name))) continue;
    if (is_directory(frame.host)) return Made::before;  // from a sync that did not end
    if (taken_.contains(frame.host) || find_host(frame.host)) continue;
    make(frame, Why::conflict);
    return Made::planned;
  }
}

void Places::make(const Frame& frame, Why why) {
  const GuestEntry& guest = situation_.guest[frame.from];
  take(frame.host);
  Action action;
  action.deed = Deed::make_directory;
  action.why = why;
  action.path = frame.path;
  action.to = frame.host;
  action.from = frame.from;
  action.mode = host_mode(Kind::directory, guest.entry.mode, situation_.umask);
  action.after = Record{{{Kind::directory, {}, Digest{}}, stamp_of(guest.entry), guest.trust},
                        std::nullopt,
                        std::nullopt};
  if (const auto before = situation_.records.find(frame.path); before != situation_.records.end())
    action.after->agreed = before->second.agreed;
  if (const auto found = find_host(frame.path)) {
    const HostEntry& host = situation_.host[*found];
    action.after->host = Seen{host.version, host.stamp, host.trust};
  }
  plan_.actions.push_back(std::move(action));
}

std::optional<Places::Beside> Places::look_at(std::string place, std::size_t number) {
  using Found = Beside::Found;
  const auto found = find_host(place);
  if (!found) return Beside{std::move(place), Found::free, {}};
  const HostEntry& host = situation_.host[*found];
  const GuestEntry& guest = situation_.guest[number];
  if (!host.closed.empty()) return std::nullopt;
  switch (same({guest.entry.kind, guest.entry.size, guest.digest}, host.version)) {
    case Answer::yes:
      return Beside{std::move(place), Found::there_already, host.version.digest};
    case Answer::unknown:
      if (!guest.digest) plan_.ask_guest.push_back(number);
      if (!host.version.digest) plan_.ask_host.push_back(*found);
      return Beside{std::move(place), Found::unknown, {}};
    case Answer::no:
      break;
  }
  return std::nullopt;
}

Places::Beside Places::beside(std::string_view above, std::string_view path, std::size_t guest) {
  for (unsigned attempt = 1;; ++attempt) {
    const std::string name =
        beside_name(name_of(path), situation_.capsule, situation_.moment, attempt);
    std::string place = joined(above, name);
    if (is_in_guest(joined(parent_of(path), name)) || taken_.contains(place)) continue;
    if (auto found = look_at(std::move(place), guest)) return *std::move(found);
  }
}

}  // namespace satchel::sync
