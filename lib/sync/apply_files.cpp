// How contents become files: drafted as they are read, installed by the batch.
#include <algorithm>

#include "base/fault.hpp"
#include "sync/apply.hpp"
#include "sync/names.hpp"

namespace satchel::sync {
namespace {

// As much as is drafted before it is brought to the medium and put in place, all at once.
constexpr std::size_t batch_files = 2048;
constexpr std::uint64_t batch_bytes = 256U << 20;
constexpr unsigned most_attempts = 1000;

constexpr const char* wrong_length = "its content is not as long as the guest's filesystem says";

}  // namespace

bool Application::is_batch_full() const {
  return ready_.size() >= batch_files || ready_bytes_ >= batch_bytes;
}

void Application::begin(const std::string& path) {
  check_stop();
  const auto found = wanted_.find(path);
  if (found == wanted_.end())
    throw Fault(Remedy::report_bug, {"read", shown(path), "it was not asked for", {}});
  current_ = found->second;
  wanted_.erase(found);
  failure_.reset();
  digest_.emplace();
  draft_.reset();
  auto draft = Draft::file(parts_.tree, current_->to);
  if (draft)
    draft_.emplace(std::move(*draft));
  else
    failure_ = draft.error().why;
}

// Whether so many more bytes are within what was listed: only for that much is there room.
bool Application::has_length(std::uint64_t more) {
  check_stop();
  if (failure_) return false;
  const std::uint64_t size = entry_of(*current_).entry.size.value;
  const std::uint64_t have = digest_->length().value;
  if (more > size || have > size - more) failure_ = wrong_length;
  return !failure_;
}

void Application::data(std::span<const std::byte> bytes) {
  if (!has_length(bytes.size())) return;
  const Entry& entry = entry_of(*current_).entry;
  digest_->data(bytes);
  draft_->write(bytes,
                entry.allocated < entry.size ? Draft::Zeros::left_out : Draft::Zeros::stored);
  report_.counts.read = report_.counts.read + ByteCount(bytes.size());
  if (parts_.progress) parts_.progress({"writing the host's files", report_.counts.read, total_});
}

void Application::hole(ByteCount length) {
  if (!has_length(length.value)) return;
  digest_->hole(length);
  draft_->skip(length);
}

void Application::end() {
  const Action& action = *current_;
  const GuestEntry& guest = entry_of(action);
  if (!failure_ && digest_->length() != guest.entry.size) failure_ = wrong_length;
  if (!failure_) {
    const Digest digest = digest_->finish();
    if (guest.digest && *guest.digest != digest) {
      failure_ = "the guest's filesystem gave it twice, and not the same";
    } else if (const auto obstacle = draft_->finish(action.mode, action.mtime)) {
      failure_ = obstacle->why;
    } else {
      report_.counts.written = report_.counts.written + draft_->stored();
      ready_bytes_ += draft_->stored().value;
      ready_.push_back({&action, std::move(*draft_), digest});
    }
  }
  if (failure_) skip(action, *failure_);
  draft_.reset();
  digest_.reset();
  if (is_batch_full()) flush();
}

void Application::unreadable(const std::string& path, const std::string& why) {
  draft_.reset();
  digest_.reset();
  const auto found = wanted_.find(path);
  const Action* action = found != wanted_.end() ? found->second : current_;
  if (found != wanted_.end()) wanted_.erase(found);
  if (action != nullptr && action->path == path)
    skip(*action, "the guest's can't be read: " + shown(why));
}

void Application::install(Ready& ready) {
  if (is_in_failed_directory(ready.action->to)) return;
  const auto found = ready.draft.install(ready.action->over);
  if (found) return done(*ready.action, *found, ready.digest);
  switch (found.error().kind) {
    case Obstacle::Kind::cannot:
      return skip(*ready.action, found.error().why);
    case Obstacle::Kind::changed:
    case Obstacle::Kind::taken:
      break;
  }
  install_beside(ready);
}

// Somebody was faster: theirs stays, as in any conflict.
void Application::install_beside(Ready& ready) {
  if (is_only_an_alias(parts_.tree, ready.draft.to()))
    return skip(*ready.action,
                "the host's filesystem takes its name for that of another file, which differs only "
                "in the letters' case or form");
  const auto found = settle_for_another_name(ready);
  if (!found) return skip(*ready.action, found.error().why);
  Action as_done = *ready.action;
  as_done.why = Why::conflict;
  as_done.to = ready.draft.to();
  done(as_done, *found, ready.digest);
}

OrObstacle<Found> Application::settle_for_another_name(Ready& ready) {
  const std::string above(parent_of(ready.draft.to()));
  const std::string name(name_of(ready.action->path));
  for (unsigned attempt = 1;; ++attempt) {
    ready.draft.redirect(joined(above, beside_name(name, parts_.capsule, parts_.moment, attempt)));
    auto found = ready.draft.install(std::nullopt);
    if (found || found.error().kind != Obstacle::Kind::taken || attempt == most_attempts)
      return found;
  }
}

}  // namespace satchel::sync
