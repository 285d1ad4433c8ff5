#include "runtime/jobs/strand.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "hibernation/save_image.hpp"
#include "ports/saved_already.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

Task<Session> load(Parts& parts, CapsuleId capsule) {
  auto loading =
      offload(parts.lanes.files, [&parts, capsule] { return parts.shelf.find(capsule); });
  auto session = co_await std::move(loading);
  if (!session)
    throw Fault(
        Remedy::report_bug,
        Fault::Text{
            "find the session of capsule", capsule.value.str(), "its journal is missing", {}});
  co_return std::move(*session);
}

void sync_directory_of(const std::filesystem::path& file) {
  const auto place = file.parent_path();
  const UniqueFd directory(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    throw host_fault_from_errno(errno, "write out", place.string());
}

void make_durable(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || ::fsync(fd.get()) != 0) throw host_fault_from_errno(errno, "write out", file);
  sync_directory_of(file);
}

bool is_saved_already(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const SavedAlready&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// The same of a save that libvirt has finished, whatever it told of it.
std::string take_what_is_saved(const Parts& parts, const Session& session) {
  try {
    auto against = hibernation::is_finished_save(*session.save_image)
                       ? std::string()
                       : take_cut_short(parts, session);
    if (against.empty()) make_durable(*session.save_image);
    return against;
  } catch (const std::exception& trouble) {
    return trouble.what();
  }
}

/// Saves the guest into the session's directory; it is gone afterwards. libvirt completes it also
/// when the daemon is killed meanwhile, so the journal has to know of the image before.
Task<void> save_guest(Parts& parts, Session& session) {
  const auto image = saved_guest(parts, session.capsule).string();
  const auto phase = session.phase;
  // An older one under that name would pass for the save that is about to be made.
  auto removing = offload(parts.lanes.files, [&] {
    set_aside(parts, session);
    std::filesystem::remove(image);
  });
  co_await std::move(removing);
  session.save_image = image;
  auto noting = note_phase(parts, session, Phase::stranded);
  co_await std::move(noting);
  std::exception_ptr failure;
  try {
    auto saving = parts.hypervisor.save(session.domain, image);
    co_await std::move(saving);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto finding = find_guest(parts, session);
    const auto left = co_await std::move(finding);
    // Gone, it has ended with a save: this one, or an earlier one that libvirt carried through.
    if (!is_alive(left) || is_saved_already(failure)) {
      auto taking = offload(parts.lanes.files, [&] { return take_what_is_saved(parts, session); });
      const auto against = co_await std::move(taking);
      if (against.empty() || is_alive(left))
        parts.log.warning(session.capsule_name +
                          ": a save was cut short with all of its memory written; " +
                          (against.empty() ? "it counts" : "it can't be used: " + against));
      if (against.empty()) {
        auto ending = end_if_alive(parts, session);
        co_await std::move(ending);
        co_return;
      }
    }
    if (is_alive(left)) {
      session.save_image.reset();
      auto taking_back = note_phase(parts, session, phase);
      co_await std::move(taking_back);
    }
    std::rethrow_exception(failure);
  }
  auto syncing = offload(parts.lanes.files, [&] {
    make_durable(image);
    std::filesystem::remove(cut_short_save(parts, session.capsule));
  });
  co_await std::move(syncing);
}

}  // namespace

std::string take_cut_short(const Parts& parts, const Session& session) {
  namespace fs = std::filesystem;
  const auto kept = cut_short_save(parts, session.capsule);
  if (!fs::exists(kept)) return "nothing of it was kept";
  if (!hibernation::is_whole_save(kept)) return "it lacks its end";
  const auto written = fs::last_write_time(kept);
  for (const auto& disk : session.disks)
    for (const auto& overlay : disk.overlays())
      if (fs::last_write_time(overlay) > written)
        return "disk " + disk.target + " was written to after it";
  hibernation::finish_save(kept);
  fs::rename(kept, *session.save_image);
  sync_directory_of(kept);
  return {};
}

Task<Session> strand(Parts& parts, CapsuleId capsule) {
  auto loading = load(parts, capsule);
  auto session = co_await std::move(loading);
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  if (is_alive(guest)) {
    auto saving = save_guest(parts, session);
    co_await std::move(saving);
  }
  co_return session;
}

}  // namespace satchel
