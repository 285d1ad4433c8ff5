#include "runtime/jobs/export.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/host_fault.hpp"
#include "base/told_of.hpp"
#include "disk/copy.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
#include "hibernation/save_image.hpp"
#include "machine/writing.hpp"
#include "runtime/jobs/export_names.hpp"
#include "runtime/jobs/preflight.hpp"

namespace satchel {

namespace {

/// Room behind the save image's XML for longer paths.
constexpr std::size_t xml_spare = 16U << 10;
/// XML, README and the directories' own blocks.
constexpr ByteCount for_small_files = mebibytes(2);

std::string path_in(const ExportOrder& order, const std::string& name) {
  return order.to->shown(name);
}

std::vector<disk::SourceFile> top_first(const ExportedDisk& disk) {
  std::vector<disk::SourceFile> out;
  for (auto file = disk.chain.rbegin(); file != disk.chain.rend(); ++file)
    out.push_back({disk::path_of(file->fd.get()), "qcow2"});
  return out;
}

struct Sizes {
  std::vector<ByteCount> disks;  ///< of each, as it is written
  ByteCount total;               ///< of all files
};

Sizes measure(const ExportOrder& order, const ExportSource& source, const std::stop_token& stop) {
  Sizes out;
  ByteCount largest;
  const auto add = [&](ByteCount size) {
    out.total = out.total + size;
    largest = std::max(largest, size);
  };
  for (const auto& disk : source.disks) {
    ByteCount size;
    if (order.layout == DiskLayout::flat) {
      size = disk::size_when_flat(top_first(disk), stop);
      add(size);
    } else {
      for (const auto& file : disk.chain) {
        size = size + file.size;
        add(file.size);
      }
    }
    out.disks.push_back(size);
  }
  if (source.memory) add(source.memory->stream_size);
  if (source.nvram) add(ByteCount(source.nvram->size()));
  out.total = out.total + for_small_files;
  const auto room = order.to->room();
  if (largest > room.largest_file)
    throw Fault(Remedy::fix_request,
                Fault::Text{"export", source.name,
                            "one of its files has " + to_string(largest) +
                                ", more than the filesystem of " + order.to->shown() + " holds",
                            "Export to another filesystem."});
  if (out.total > room.free)
    throw Fault(Remedy::free_space,
                Fault::Text{"export", source.name,
                            order.to->shown() + " has " + to_string(room.free) + " free and " +
                                to_string(out.total) + " are needed",
                            "Free some space there, or export to another filesystem."});
  return out;
}

/// Whether somebody has changed the file meanwhile: a merge of its layers.
struct Witness {
  explicit Witness(int fd) : fd_(fd) { look(before_); }
  bool unchanged() const {
    struct stat now {};
    look(now);
    return now.st_size == before_.st_size && now.st_mtim.tv_sec == before_.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before_.st_mtim.tv_nsec;
  }

