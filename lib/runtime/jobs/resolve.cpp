#include "runtime/jobs/resolve.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "disk/given_directory.hpp"
#include "disk/qemu_img.hpp"
#include "format/text.hpp"
#include "machine/description.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/new_capsule.hpp"
#include "runtime/jobs/session_source.hpp"
#include "runtime/jobs/strand.hpp"
#include "runtime/sessions.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

constexpr auto deed = "keep both";
constexpr auto saved_by = "QEMU, as saved on a computer";

/// The session, whose guest is in no memory any more, and all that it is made of.
struct Opened {
  Session session;
  SessionSource source;
};

/// `stick`: with the files that the session was begun over; null: this computer has copies of them.
Task<Opened> open_here(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                       std::string doing, JobContext job) {
  job.meter->name("looking at what is kept here");
  auto stranding = strand(parts, capsule);
  auto session = co_await std::move(stranding);
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  if (guest && guest->has_saved_memory)
    throw memory_kept(doing, session.capsule_name, *guest, WhoStarts::us);
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  const auto domain = co_await std::move(describing);
  const auto definition = domain ? domain->inactive : std::string();
  if (definition.empty() && !session.save_image)
    throw Fault(
        Remedy::fix_config,
        Fault::Text{doing, session.capsule_name, "libvirt does not know the machine any more",
                    "What it wrote is in " + parts.shelf.directory(capsule).string() + "."});
  auto opening = offload(parts.lanes.files, [&] {
    const auto below =
        stick ? below_on(*stick, session, doing) : below_on_copies(parts, session, doing, job);
    auto source = open_session(below, session, definition, author(parts), doing);
    compare_below(parts, below, session, DiskUse::whole, job);
    return source;
  });
  auto source = co_await std::move(opening);
  Opened out{std::move(session), std::move(source)};
  co_return out;
}

/// The machine's name and whose it is: both stand side by side from now on.
std::string name_beside(const std::string& name, const std::string& host) {
  const auto out = name + " from " + host;
  return format::is_name(out) ? out : name;
}

/// Files lane: qemu-img measures the chains.
NewCapsule plan(const Parts& parts, std::shared_ptr<Stick> stick, const Opened& opened,
                const std::stop_token& stop) {
  const auto& content = opened.source.content;
  NewCapsule out;
  out.stick = std::move(stick);
  out.capsule = CapsuleId(Uuid::random());
  out.name = name_beside(opened.session.capsule_name, parts.host_name);
  out.deed = deed;
  out.machine_json = machine::write_json(content.machine);
  for (const auto& disk : content.disks) {
    NewDisk copy{disk.target, {}, disk.virtual_size, {}};
    for (auto file = disk.chain.rbegin(); file != disk.chain.rend(); ++file)
      copy.source.push_back({disk::path_of(file->fd.get()), "qcow2"});
    copy.image_size = disk::size_when_flat(copy.source, stop);
    // Only media have one file: every disk of a session has its overlay over at least an image.
    if (disk.chain.size() == 1) copy.kind = NewDisk::Kind::medium;
    out.disks.push_back(std::move(copy));
  }
  if (opened.session.nvram) out.nvram = *opened.session.nvram;
  if (opened.source.memory) out.more_size = opened.source.memory->stream_size;
  // A machine of this host's own may run here from this capsule as well as from the other.
  if (was_packed_here(parts, opened.session.capsule, opened.session.domain))
    remember_packed(parts, out.capsule, opened.session.domain);
  return out;
}

Task<format::SignedHead> make(Parts& parts, NewCapsule& order, const Opened& opened, JobContext job,
                              Undo& undo) {
  if (opened.source.memory)
    order.more = [&](format::CapsuleDirectory& capsule, format::Head& head, Meter& meter,
                     std::stop_token stop) {
      store_memory(capsule, head, *opened.source.memory, parts.config,
                   opened.source.content.accelerator, saved_by, meter, std::move(stop));
    };
  auto beginning = begin_capsule(parts, order, job, undo);
  const auto unfinished = co_await std::move(beginning);
  auto finishing = finish_capsule(parts, order, *unfinished, std::nullopt, job);
  co_return co_await std::move(finishing);
}

}  // namespace

Task<KeptBeside> keep_beside(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                             JobContext job) {
  auto looking = open_here(parts, stick, capsule, "keep", job);
  const auto opened = co_await std::move(looking);
  auto planning = offload(parts.lanes.files, [&] { return plan(parts, stick, opened, job.stop); });
  auto order = co_await std::move(planning);
  Undo undo;
  auto making = or_undo(undo, parts.log, make(parts, order, opened, job, undo));
  auto head = co_await std::move(making);
  KeptBeside result{std::move(head), opened.source.left_behind};
  co_return result;
}

Task<Exported> export_session(Parts& parts, ExportOrder order, JobContext job) {
  auto looking_there =
      offload(parts.lanes.files, [&] { check_empty(order, "the session that is kept here"); });
  co_await std::move(looking_there);
  auto looking = open_here(parts, order.stick, order.capsule, "export", job);
  auto opened = co_await std::move(looking);
  if (order.generation.memory == GenerationChoice::Memory::without)
    opened.source.content.memory.reset();
  auto exporting = export_source(parts, order, opened.source.content, job);
  co_return co_await std::move(exporting);
}

}  // namespace satchel
