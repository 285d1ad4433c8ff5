#include "runtime/jobs/open_session.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "disk/qemu_img.hpp"
#include "machine/reading.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Takes overlays off the disk's top down to the one that is in use, unless one of them holds
/// anything, or is somebody's.
void take_off(DiskOverlay& disk, const std::string& in_use, std::vector<std::string>& off) {
  const auto used = std::ranges::find(disk.frozen, in_use);
  if (used == disk.frozen.end()) return;
  std::vector<std::string> above(used + 1, disk.frozen.end());
  above.push_back(disk.path);
  if (!std::ranges::all_of(
          above, [](const auto& each) { return !holds_data(each) && disk::is_free(each); }))
    return;
  disk.path = in_use;
  disk.frozen.erase(used, disk.frozen.end());
  off.insert(off.end(), above.begin(), above.end());
}

/// Files lane. `live`: the guest's description.
void put_right(Parts& parts, Session& session, const std::string& live) {
  const auto now = machine::read_domain(live, machine::Moment::running);
  if (!now) return;  // whoever needs it says what is wrong
  std::vector<std::string> off;
  for (auto& disk : session.disks) {
    const auto source = std::ranges::find(now->disks, disk.target, &machine::DiskSource::target);
    if (source != now->disks.end() && source->path != disk.path) take_off(disk, source->path, off);
  }
  if (off.empty()) return;
  parts.shelf.save(session);
  for (const auto& path : off) {
    std::error_code left;  // it goes with the session's directory
    std::filesystem::remove(path, left);
  }
  parts.log.info(session.capsule_name +
                 ": the last checkpoint was cut short; its guest writes to where it did before");
}

}  // namespace

Task<Session> open_session(Parts& parts, CapsuleId capsule, std::string name, std::string doing) {
  auto loading = offload(parts.lanes.files, [&] { return parts.shelf.find(capsule); });
  auto session = co_await std::move(loading);
  if (!session)
    throw Fault(
        Remedy::report_bug,
        Fault::Text{std::move(doing), std::move(name), "the session's journal is missing", {}});
  const bool has_frozen = std::ranges::any_of(
      session->disks, [](const DiskOverlay& disk) { return !disk.frozen.empty(); });
  if (has_frozen) {
    auto describing = parts.hypervisor.describe(session->domain.value.str());
    const auto domain = co_await std::move(describing);
    const std::string live = domain ? domain->live : std::string();
    auto putting = offload(parts.lanes.files, [&] {
      if (!live.empty()) put_right(parts, *session, live);
    });
    co_await std::move(putting);
  }
  co_return std::move(*session);
}

}  // namespace satchel
