#include "runtime/chains.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <regex>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "disk/qcow2.hpp"

namespace satchel {

namespace {

/// Of all chains of a machine: QEMU holds each open as long as it runs.
constexpr std::size_t most_files = 256;

/// Its header names a neighbour that is not where it is: qemu-img must not look for that.
std::string enlarge(const std::string& path, ByteCount size) {
  return R"(Make it as large as it was: qemu-img resize 'json:{"driver":"qcow2","backing":null,)"
         R"("file":{"driver":"file","filename":")" +
         path + "\"}}' " + std::to_string(size.value);
}

/// `access`: as QEMU will ask for it; it takes no descriptor that may do more. `least`: what the
/// disk had when it was last written to its device; it may have grown since.
UniqueFd open_overlay(const std::string& path, ByteCount least, int access) {
  UniqueFd fd(::open(path.c_str(), access | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw host_fault_from_errno(errno, "open the overlay", path);
  const auto header = disk::read_qcow2(fd.get());
  if (!header && disk::is_read_error(header.error()))
    throw host_fault_from_errno(EIO, "read the overlay", path);
  if (!header)
    throw Fault(Remedy::report_bug, {"use the overlay", path, to_string(header.error()), {}});
  if (header->virtual_size < least)
    throw Fault(
        Remedy::fix_config,
        Fault::Text{"use the overlay", path, "the disk was made smaller, which Satchel can't carry",
                    enlarge(path, least)});
  return fd;
}

const DiskOverlay& overlay_of(const std::vector<DiskOverlay>& overlays, const std::string& target) {
  const auto found = std::find_if(overlays.begin(), overlays.end(),
                                  [&](const auto& each) { return each.target == target; });
  if (found == overlays.end())
    throw Fault(Remedy::report_bug,
                Fault::Text{"find an overlay for disk", target, "the session has none", {}});
  return *found;
}

}  // namespace

std::string file_name(const std::string& object_path) {
  return object_path.substr(object_path.rfind('/') + 1);
}

namespace {

bool is_layer(const std::string& name) {
  static const std::regex form("layer-[0-9]{1,20}(-[0-9]{1,9})?\\.qcow2");
  return std::regex_match(name, form);
}

/// What the header of a chain's file has to name: its neighbour. The first one above the COW file
/// may still name a layer that was below it and was merged since; names are never followed.
std::optional<std::string> named_below(const format::Disk& disk, std::size_t index, int fd) {
  if (index == 0) return std::nullopt;
  auto neighbour = file_name(disk.chain[index - 1]);
  if (index != 2) return neighbour;
  const auto header = disk::read_qcow2(fd);
  const bool merged = header && header->backing_name && is_layer(*header->backing_name);
  return merged ? header->backing_name : std::move(neighbour);
}

}  // namespace

OpenObject opener(const format::CapsuleDirectory& capsule) {
  return [&capsule](const format::Object& object) {
    return capsule.open_checked(object, format::CapsuleDirectory::Access::read);
  };
}

std::vector<UniqueFd> open_chain(const format::CapsuleDirectory& capsule, const format::Head& head,
                                 const format::Disk& disk) {
  return open_chain(opener(capsule), head, disk);
}

std::vector<UniqueFd> open_chain(const OpenObject& open, const format::Head& head,
                                 const format::Disk& disk) {
  std::vector<UniqueFd> files;
  // What an overlay was begun over may be from before the disk grew.
  const bool is_newest = std::ranges::any_of(head.disks, [&disk](const format::Disk& each) {
    return each.target == disk.target && each.chain == disk.chain;
  });
  for (std::size_t i = 0; i < disk.chain.size(); ++i) {
    const auto& path = disk.chain[i];
    const auto* object = head.find(path);
    if (object == nullptr)
      throw Fault(Remedy::report_bug, Fault::Text{"open", path, "the head does not list it", {}});
    files.push_back(open(*object));
    disk::Expected expected{named_below(disk, i, files.back().get()), disk.virtual_size};
    if (!is_newest || i + 1 < disk.chain.size()) expected.size = disk::Expected::Size::at_most;
    const auto wrong = disk::check_qcow2(files.back().get(), expected);
    if (!wrong.empty())
      throw Fault(Remedy::other_device,
                  Fault::Text{"trust the disk file", path, to_string(wrong),
                              "The device's content was changed by something other than Satchel; "
                              "look at it with qemu-img info before you use it."});
  }
  return files;
}

void check_length(const format::Head& head) {
  std::size_t files = 0;
  for (const auto& disk : head.disks) files += disk.chain.size();
  if (files > most_files)
    throw Fault(Remedy::later_version,
                Fault::Text{"open the disks of",
                            head.name,
                            "they are made of " + std::to_string(files) + " files, and " +
                                std::to_string(most_files) + " is the most that are opened at once",
                            {}});
}

namespace {

std::string shown_path(CapsuleId capsule, const std::string& object_path) {
  return "/satchel/" + capsule.value.str() + "/" + object_path;
}

/// Only read, so it has no overlay.
void lend_medium(const OpenObject& open, const format::Head& head, const format::Disk& disk,
                 LentChains& out) {
  const auto group = "satchel-" + disk.target;
  LentFiles lent{group, open_chain(open, head, disk)};
  out.files.push_back(std::move(lent));
  out.disks.push_back(
      {disk.target, {{group, shown_path(head.capsule, disk.chain.front()), "qcow2"}}});
}

}  // namespace

LentChains lend_chains(const OpenObject& open, const format::Head& head,
                       const std::vector<DiskOverlay>& overlays) {
  LentChains out;
  for (const auto& disk : head.disks) {
    if (disk.is_medium()) {
      lend_medium(open, head, disk, out);
      continue;
    }
    const auto& overlay = overlay_of(overlays, disk.target);
    // What the overlay was begun over: a layer committed since is in the overlay already.
    const format::Disk below{disk.target, disk.virtual_size, overlay.chain};
    auto files = open_chain(open, head, below);
    std::vector<std::string> paths;
    for (const auto& object : below.chain) paths.push_back(shown_path(head.capsule, object));
    const auto ours = overlay.overlays();
    for (auto each = ours.rbegin(); each != ours.rend(); ++each) {
      const bool is_top = *each == overlay.path;
      files.push_back(open_overlay(*each, is_top ? disk.virtual_size : ByteCount(),
                                   is_top ? O_RDWR : O_RDONLY));
      paths.push_back(*each);
    }
    machine::SessionDisk shown;
    shown.target = disk.target;
    for (std::size_t i = files.size(); i-- > 0;) {
      const auto group = "satchel-" + disk.target + "-" + std::to_string(i);
      shown.chain.push_back({group, paths[i], "qcow2"});
      LentFiles lent{group, {}};
      lent.descriptors.push_back(std::move(files[i]));
      out.files.push_back(std::move(lent));
    }
    out.disks.push_back(std::move(shown));
  }
  return out;
}

std::vector<std::string> groups_of(const std::vector<LentFiles>& files) {
  std::vector<std::string> groups;
  for (const auto& each : files) groups.push_back(each.group);
  return groups;
}

Task<void> take_back(Hypervisor& hypervisor, DomainId domain, std::vector<std::string> groups) {
  std::vector<LentFiles> none;
  for (auto& group : groups) none.push_back(LentFiles{std::move(group), {}});
  return hypervisor.lend(domain, std::move(none));
}

}  // namespace satchel
