// The capsules of a device: listing, making, opening them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "format/capsule_state.hpp"
#include "format/removal.hpp"

namespace satchel::format {
namespace {

constexpr std::string_view readme =
    R"(This device carries a virtual machine: a whole computer, saved as files.

It was written by Satchel. Plug the device into a Linux computer that runs Satchel, and the machine
goes on where it was left. Each directory beside this file is one machine. Please do not change or
rename anything in them: what belongs together is recorded there and checked.

Found this device? Its owner will miss it. This file says nothing about who that is.

Without Satchel, an administrator can still open the disks with QEMU's own tools:

    qemu-img info --backing-chain <directory>/vda/cow.qcow2
    qemu-img convert -f qcow2 -O qcow2 <directory>/vda/cow.qcow2 /somewhere/else/disk.qcow2

(Name the last file of the disk's chain: the layer-....qcow2 with the highest number where there is
one, otherwise cow.qcow2.) docs/DEVICE-FORMAT.md in Satchel's sources describes all the rest.
)";

OrErrno<UniqueFd> open_capsule(int root, CapsuleId id) {
  auto top = open_own_directory(root, top_directory);
  if (!top) return top;
  return open_own_directory(top->get(), id.value.str());
}

void write_readme(int top) {
  const std::string shown = std::string(top_directory) + "/README.txt";
  const auto there = open_file(top, "README.txt", O_RDONLY);
  if (there) return;
  if (there.error() != ENOENT)
    or_fault(OrErrno<UniqueFd>(tl::unexpected(there.error())), "write", shown);
  const UniqueFd file = create_file(top, "README.txt", shown);
  set_mode(file.get(), 0644, shown);
  write_at(file.get(), 0, std::as_bytes(std::span(readme)), shown);
  sync_file(file.get(), shown);
}

// Zeros are written, not reserved: overwriting the record later must change nothing but its block.
void make_slots(int capsule, const std::string& shown) {
  make_directory(capsule, "slots", 0700, shown + "/slots");
  const UniqueFd slots = or_fault(open_directory(capsule, "slots"), "open", shown + "/slots");
  for (const char* path : slot_paths) {
    const UniqueFd file =
        create_file(slots.get(), path + std::string_view("slots/").size(), shown + "/" + path);
    write_at(file.get(), 0, SlotBytes{}, shown + "/" + path);
    sync_file(file.get(), shown + "/" + path);
  }
  sync_directory(slots.get(), shown + "/slots");
}

/// More on one device is somebody's attack on this host's patience.
constexpr std::size_t most_capsules = 64;

}  // namespace

std::vector<CapsuleId> CapsuleDirectory::list(int root) {
  const auto top = open_own_directory(root, top_directory);
  if (!top && (top.error() == ENOENT || top.error() == ENOTDIR || top.error() == ELOOP)) return {};
  if (!top) {
    // Pulled while we looked, or damaged.
    const auto fault = fault_from_errno(top.error(), "open", top_directory);
    if (fault.remedy() == Remedy::replug) throw fault;
    throw Fault(Remedy::other_device, {"open", top_directory, why_of(top.error()), {}});
  }
  std::vector<CapsuleId> out;
  for (const auto& name : names_in(top->get(), top_directory)) {
    const auto id = Uuid::parse(name);
    if (out.size() == most_capsules) break;
    if (id && id->str() == name && is_capsule(top->get(), name)) out.emplace_back(*id);
  }
  return out;
}

CapsuleDirectory CapsuleDirectory::create(int root, CapsuleId id) {
  const std::string shown = shown_as(id);
  make_directory(root, top_directory, 0755, top_directory);
  const UniqueFd top = or_fault(open_own_directory(root, top_directory), "open", top_directory);
  write_readme(top.get());
  remove_leftovers(top.get());
  if (make_directory(top.get(), id.value.str(), 0700, shown) == Made::before)
    throw Fault(Remedy::fix_request, {"make", shown, "it is there already", {}});
  UniqueFd capsule = or_fault(open_own_directory(top.get(), id.value.str()), "open", shown);
  make_directory(capsule.get(), "heads", 0700, shown + "/heads");
  // Last: a directory without both slots is no capsule.
  make_slots(capsule.get(), shown);
  const UniqueFd heads = or_fault(open_directory(capsule.get(), "heads"), "open", shown);
  sync_directory(heads.get(), shown + "/heads");
  sync_directory(capsule.get(), shown);
  sync_directory(top.get(), top_directory);
  const UniqueFd whole = or_fault(open_directory(root, "."), "open", "the device");
  sync_directory(whole.get(), "the device");
  return CapsuleDirectory(std::make_unique<State>(std::move(capsule), id));
}

CapsuleDirectory CapsuleDirectory::open(int root, CapsuleId id) {
  auto capsule = open_capsule(root, id);
  if (!capsule && capsule.error() == ENOENT)
    throw Fault(Remedy::fix_request, {"open", shown_as(id), "there is no such capsule", {}});
  return CapsuleDirectory(
      std::make_unique<State>(or_fault(std::move(capsule), "open", shown_as(id)), id));
}

}  // namespace satchel::format
