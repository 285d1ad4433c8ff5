#include "sync/planner.hpp"

namespace satchel::sync {
namespace {

constexpr std::uint32_t set_id_bits = 06000;

}  // namespace

void Planner::act(Verdict verdict) {
  switch (verdict) {
    case Verdict::nothing:
      note_what_was_learned();
      break;
    case Verdict::ask:
      ask();
      break;
    case Verdict::agree:
      agree();
      break;
    case Verdict::create:
      if (!comes_as_directory()) arrive(Why::added);
      break;
    case Verdict::bring_back:
      if (!comes_as_directory()) arrive(Why::brought_back);
      break;
    case Verdict::update:
      update();
      break;
    case Verdict::replace:
      return replace();
    case Verdict::conflict:
      if (!comes_as_directory())
        come_beside(places_.beside(places_.directory_here(), path_, *guest_));
      break;
    case Verdict::trash:
      trashes_.push_back(removal(Deed::to_trash));
      return;
    case Verdict::directory_gone:
      partings_.push_back({path_, *host_, std::nullopt});
      return;
    case Verdict::keep:
      attention("it was deleted in the guest and changed here: it stays");
      ++plan_.counts.kept;
      change(std::nullopt);
      break;
    case Verdict::forget:
      change(std::nullopt);
      break;
  }
  stays();
}

void Planner::skip(std::string text) {
  attention("not carried: " + text);
  ++plan_.counts.skipped;
}

void Planner::ask() {
  if (guest_ && guest().entry.kind == Kind::file && !guest().digest)
    plan_.ask_guest.push_back(*guest_);
  if (host_ && host().version.kind == Kind::file && !host().version.digest)
    plan_.ask_host.push_back(*host_);
}

Record Planner::dealt_with() const {
  Record out{guest_seen(), std::nullopt, std::nullopt};
  if (record_ != nullptr) out.agreed = record_->agreed;
  if (host_) out.host = host_seen();
  return out;
}

void Planner::note_what_was_learned() {
  if (!guest_ || record_ == nullptr) return;
  Record now = *record_;
  now.guest = guest_seen();
  if (!host_)
    now.host.reset();
  else if (host().version.kind != Kind::file || host().version.digest)
    now.host = host_seen();
  if (now != *record_) change(std::move(now));
}

void Planner::agree() {
  const Record now{guest_seen(), host_seen(), guest_version()};
  if (record_ != nullptr && now == *record_) return;
  const bool is_news = record_ == nullptr || record_->guest.version != now.guest.version;
  if (is_news && !comes_as_directory()) ++plan_.counts.already_equal;
  if (!is_news && record_->agreed == now.agreed && restamp(now)) return;
  change(now);
}

// Carries a time or a mode that only the guest has changed.
bool Planner::restamp(const Record& now) {
  const Kind kind = guest().entry.kind;
  if (kind == Kind::link || !record_->host) return false;
  const std::uint32_t mode = mode_after(host());
  const UnixNanos mtime = guest().entry.mtime;
  const bool has_time = kind == Kind::file && mtime != record_->guest.stamp.mtime &&
                        host().stamp.mtime == record_->host->stamp.mtime &&
                        host().stamp.mtime != mtime;
  if (mode == host().stamp.mode && !has_time) return false;
  Action action = coming(Deed::restamp, Why::restamped, path_);
  action.over = host();
  action.mode = mode;
  action.mtime = has_time ? mtime : host().stamp.mtime;
  action.after = now;
  plan_.actions.push_back(std::move(action));
  return true;
}

// The host's mode, or the guest's where only the guest has changed it.
std::uint32_t Planner::mode_after(const HostEntry& over) const {
  const Kind kind = guest().entry.kind;
  const std::uint32_t wanted = host_mode(kind, guest().entry.mode, situation_.umask);
  const Stamp& before = record_->guest.stamp;
  const bool in_guest = wanted != host_mode(kind, before.mode, situation_.umask);
  const bool on_host = record_->host && record_->host->stamp.mode != over.stamp.mode;
  return in_guest && !on_host ? wanted : over.stamp.mode;
}

// The guest's thing as it comes to `to`; what is remembered when that has been done.
Action Planner::coming(Deed deed, Why why, std::string to) {
  Action action;
  action.deed = deed;
  action.why = why;
  action.path = path_;
  action.to = std::move(to);
  action.from = guest_;
  action.mode = host_mode(guest().entry.kind, guest().entry.mode, situation_.umask);
  action.mtime = guest().entry.mtime;
  action.after = dealt_with();
  if ((guest().entry.mode & set_id_bits) != 0 && deed != Deed::write_link)
    attention("its set-id bits are left out");
  return action;
}

void Planner::come(Why why, std::string to) {
  places_.take(to);
  plan_.actions.push_back(coming(writing(), why, std::move(to)));
}

// To its place; where its folder had to go elsewhere, it may be there from before.
void Planner::arrive(Why why) {
  std::string to = joined(places_.directory_here(), name_of(path_));
  const auto found = places_.look_at(to, *guest_);
  if (found && found->found == Places::Beside::Found::free) return come(why, std::move(to));
  come_beside(found ? *found : places_.beside(parent_of(to), path_, *guest_));
}

void Planner::come_beside(const Places::Beside& found) {
  using Found = Places::Beside::Found;
  if (found.found == Found::unknown) return;
  if (found.found == Found::free) return come(Why::conflict, found.path);
  Record now = dealt_with();
  if (!now.guest.version.digest) now.guest.version.digest = found.digest;
  change(std::move(now));
}

void Planner::update() {
  Action action = coming(writing(), Why::updated, path_);
  action.over = host();
  action.mode = mode_after(host()) & 0777U;
  plan_.actions.push_back(std::move(action));
}

void Planner::replace() {
  if (host().version.kind == Kind::directory) {
    partings_.push_back({path_, *host_, guest_});
    return;
  }
  trashes_.push_back(removal(Deed::to_trash));
  if (!comes_as_directory()) come(Why::updated, path_);
}

// It goes away. When something else comes in its place, the record says until then what was.
Action Planner::removal(Deed deed) const {
  Action action;
  action.deed = deed;
  action.why = Why::removed;
  action.path = path_;
  action.to = path_;
  action.over = host();
  if (guest_) {
    action.after = *record_;
    action.after->host.reset();
  }
  return action;
}

}  // namespace satchel::sync
