#include "runtime/jobs/create.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/fault.hpp"
#include "disk/qemu_img.hpp"
#include "machine/firmware.hpp"
#include "runtime/jobs/new_capsule.hpp"
#include "runtime/known_hosts.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

Fault unfit(const CreateOrder& order, std::string why, std::string next) {
  return Fault(Remedy::fix_request,
               Fault::Text{"create", order.wish.name, std::move(why), std::move(next)});
}

/// A descriptor's file, for qemu-img, which runs as our child and takes paths only.
std::string path_for_child(const UniqueFd& file) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.get());
}

void check_readable(const CreateOrder& order, const UniqueFd& file, const std::string& what) {
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0) throw fault_from_errno(errno, "look at", what);
  if ((flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY)
    throw unfit(order, what + " is not open for reading", "Open it for reading.");
}

struct Image {
  disk::SourceFile file;
  ByteCount virtual_size;
  ByteCount flat_size;
};

/// qemu-img's questions, with the person's word for the file.
Image measured(const CreateOrder& order, disk::SourceFile file, const std::string& what) {
  try {
    if (file.format != "raw") disk::check_whole(file);
    const auto size = disk::virtual_size(file);
    const auto flat = disk::size_when_flat({file});
    return {std::move(file), size, flat};
  } catch (const Fault& failure) {
    throw Fault(failure.remedy(),
                Fault::Text{"create", order.wish.name,
                            what + " can't be read as " + file.format + ": " + failure.text().why,
                            failure.text().next});
  }
}

/// Files lane.
Image look_at_image(const CreateOrder& order, std::vector<std::string>& notes) {
  check_readable(order, order.disk, "the disk image");
  auto format = order.format;
  if (!format) {
    const auto recognised = disk::recognise(order.disk.get());
    if (!recognised)
      throw unfit(order, to_string(recognised.error()),
                  "If it is a plain disk all the same, say so: --format raw");
    format = *recognised;
    notes.push_back("the image was recognised as " + std::string(disk::name(*format)));
  }
  const std::string word(disk::name(*format));
  if (const auto wrong = disk::check_image(order.disk.get(), *format); !wrong.empty())
    throw unfit(order, to_string(wrong), "Give an image that is whole by itself.");
  return measured(order, {path_for_child(order.disk), word}, "the disk image");
}

Image look_at_medium(const CreateOrder& order) {
  check_readable(order, order.cdrom, "the CD image");
  if (const auto wrong = disk::check_image(order.cdrom.get(), disk::ImageFormat::raw);
      !wrong.empty())
    throw unfit(order, "the CD image can't be used: " + wrong.front().what, "Give an ISO image.");
  return measured(order, {path_for_child(order.cdrom), "raw"}, "the CD image");
}

/// What an empty image file takes: header, tables and counts, a few clusters of 64 KiB.
constexpr ByteCount empty_image(1 << 20);
constexpr ByteCount least_disk = mebibytes(1);
constexpr ByteCount least_memory = mebibytes(16);

std::vector<NewDisk> look_at_files(const CreateOrder& order, std::vector<std::string>& notes) {
  std::vector<NewDisk> out(1);
  out[0].target = machine::disk_target(order.wish);
  if (order.disk) {
    auto image = look_at_image(order, notes);
    out[0].source.push_back(std::move(image.file));
    out[0].virtual_size = image.virtual_size;
    out[0].image_size = image.flat_size;
  } else {
    out[0].virtual_size = ByteCount((order.size.value + 511) / 512 * 512);
    out[0].image_size = empty_image;
  }
  if (out[0].virtual_size < least_disk)
    throw unfit(order,
                "a disk of " + to_string(out[0].virtual_size) + " is too small for a machine",
                "Give at least 1 MiB.");
  if (!order.cdrom) return out;
  auto medium = look_at_medium(order);
  out.push_back({machine::cd_target(order.wish),
                 {std::move(medium.file)},
                 medium.virtual_size,
                 medium.flat_size,
                 NewDisk::Kind::medium});
  return out;
}

/// What of the machine the hosts decide.
Task<void> fit_to_hosts(Parts& parts, machine::Wish& wish, std::vector<std::string>& notes) {
  auto probing = parts.hypervisor.works(Accelerator::kvm);
  wish.accelerator = co_await std::move(probing) ? Accelerator::kvm : Accelerator::tcg;
  auto sharing = shared_ability(parts);
  auto shared = co_await std::move(sharing);
  wish.machine_type = std::move(shared.machine_type);
  wish.cpu = std::move(shared.cpu);
  notes = std::move(shared.notes);
}

machine::Description describe(const CreateOrder& order) {
  if (order.wish.memory < least_memory)
    throw unfit(order, to_string(order.wish.memory) + " of memory is too little for a machine",
                "Say how much in MiB or GiB, 4GiB for example.");
  auto machine = machine::build_machine(order.wish);
  if (!machine)
    throw unfit(order, "there is no such machine: " + to_string(machine.error()),
                "See satchelctl create --help for what can be chosen.");
  return std::move(*machine);
}

/// The firmware that an EFI machine starts with, without secure boot, whose keys are the system's
/// own business; gives the file with fresh variables.
std::string choose_firmware(machine::Description& machine) {
  const auto available = machine::firmware_on_host();
  const auto* files = machine::firmware_for(machine, available);
  if (files == nullptr)
    throw Fault(Remedy::fix_config,
                Fault::Text{"create", machine.name,
                            "no EFI firmware for such a machine is installed on this computer",
                            "Install the package ovmf, or leave out --firmware efi."});
  machine.boot.firmware.loader_name = std::filesystem::path(files->loader).filename().string();
  machine.boot.firmware.loader_size = files->loader_size.value;
  return files->nvram_template;
}

/// Files lane.
NewCapsule plan(const CreateOrder& order, std::vector<std::string>& notes) {
  NewCapsule out;
  out.stick = order.stick;
  out.capsule = order.capsule;
  out.name = order.wish.name;
  out.deed = "create";
  auto machine = describe(order);
  if (order.wish.firmware == machine::Wish::Kind::efi) out.nvram = choose_firmware(machine);
  out.machine_json = machine::write_json(machine);
  out.disks = look_at_files(order, notes);
  return out;
}

Task<Created> run(Parts& parts, CreateOrder& order, JobContext job, Undo& undo) {
  Created result;
  auto fitting = fit_to_hosts(parts, order.wish, result.notes);
  co_await std::move(fitting);
  auto planning = offload(parts.lanes.files, [&] { return plan(order, result.notes); });
  const auto capsule = co_await std::move(planning);
  auto beginning = begin_capsule(parts, capsule, job, undo);
  const auto unfinished = co_await std::move(beginning);
  auto finishing = finish_capsule(parts, capsule, *unfinished, std::nullopt, job);
  result.head = co_await std::move(finishing);
  co_return result;
}

}  // namespace

Task<Created> create(Parts& parts, CreateOrder order, JobContext job) {
  job.meter->name("looking at the image");
  Undo undo;
  auto creating = or_undo(undo, parts.log, run(parts, order, job, undo));
  co_return co_await std::move(creating);
}

}  // namespace satchel
