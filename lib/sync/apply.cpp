#include "sync/apply.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.hpp"
#include "sync/host_scan.hpp"

namespace satchel::sync {
void Application::run(const Plan& plan) {
  settling_ = plan.changes;
  std::vector<const Action*> files;
  std::vector<const Action*> links;
  for (const Action& action : plan.actions) {
    if (action.deed != Deed::write_file) continue;
    files.push_back(&action);
    total_ = total_ + entry_of(action).entry.size;
  }
  for (const Action& action : plan.actions) {
    check_stop();
    switch (action.deed) {
      case Deed::to_trash:
        take_away(action);
        break;
      case Deed::remove_directory:
        part_with(action);
        break;
      case Deed::make_directory:
        make_directory(action);
        break;
      case Deed::restamp:
        restamp(action);
        break;
      case Deed::write_link:
        links.push_back(&action);
        break;
      case Deed::write_file:
        break;
    }
  }
  for (const Action* each : links) write_link(*each);
  write_files(files);
  flush();
  set_times(plan);
  settle();
}

void Application::check_stop() const {
  if (parts_.stop.stop_requested())
    throw Fault(Remedy::retry, {"sync", parts_.tree.shown_path({}), "it was stopped", {}});
}

void Application::take_away(const Action& action) {
  if (const auto obstacle = parts_.trash.take(*action.over)) {
    if (!action.after) skip(action, "it was deleted in the guest and stays here: " + obstacle->why);
    return;  // what was to take its place goes beside it
  }
  tell(action, report_);
  settling_.push_back({action.path, action.after});
}

void Application::part_with(const Action& action) {
  if (const auto obstacle = remove_directory(parts_.tree, action.to)) {
    if (!action.after) skip(action, "it was deleted in the guest and stays here: " + obstacle->why);
    return;
  }
  tell(action, report_);
  settling_.push_back({action.path, action.after});
}

void Application::make_directory(const Action& action) {
  if (is_in_failed_directory(action.to)) return;
  const auto found = sync::make_directory(parts_.tree, action.to, action.mode);
  if (!found) {
    failed_directories_.insert(action.to);
    return skip(action, found.error().why);
  }
  made_.insert(action.to);
  done(action, *found, Digest{});
}

void Application::restamp(const Action& action) {
  const auto found = sync::restamp(parts_.tree, *action.over, action.mode, action.mtime);
  if (!found) return skip(action, found.error().why);
  done(action, *found, action.after->host->version.digest);
}

void Application::write_link(const Action& action) {
  if (is_in_failed_directory(action.to)) return;
  auto draft = Draft::link(parts_.tree, action.to, entry_of(action).entry.link_target);
  if (!draft) return skip(action, draft.error().why);
  if (const auto obstacle = draft->finish_link(action.mtime)) return skip(action, obstacle->why);
  ready_.push_back({&action, std::move(*draft), entry_of(action).digest});
  if (is_batch_full()) flush();
}

void Application::write_files(const std::vector<const Action*>& files) {
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const Action* each : files) {
    if (is_in_failed_directory(each->to)) continue;
    wanted_.emplace(each->path, each);
    if (entry_of(*each).entry.size.value > 0) {
      paths.push_back(each->path);
    } else {
      begin(each->path);
      end();
    }
  }
  std::ranges::sort(paths, TreeOrder{});
  if (!paths.empty()) parts_.guest.read(paths, *this, parts_.stop);
  // An implementation that leaves one out must not make it count as dealt with.
  for (const auto& [path, action] : wanted_)
    skip(*action, "the guest's filesystem did not give it");
  wanted_.clear();
}

// Brings what is drafted to the medium, remembers what came there with it, and puts the drafts to
// their places.
void Application::flush() {
  if (ready_.empty()) return;
  settle();
  for (Ready& each : ready_) install(each);
  ready_.clear();
  ready_bytes_ = 0;
}

void Application::settle() {
  if (ready_.empty() && settling_.empty()) return;
  if (::syncfs(parts_.tree.target()) != 0)
    throw fault_from_errno(errno, "write through to the disk", parts_.tree.shown_path({}));
  parts_.state.append(settling_);
  settling_.clear();
}

void Application::set_times(const Plan& plan) {
  // What is further down first: it changes those above.
  for (auto action = plan.actions.rbegin(); action != plan.actions.rend(); ++action)
    if (action->deed == Deed::make_directory && made_.contains(action->to))
      set_directory_time(parts_.tree, action->to, entry_of(*action).entry.mtime);
}

void Application::remember(const Action& action, const Found& found,
                           const std::optional<Digest>& digest) {
  Record record = *action.after;
  record.guest.version.digest = digest;
  if (action.to == action.path) {
    record.agreed = record.guest.version;
    record.host = seen_on_host(found, digest);
  }
  settling_.push_back({action.path, std::move(record)});
}

void Application::done(const Action& action, const Found& found,
                       const std::optional<Digest>& digest) {
  tell(action, report_);
  remember(action, found, digest);
}

void Application::skip(const Action& action, const std::string& why) {
  ++report_.counts.skipped;
  report_.lines.push_back({Mark::attention, action.to, "not carried: " + why});
}

bool Application::is_in_failed_directory(std::string_view path) const {
  if (failed_directories_.empty()) return false;
  for (path = parent_of(path); !path.empty(); path = parent_of(path))
    if (failed_directories_.contains(path)) return true;
  return false;
}

}  // namespace satchel::sync
