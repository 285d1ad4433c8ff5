#include "disk/image_format.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include "disk/image_bytes.hpp"
#include "disk/qcow2.hpp"

namespace satchel::disk {

namespace {

using namespace std::string_view_literals;

constexpr std::array formats{ImageFormat::raw, ImageFormat::qcow2, ImageFormat::vmdk,
                             ImageFormat::vdi, ImageFormat::vhdx};

struct Magic {
  std::uint64_t offset;
  std::string_view bytes;
};

struct Known {
  Magic magic;
  ImageFormat format;
};
constexpr Known known[] = {
    {{0, "QFI\xfb"sv}, ImageFormat::qcow2},
    {{0, "KDMV"sv}, ImageFormat::vmdk},
    {{0, "# Disk DescriptorFile"sv}, ImageFormat::vmdk},
    {{0, "COWD"sv}, ImageFormat::vmdk},
    {{0x40, "\x7f\x10\xda\xbe"sv}, ImageFormat::vdi},
    {{0, "vhdxfile"sv}, ImageFormat::vhdx},
};

struct Refused {
  Magic magic;
  const char* why;
};
constexpr auto unpack = "it is compressed: unpack it first";
constexpr Refused refused[] = {
    {{0, "conectix"sv},
     "it is a VHD, which is not read: make it a qcow2 with qemu-img convert -f vpc -O qcow2"},
    {{0, "QED\0"sv},
     "it is a QED, which is not read: make it a qcow2 with qemu-img convert -f qed -O qcow2"},
    {{0, "WithoutFreeSpace"sv},
     "it is a Parallels disk, which is not read: make it a qcow2 with qemu-img convert -f "
     "parallels -O qcow2"},
    {{0, "\x1f\x8b"sv}, unpack},
    {{0,
      "\xfd"
      "7zXZ\0"sv},
     unpack},
    {{0, "\x28\xb5\x2f\xfd"sv}, unpack},
    {{0, "BZh"sv}, unpack},
    {{0, "PK\x03\x04"sv}, "it is an archive: unpack it and give the disk that is in it"},
    {{257, "ustar"sv}, "it is an archive (an OVA, perhaps): unpack it and give the disk in it"},
};

bool has(int fd, const Magic& magic) {
  const auto bytes = read_bytes(fd, magic.offset, magic.bytes.size());
  return bytes && *bytes == magic.bytes;
}

/// A fixed VHD is a raw disk with a footer.
bool has_vhd_footer(int fd, std::uint64_t size) {
  return size > 512 && has(fd, {size - 512, "conectix"sv});
}

Mistakes check_vmdk(int fd, std::uint64_t size) {
  const auto read = read_bytes(fd, 0, 512);
  if (!read) return read.error();
  if (read->starts_with("# Disk DescriptorFile"))
    return {{"vmdk",
             "it only describes a disk whose content is in other files (*-flat.vmdk, *-s001.vmdk): "
             "give a flat one with --format raw, or make them one file with qemu-img convert -f "
             "vmdk -O qcow2"}};
  if (read->starts_with("COWD"))
    return {{"vmdk",
             "it is one part of a disk of an ESX server: make it one file with qemu-img convert -f "
             "vmdk -O qcow2"}};
  if (read->size() < 512 || !read->starts_with("KDMV"))
    return {{"vmdk", "this is not a vmdk file, or only the beginning of one"}};
  const LittleEndian header(*read);
  constexpr std::uint64_t sector = 512;
  constexpr std::uint64_t at_end = UINT64_MAX;  // of the tables in a stream-optimised file
  // QEMU takes a header without a capacity for a description that names other files.
  if (header.u64(12) == 0) return {{"vmdk", "it names other files that hold its content"}};
  if (const auto tables = header.u64(56); tables != at_end && tables >= size / sector)
    return {{"vmdk", "it is cut off: its tables are beyond its end"}};
  for (const std::uint64_t offset : {std::uint64_t{1}, header.u64(28)}) {
    if (offset >= size / sector) continue;
    const auto text = read_bytes(fd, offset * sector, 20 * sector);
    if (!text) return text.error();
    const auto parent = text->find("parentCID=");
    if (text->find("parentFileNameHint") != std::string::npos ||
        (parent != std::string::npos && text->compare(parent + 10, 8, "ffffffff") != 0))
      return {{"vmdk",
               "it holds the changes to another disk only: make both one file with qemu-img "
               "convert -f vmdk -O qcow2"}};
  }
  return {};
}

Mistakes check_vdi(int fd, std::uint64_t size) {
  const auto read = read_bytes(fd, 0, 512);
  if (!read) return read.error();
  const LittleEndian header(*read);
  if (read->size() < 512 || header.u32(0x40) != 0xbeda107f)
    return {{"vdi", "this is not a vdi file, or only the beginning of one"}};
  constexpr std::uint32_t dynamic = 1, fixed = 2;
  const auto type = header.u32(0x4c);
  const auto nil = std::string(16, '\0');
  if ((type != dynamic && type != fixed) || read->substr(0x1a8, 16) != nil ||
      read->substr(0x1b8, 16) != nil)
    return {{"vdi",
             "it holds the changes to another disk only: clone that snapshot with VBoxManage "
             "clonemedium"}};
  const std::uint64_t content = std::uint64_t{header.u32(0x178)} * header.u32(0x184);
  if (const std::uint64_t at = header.u32(0x158); at > size || content > size - at)
    return {{"vdi", "it is cut off: its blocks reach beyond its end"}};
  return {};
}

/// The offset of what a table of 32-byte entries has for an identity; none when it has none.
struct Table {
  std::uint64_t at, first_entry, count_at;
};
std::optional<std::uint64_t> entry(int fd, const Table& table, std::string_view identity,
                                   bool wide) {
  constexpr std::size_t longest = 64 << 10;
  const auto read = read_bytes(fd, table.at, longest);
  if (!read) return std::nullopt;
  const LittleEndian bytes(*read);
  const auto count = wide ? bytes.u32(table.count_at) : bytes.u16(table.count_at);
  for (std::uint64_t i = 0; i < count && table.first_entry + (i + 1) * 32 <= read->size(); ++i) {
    const auto at = table.first_entry + i * 32;
    if (read->compare(at, 16, identity) == 0)
      return wide ? bytes.u64(at + 16) : std::uint64_t{bytes.u32(at + 16)};
  }
  return std::nullopt;
}

Mistakes check_vhdx(int fd, std::uint64_t size) {
  constexpr auto metadata_region =
      "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"sv;
  constexpr auto file_parameters =
      "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"sv;
  const auto start = read_bytes(fd, 0, 8);
  if (!start) return start.error();
  if (*start != "vhdxfile") return {{"vhdx", "this is not a vhdx file"}};
  const auto cut_off = Mistakes{{"vhdx", "it is damaged or cut off: its metadata is not there"}};
  auto metadata = entry(fd, {192 << 10, 16, 8}, metadata_region, true);
  if (!metadata) metadata = entry(fd, {256 << 10, 16, 8}, metadata_region, true);
  if (!metadata || *metadata >= size) return cut_off;
  const auto parameters = entry(fd, {*metadata, 32, 10}, file_parameters, false);
  if (!parameters || *parameters > size) return cut_off;
  const auto read = read_bytes(fd, *metadata + *parameters, 8);
  if (!read || read->size() < 8) return cut_off;
  constexpr std::uint32_t has_parent = 2;
  if ((LittleEndian(*read).u32(4) & has_parent) != 0)
    return {
        {"vhdx", "it holds the changes to another disk only: merge it with Hyper-V's Merge-VHD"}};
  return {};
}

Mistakes check_foreign_qcow2(int fd) {
  const auto header = read_qcow2(fd);
  if (!header) return header.error();
  if (header->backing_name)
    return {{"qcow2",
             "it holds the changes to another file only: make both one file with qemu-img convert "
             "-f qcow2 -O qcow2"}};
  Expected expected{std::nullopt, header->virtual_size};
  expected.made_by = Expected::MadeBy::people;
  return check_qcow2(fd, expected);
}

}  // namespace

std::string_view name(ImageFormat format) {
  switch (format) {
    case ImageFormat::raw:
      return "raw";
    case ImageFormat::qcow2:
      return "qcow2";
    case ImageFormat::vmdk:
      return "vmdk";
    case ImageFormat::vdi:
      return "vdi";
    case ImageFormat::vhdx:
      return "vhdx";
  }
  return "raw";
}

std::optional<ImageFormat> image_format(std::string_view word) {
  for (const auto format : formats)
    if (name(format) == word) return format;
  return std::nullopt;
}

Result<ImageFormat> recognise(int fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return mistake("image", std::generic_category().message(errno));
  if (!S_ISREG(about.st_mode)) return mistake("image", "it is not a regular file");
  for (const auto& each : known)
    if (has(fd, each.magic)) return each.format;
  for (const auto& each : refused)
    if (has(fd, each.magic)) return mistake("image", each.why);
  if (has_vhd_footer(fd, static_cast<std::uint64_t>(about.st_size)))
    return mistake("image", refused[0].why);
  return ImageFormat::raw;
}

Mistakes check_image(int fd, ImageFormat format) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return {{"image", std::generic_category().message(errno)}};
  if (!S_ISREG(about.st_mode)) return {{"image", "it is not a regular file"}};
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size == 0) return {{"image", "it is empty"}};
  switch (format) {
    case ImageFormat::raw:
      return {};
    case ImageFormat::qcow2:
      return check_foreign_qcow2(fd);
    case ImageFormat::vmdk:
      return check_vmdk(fd, size);
    case ImageFormat::vdi:
      return check_vdi(fd, size);
    case ImageFormat::vhdx:
      return check_vhdx(fd, size);
  }
  return {};
}

}  // namespace satchel::disk
