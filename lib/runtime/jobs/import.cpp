#include "runtime/jobs/import.hpp"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/beneath.hpp"
#include "base/fault.hpp"
#include "format/text.hpp"
#include "machine/firmware.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/new_capsule.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

constexpr auto imported_emulator = "QEMU, as imported";

/// Nothing of that identity may be there: what fails later removes it. Files lane.
void check_free(const ImportOrder& order) {
  const auto id = order.capsule.value.str();
  const auto there = open_beneath(order.stick->root()->get(), "satchel/" + id, O_PATH);
  if (there || there.error() != ENOENT)
    throw Fault(Remedy::fix_request,
                Fault::Text{"import", "capsule " + id, "the device has it already",
                            "Import it without --uuid: it then gets an identity of its own."});
}

/// Shared with the coroutine that fills the capsule.
struct Import {
  ImportSet set;
  NewCapsule order;
};

Import plan(const ImportOrder& order, ImportSet set) {
  Import out{std::move(set), {}};
  auto& plan = out.order;
  plan.stick = order.stick;
  plan.capsule = order.capsule;
  plan.name = order.name.empty() ? out.set.machine.name : order.name;
  if (!format::is_name(plan.name))
    throw Fault(Remedy::fix_request,
                Fault::Text{"import", "the machine", "its name can't be a capsule's",
                            "Give another one (--name): at most 255 bytes of UTF-8 without "
                            "control characters."});
  plan.deed = "import";
  plan.machine_json = machine::write_json(out.set.machine);
  for (const auto& disk : out.set.disks)
    plan.disks.push_back(NewDisk{disk.target, disk.source, disk.virtual_size, disk.flat_size});
  if (out.set.memory) plan.more_size = out.set.memory->stream_size;
  if (out.set.nvram) plan.more_size = plan.more_size + ByteCount(out.set.nvram->size());
  return out;
}

Task<format::SignedHead> run(Parts& parts, Import& import, JobContext job, Undo& undo) {
  import.order.more = [&](format::CapsuleDirectory & capsule, format::Head & head, Meter & meter,
                          std::stop_token stop) {
    const auto& set = import.set;
  if (set.nvram) {
    head.nvram = "state/1.nvram";
    add_object(head, store_bytes(capsule, *set.nvram, *head.nvram));
  }
  if (set.memory)
    store_memory(capsule, head, *set.memory, parts.config, set.machine.accelerator,
                 imported_emulator, meter, std::move(stop));
};
auto beginning = begin_capsule(parts, import.order, job, undo);
const auto unfinished = co_await std::move(beginning);
auto finishing = finish_capsule(parts, import.order, *unfinished, std::nullopt, job);
co_return co_await std::move(finishing);
}  // namespace

}  // namespace satchel

Task<Imported> import_capsule(Parts& parts, ImportOrder order, JobContext job) {
  job.meter->name("looking at the files");
  auto reading = offload(parts.lanes.files, [&] {
    check_free(order);
    auto set = read_import_set(*order.from, order.memory, machine::firmware_on_host());
    return plan(order, std::move(set));
  });
  auto import = co_await std::move(reading);
  Undo undo;
  auto importing = or_undo(undo, parts.log, run(parts, import, job, undo));
  auto head = co_await std::move(importing);
  Imported result{std::move(head), std::move(import.set.left_behind)};
  co_return result;
}

}  // namespace satchel
