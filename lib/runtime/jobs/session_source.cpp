#include "runtime/jobs/session_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "base/host_file.hpp"
#include "core/describe.hpp"
#include "disk/qcow2.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/machine_now.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr std::size_t largest_read = 1U << 20;

Fault lost(const Session& session, const std::string& doing, std::string why) {
  return Fault(
      Remedy::choose,
      Fault::Text{doing, session.capsule_name + " as this computer left it", std::move(why),
                  "What this computer wrote is kept; it can't be put together with these "
                  "files any more."});
}

UniqueFd open_here(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw host_fault_from_errno(errno, "open", path);
  return fd;
}

ByteCount size_of(int fd, const std::string& path) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) throw host_fault_from_errno(errno, "look at", path);
  return ByteCount(static_cast<std::uint64_t>(about.st_size));
}

/// A merge or fold by whoever took the machine over changes the files that this session needs; it
/// is refused there unless somebody says that the session is given up. One of its own, of which its
/// journal may not know, changes only what its files hide (docs/decisions/0009).
void check_unmerged(const format::Head& newest, const Session& session, const HostId& here,
                    const std::string& doing) {
  bool own = true;
  for (const auto& [generation, what] : newest.history) {
    if (generation.seq <= session.base_sequence) continue;
    own = own && generation.host == here && what != what::check_out;
    if (!own && (what.starts_with(what::merge) || what.starts_with(what::fold)))
      throw lost(session, doing,
                 generation.host_name + " has merged the files that it was begun over");
  }
}

ExportedDisk open_disk(const Below& below, const Session& session, const DiskOverlay& overlay,
                       const std::string& doing) {
  const auto& newest = below.head;
  const auto known = std::find_if(newest.disks.begin(), newest.disks.end(),
                                  [&](const auto& each) { return each.target == overlay.target; });
  const bool whole = known != newest.disks.end() &&
                     std::all_of(overlay.chain.begin(), overlay.chain.end(),
                                 [&](const auto& path) { return newest.find(path) != nullptr; });
  if (!whole)
    throw lost(session, doing,
               "there are not all files of disk " + overlay.target + " that it was begun over");
  const format::Disk begun_over{overlay.target, known->virtual_size, overlay.chain};
  auto files = open_chain(below.open, newest, begun_over);
  ExportedDisk out{overlay.target, known->virtual_size, {}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto size = size_of(files[i].get(), begun_over.chain[i]);
    out.chain.push_back({file_name(begun_over.chain[i]), std::move(files[i]), size});
  }
  const auto ours = overlay.overlays();
  for (auto each = ours.rbegin(); each != ours.rend(); ++each) {
    auto file = open_here(*each, O_RDONLY);
    const auto size = size_of(file.get(), *each);
    out.chain.push_back({file_name(*each), std::move(file), size});
  }
  // It may have grown since its device was written.
  if (const auto top = disk::read_qcow2(out.chain.back().fd.get()))
    out.virtual_size = std::max(out.virtual_size, top->virtual_size);
  return out;
}

/// What is in a CD drive; the device has it as long as its newest generation does.
ExportedDisk open_medium(const Below& below, const Session& session, const std::string& target,
                         const std::string& doing) {
  for (const auto& disk : below.head.disks) {
    if (disk.target != target || !disk.is_medium()) continue;
    auto files = open_chain(below.open, below.head, disk);
    const auto size = size_of(files.front().get(), disk.chain.front());
    ExportedDisk out{target, disk.virtual_size, {}};
    out.chain.push_back({file_name(disk.chain.front()), std::move(files.front()), size});
    return out;
  }
  throw lost(session, doing, "there is no copy of the medium in its drive " + target);
}

ExportedMemory stream_of(const ImportedMemory& memory, std::string image) {
  ExportedMemory out;
  out.stream_size = memory.stream_size;
  out.steps = memory.stream_size;
  out.was_paused = memory.was_paused;
  out.stream = [fd = memory.file.get(), at = memory.stream_at, size = memory.stream_size,
                image = std::move(image)](const hibernation::Sink& sink,
                                          const ProgressSink& progress, std::stop_token stop) {
    std::uint64_t done = 0;
    while (done < size.value) {
      if (stop.stop_requested())
        throw Fault(Remedy::retry, Fault::Text{"export", image, "it was stopped", {}});
      const auto wanted = std::min<std::uint64_t>(largest_read, size.value - done);
      const auto bytes = read_at(fd, at.value + done, wanted, image);
      if (bytes.empty())
        throw Fault(Remedy::retry, Fault::Text{"export", image, "it became shorter", {}});
      sink(std::as_bytes(std::span(bytes.data(), bytes.size())));
      done += bytes.size();
      if (progress) progress({"writing memory", ByteCount(done), size});
    }
  };
  return out;
}

}  // namespace

SessionSource open_session(const Below& below, const Session& session,
                           const std::string& definition, const Author& here,
                           const std::string& doing) {
  check_unmerged(below.head, session, here.host, doing);

  SessionSource out;
  auto& content = out.content;
  std::string xml = definition;
  auto moment = machine::Moment::shut_off;
  if (session.save_image) {
    auto saved =
        open_save_image(open_here(*session.save_image, O_RDONLY), doing, *session.save_image);
    xml = std::move(saved.xml);
    moment = machine::Moment::running;
    out.memory = std::move(saved.memory);
    // The daemon had paused it because its device was gone, as it resumes it when that is back.
    out.memory->was_paused = false;
    content.memory = stream_of(*out.memory, *session.save_image);
  }
  auto reading = read_machine_now(xml, moment, below.head.machine_json, doing);
  for (const auto& each : reading.left_behind)
    out.left_behind.push_back(each.where + ": " + each.what);
  if (!reading.machine.devices.tpms.empty()) throw no_tpm_yet(doing, session.capsule_name);
  content.name = session.capsule_name;
  content.state = "as " + here.host_name + " left it, begun " + core::to_string(session.started);
  content.accelerator = reading.machine.accelerator;
  for (const auto& overlay : session.disks)
    content.disks.push_back(open_disk(below, session, overlay, doing));
  for (const auto& target : reading.media)
    content.disks.push_back(open_medium(below, session, target, doing));
  if (session.nvram) content.nvram = read_host_file(*session.nvram);
  content.machine = std::move(reading.machine);
  return out;
}

}  // namespace satchel