 private:
  void look(struct stat& into) const {
    if (::fstat(fd_, &into) != 0) throw fault_from_errno(errno, "look at", "the disk file");
  }
  int fd_;
  struct stat before_ {};
};

void copy_file(const ExportedDisk::File& from, int to, const std::string& shown,
               const ProgressSink& progress, std::stop_token stop) {
  const Witness witness(from.fd.get());
  std::uint64_t at = 0;
  const disk::SparseSink sink{
      [&](std::span<const std::byte> bytes) {
        disk::write_all(to, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, shown);
        at += bytes.size();
      },
      [&](ByteCount hole) {
        at += hole.value;
        if (::lseek(to, static_cast<off_t>(at), SEEK_SET) < 0)
          throw host_fault_from_errno(errno, "write", shown);
      }};
  disk::copy_sparse({from.fd.get()}, sink, progress, stop);
  if (::ftruncate(to, static_cast<off_t>(at)) != 0)
    throw host_fault_from_errno(errno, "write", shown);
  if (!witness.unchanged())
    throw Fault(Remedy::retry, Fault::Text{"export", from.name, "it is being merged just now",
                                           "Wait until the merge has ended, or export it flat."});
}

/// Writes one disk; gives the chain as the XML shows it, top first.
std::vector<machine::SessionDisk::File> write_disk(const ExportOrder& order,
                                                   const ExportedDisk& disk, disk::NewFiles& files,
                                                   Meter& meter, std::stop_token stop) {
  const auto step = "copying disk " + disk.target;
  std::vector<machine::SessionDisk::File> out;
  if (order.layout == DiskLayout::flat) {
    const auto name = disk.target + ".qcow2";
    const auto to = disk::path_of(files.create(name));
    told_of(path_in(order, name),
            [&] { disk::flatten(top_first(disk), to, meter.begin(step), stop); });
    out.push_back({{}, path_in(order, name), "qcow2"});
    return out;
  }
  for (std::size_t i = 0; i < disk.chain.size(); ++i) {
    const auto& file = disk.chain[i];
    const auto name = disk.target + "/" + file.name;
    const int to = files.create(name);
    copy_file(file, to, path_in(order, name), meter.begin(step), stop);
    // Its own header may name a layer that was merged since.
    if (i > 0) disk::set_backing(to, disk.chain[i - 1].name);
    out.insert(out.begin(), {{}, path_in(order, name), "qcow2"});
  }
  return out;
}

void write_memory(const ExportOrder& order, const ExportedMemory& memory, const std::string& xml,
                  disk::NewFiles& files, Meter& meter, std::stop_token stop) {
  const int to = files.create(exported::save_image);
  const auto shown = path_in(order, exported::save_image);
  const auto as = memory.was_paused ? hibernation::SavedAs::paused : hibernation::SavedAs::running;
  disk::write_all(to, hibernation::write_save_header(xml, as, xml_spare), shown);
  const auto write = [&](std::span<const std::byte> bytes) {
    disk::write_all(to, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, shown);
  };
  try {
    memory.stream(write, meter.begin("writing memory"), stop);
  } catch (const Fault& fault) {
    if (fault.remedy() != Remedy::choose) throw;
    throw Fault(Remedy::choose,
                Fault::Text{"export", fault.text().object, fault.text().why,
                            "Plug the device in again; if it stays damaged, export the machine "
                            "without it (--no-memory)."});
  }
}

/// Files lane.
void write_all_of_it(const ExportOrder& order, const ExportSource& source,
                     const machine::HostPolicy& policy, Meter& meter, std::stop_token stop) {
  disk::NewFiles files(*order.to);
  machine::SessionPlan plan;
  plan.domain_name = source.machine.name;
  plan.start = source.memory ? machine::Start::resume : machine::Start::boot;
  plan.console = machine::Console::terminal;
  for (const auto& disk : source.disks)
    plan.disks.push_back({disk.target, write_disk(order, disk, files, meter, stop)});
  if (source.nvram) {
    files.write(exported::nvram, *source.nvram);
    plan.nvram_path = path_in(order, exported::nvram);
  }
  const auto xml = machine::write_domain(source.machine, policy, plan);
  if (source.memory) write_memory(order, *source.memory, xml, files, meter, stop);
  files.write(exported::domain_xml, xml);
  files.write(exported::readme, readme_of(order, source, plan));
  if (stop.stop_requested())
    throw Fault(Remedy::retry, Fault::Text{"export", source.name, "it was stopped", {}});
  meter.name("writing it out");
  files.publish();
}

void check_firmware(const ExportSource& source, const machine::HostPolicy& policy) {
  if (source.machine.boot.firmware.kind != "efi") return;
  if (!source.nvram)
    throw Fault(Remedy::other_device,
                Fault::Text{"export", source.name, "its firmware's variables are missing", {}});
  if (machine::firmware_for(source.machine, policy.firmware) == nullptr)
    throw Fault(Remedy::fix_config,
                Fault::Text{"export", source.name,
                            "its EFI firmware is not on this computer, so its domain XML can't "
                            "name it",
                            "Install the package ovmf and export again."});
}

}  // namespace

void check_empty(const ExportOrder& order, const std::string& name) {
  const auto there = order.to->names();
  if (there.empty()) return;
  throw Fault(Remedy::fix_request, Fault::Text{"export", name, order.to->shown() + " is not empty",
                                               "Give a new directory, or an empty one."});
}

Task<Exported> export_source(Parts& parts, const ExportOrder& order, const ExportSource& source,
                             JobContext job) {
  // The XML is for a libvirt like this one; whether the accelerator works here does not matter.
  auto asking = parts.hypervisor.ability(Accelerator::tcg);
  const auto host = co_await std::move(asking);

  Exported result{source.name, source.state, {}};
  auto writing = offload(parts.lanes.files, [&] {
    check_empty(order, source.name);
    const auto policy = host_policy(parts.config, host, source.accelerator);
    check_firmware(source, policy);
    const auto sizes = measure(order, source, job.stop);
    result.written = sizes.total;
    ByteCount steps = source.memory ? source.memory->steps : ByteCount();
    for (const auto& size : sizes.disks) steps = steps + size;
    job.meter->expect_more(steps);
    write_all_of_it(order, source, policy, *job.meter, job.stop);
  });
  co_await std::move(writing);
  co_return result;
}

Task<Exported> export_capsule(Parts& parts, ExportOrder order, JobContext job) {
  job.meter->name("checking the device");
  auto opening = offload(parts.lanes.files, [&] {
    auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), order.capsule);
    return open_generation(parts, std::move(capsule), order.generation, job);
  });
  const auto source = co_await std::move(opening);
  auto exporting = export_source(parts, order, source, job);
  co_return co_await std::move(exporting);
}

}  // namespace satchel
