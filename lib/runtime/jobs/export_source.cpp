#include "runtime/jobs/export_source.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr ByteCount largest_nvram = mebibytes(64);

Fault unfit(Remedy remedy, const std::string& object, std::string why, std::string next = {}) {
  return Fault(remedy, Fault::Text{"export", object, std::move(why), std::move(next)});
}

std::string number(Sequence seq) { return std::to_string(seq.value); }

/// An older generation in place of the newest would be told as done like any other.
void refuse_older(const format::Examination& seen, Sequence known) {
  const auto& newest = seen.newest->head;
  if (newest.generation.seq >= known) return;
  auto why = "its newest generation, " + number(known) + ", can't be read whole";
  for (const auto& each : seen.problems)
    why += "; " + each.substr(0, each.find_last_not_of('.') + 1);
  throw unfit(Remedy::replug, newest.name, std::move(why),
              "Plug the device in again and retry. The older one: --generation " +
                  number(newest.generation.seq));
}

format::Head chosen(format::CapsuleDirectory& capsule, const format::Head& newest,
                    const std::optional<Sequence>& wanted) {
  if (!wanted || *wanted == newest.generation.seq) return newest;
  const auto older = capsule.older();
  if (const auto* there = with_content_of(*wanted, newest, older)) return *there;
  auto kept = number(newest.generation.seq);
  for (const auto& head : older) kept = number(head.generation.seq) + ", " + kept;
  throw unfit(Remedy::fix_request, newest.name,
              "generation " + number(*wanted) + " is not on its device",
              "What it keeps: " + kept + ".");
}

ExportedDisk open_disk(const format::CapsuleDirectory& capsule, const format::Head& head,
                       const format::Disk& disk) {
  ExportedDisk out{disk.target, disk.virtual_size, {}};
  auto files = open_chain(capsule, head, disk);
  for (std::size_t i = 0; i < files.size(); ++i) {
    struct stat about {};
    if (::fstat(files[i].get(), &about) != 0) throw fault_from_errno(errno, "read", disk.chain[i]);
    ExportedDisk::File file{file_name(disk.chain[i]), std::move(files[i]),
                            ByteCount(static_cast<std::uint64_t>(about.st_size))};
    out.chain.push_back(std::move(file));
  }
  return out;
}

ExportedMemory open_memory(const Parts& parts, const format::CapsuleDirectory& capsule,
                           const format::Head& head) {
  // Shared: a std::function is copied, files are not.
  const auto file =
      std::make_shared<const MemoryFile>(capsule, head, fifo_directory(parts, head.capsule));
  ExportedMemory out;
  out.stream_size = file->stream_size();
  out.steps = out.stream_size;
  out.was_paused = head.hibernation->was_paused;
  out.stream = [file, threads = worker_threads(parts.config)](const hibernation::Sink& sink,
                                                              const ProgressSink& progress,
                                                              std::stop_token stop) {
    file->decode(sink, threads, progress, std::move(stop));
  };
  return out;
}

}  // namespace

ExportSource open_generation(const Parts& parts, format::CapsuleDirectory capsule,
                             GenerationChoice choice, const JobContext& job) {
  auto seen = capsule.examine();
  if (!seen.newest)
    throw unfit(Remedy::other_device, "the machine", "no generation on its device is complete");
  if (!choice.seq && choice.known) refuse_older(seen, *choice.known);
  const auto& newest = seen.newest->head;
  const auto head = chosen(capsule, newest, choice.seq);
  auto machine = machine::read_json(head.machine_json);
  if (!machine)
    throw Fault(
        Remedy::other_device,
        Fault::Text{"read the machine description of", head.name, to_string(machine.error()), {}});
  if (!machine->devices.tpms.empty()) throw no_tpm_yet("export", head.name);
  check_length(head);
  ExportSource out;
  out.name = head.name;
  out.state = "generation " + number(head.generation.seq) + " by " + head.generation.host_name +
              ", " + core::to_string(head.generation.time);
  out.accelerator = machine->accelerator;
  out.machine = std::move(*machine);
  for (const auto& disk : head.disks) out.disks.push_back(open_disk(capsule, head, disk));
  const auto files = files_to_check(parts.config, DiskUse::whole, newest, chains_of(head), &head);
  compare_disks(capsule, newest, files, job);
  if (head.nvram) out.nvram = capsule.read_object(*head.find(*head.nvram), largest_nvram);
  if (head.hibernation && choice.memory == GenerationChoice::Memory::with) {
    out.memory = open_memory(parts, capsule, head);
    out.accelerator = head.hibernation->accelerator == "kvm" ? Accelerator::kvm : Accelerator::tcg;
  }
  return out;
}

}  // namespace satchel
