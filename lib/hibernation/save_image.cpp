#include "hibernation/save_image.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "base/host_fault.hpp"

namespace satchel::hibernation {

namespace {

static_assert(std::endian::native == std::endian::little,
              "libvirt writes its header in the host's byte order");

constexpr std::string_view partial_magic = "LibvirtQemudPart";
constexpr std::string_view complete_magic = "LibvirtQemudSave";

/// struct _virQEMUSaveHeader
struct RawHeader {
  char magic[16];
  std::uint32_t version;
  std::uint32_t data_length;
  std::uint32_t was_running;
  std::uint32_t compression;
  std::uint32_t cookie_offset;
  std::uint32_t unused[14];
};
static_assert(sizeof(RawHeader) == save_header_size);

constexpr std::uint32_t known_version = 2;

constexpr std::string_view ending("\0\6", 2);       // QEMU_VM_EOF, QEMU_VM_VMDESCRIPTION
constexpr std::uint64_t largest_ending = 4U << 20;  // what is looked at of a stream's end

}  // namespace

Result<SaveHeader> read_save_header(std::span<const std::byte> bytes) {
  if (bytes.size() < save_header_size) return mistake("save header", "it is shorter than 92 bytes");
  RawHeader raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  const std::string_view magic(raw.magic, sizeof raw.magic);
  if (magic != partial_magic && magic != complete_magic)
    return mistake("save header", "this is no save image of libvirt's QEMU driver");
  Mistakes mistakes;
  if (raw.version != known_version)
    mistakes.push_back({"save header", "version " + std::to_string(raw.version) +
                                           " is not known, only version 2 is"});
  if (raw.data_length == 0 || raw.data_length > largest_save_xml)
    mistakes.push_back({"save header", "a description of " + std::to_string(raw.data_length) +
                                           " bytes is not possible"});
  if (raw.was_running > 1)
    mistakes.push_back({"save header", "the state of the guest is unreadable"});
  if (raw.cookie_offset >= raw.data_length && raw.cookie_offset != 0)
    mistakes.push_back({"save header", "the cookie lies outside of the description"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return SaveHeader{raw.data_length, raw.was_running == 1, raw.compression};
}

bool is_finished_save(const std::filesystem::path& image) {
  std::array<char, complete_magic.size()> magic{};
  std::ifstream file(image, std::ios::binary);
  file.read(magic.data(), magic.size());
  return file && std::string_view(magic.data(), magic.size()) == complete_magic;
}

bool is_whole_save(const std::filesystem::path& image) {
  std::ifstream file(image, std::ios::binary | std::ios::ate);
  if (!file) return false;
  const auto size = static_cast<std::uint64_t>(file.tellg());
  std::string tail(static_cast<std::size_t>(std::min<std::uint64_t>(size, largest_ending)), '\0');
  file.seekg(static_cast<std::streamoff>(size - tail.size()));
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  if (!file || !tail.ends_with('}')) return false;
  // QEMU: migration/savevm.c. The end of the sections, and a description of them in JSON.
  for (auto at = tail.find(ending); at != std::string::npos; at = tail.find(ending, at + 1)) {
    const auto text = at + ending.size() + 4;
    if (text >= tail.size()) break;
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < 4; ++i)
      length = length << 8 | static_cast<unsigned char>(tail[at + ending.size() + i]);
    if (length == tail.size() - text && tail[text] == '{') return true;
  }
  return false;
}

void finish_save(const std::filesystem::path& image) {
  const UniqueFd file(::open(image.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  // All that comes before it first.
  if (!file || ::fsync(file.get()) != 0 ||
      ::pwrite(file.get(), complete_magic.data(), complete_magic.size(), 0) !=
          static_cast<ssize_t>(complete_magic.size()) ||
      ::fsync(file.get()) != 0)
    throw host_fault_from_errno(errno, "finish", image.string());
}

std::string write_save_header(std::string_view domain_xml, SavedAs as, std::size_t spare) {
  RawHeader raw{};
  std::memcpy(raw.magic, complete_magic.data(), sizeof raw.magic);
  raw.version = known_version;
  raw.data_length = static_cast<std::uint32_t>(domain_xml.size() + 1 + spare);
  raw.was_running = as == SavedAs::running ? 1 : 0;
  std::string out(save_header_size, '\0');
  std::memcpy(out.data(), &raw, sizeof raw);
  out += domain_xml;
  out.append(1 + spare, '\0');
  return out;
}

}  // namespace satchel::hibernation
