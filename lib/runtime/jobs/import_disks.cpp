#include "runtime/jobs/import_disks.hpp"

#include <filesystem>
#include <utility>

#include "base/fault.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"

namespace satchel {

namespace {

constexpr std::size_t longest_chain = 64;

Fault unfit(const std::string& object, std::string why, std::string next = {}) {
  return Fault(Remedy::fix_request,
               Fault::Text{"import the disk file", object, std::move(why), std::move(next)});
}

bool is_there(const disk::GivenDirectory& from, const std::string& path) {
  return from.open(path).has_value();
}

/// What a header names as its backing file.
struct Below {
  std::string name;
  std::string format;
};

/// None for a file that stands alone.
std::optional<Below> check(int fd, const std::string& format, const std::string& shown) {
  if (format != "qcow2") return std::nullopt;
  const auto header = disk::read_qcow2(fd);
  if (!header) throw unfit(shown, to_string(header.error()));
  // It is checked against itself: what it names is looked for in the directory alone.
  disk::Expected expected{header->backing_name, header->virtual_size, header->backing_format};
  expected.made_by = disk::Expected::MadeBy::people;
  const auto wrong = disk::check_qcow2(fd, expected);
  if (!wrong.empty()) throw unfit(shown, to_string(wrong));
  if (!header->backing_name) return std::nullopt;
  if (!header->backing_format)
    throw unfit(shown, "it does not say what format its backing file has",
                "Record it with: qemu-img rebase -u -b BACKING -F FORMAT " + shown);
  if (header->backing_format != "qcow2" && header->backing_format != "raw")
    throw unfit(shown, "its backing file is neither qcow2 nor raw");
  return Below{*header->backing_name, *header->backing_format};
}

/// A relative name is relative to the file that has it.
std::optional<std::string> find_below(const disk::GivenDirectory& from, const std::string& above,
                                      const std::string& name) {
  if (name.starts_with('/')) return find_in_set(from, name);
  const auto path = (std::filesystem::path(above).parent_path() / name).string();
  return is_there(from, path) ? std::optional(path) : std::nullopt;
}

}  // namespace

std::optional<std::string> find_in_set(const disk::GivenDirectory& from, const std::string& path) {
  const auto inside = from.shown() + "/";
  if (path.starts_with(inside)) {
    auto rest = path.substr(inside.size());
    if (!rest.empty() && is_there(from, rest)) return rest;
  }
  auto name = path.substr(path.rfind('/') + 1);
  if (name.empty() || name == "." || name == ".." || !is_there(from, name)) return std::nullopt;
  return name;
}

ImportedDisk open_imported_disk(const disk::GivenDirectory& from,
                                const machine::DiskSource& source) {
  ImportedDisk out;
  out.target = source.target;
  auto path = find_in_set(from, source.path);
  if (!path)
    throw unfit(source.path, "disk " + source.target + " of the machine is not in " + from.shown(),
                "Put the file there under the same name.");
  auto format = source.format;
  for (;;) {
    if (out.files.size() == longest_chain)
      throw unfit(from.shown(*path), "it is one of too many in a chain");
    auto file = from.open(*path);
    if (!file) throw unfit(from.shown(*path), "it is missing");
    const auto below = check(file->get(), format, from.shown(*path));
    out.source.push_back({disk::path_of(file->get()), format});
    if (format != "raw") disk::check_whole(out.source.back());
    out.files.push_back(std::move(*file));
    if (!below) break;
    auto next = find_below(from, *path, below->name);
    if (!next)
      throw unfit(
          from.shown(*path),
          "its backing file " + to_string({{"", below->name}}) + " is not in " + from.shown(),
          "Put that file there as well, or make the disk stand alone: qemu-img rebase -b "
          "'' FILE");
    path = std::move(next);
    format = below->format;
  }
  out.virtual_size = disk::virtual_size(out.source.front());
  out.flat_size = disk::size_when_flat(out.source);
  return out;
}

}  // namespace satchel
