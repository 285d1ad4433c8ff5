// Rewriting the backing file's name in a qcow2 header (QEMU: docs/interop/qcow2.txt).
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/fault.hpp"
#include "disk/qcow2.hpp"

namespace satchel::disk {

namespace {

constexpr auto naming = "name the backing file of";
constexpr auto file = "a layer";
constexpr std::string_view format = "qcow2";
constexpr std::uint32_t backing_format = 0xe2792aca;
constexpr std::size_t longest_name = 255;

Fault refusal(std::string why) {
  return Fault(Remedy::report_bug, {naming, file, std::move(why), {}});
}

void read_at(int fd, std::uint64_t at, char* to, std::size_t size) {
  const ssize_t n = ::pread(fd, to, size, static_cast<off_t>(at));
  if (n < 0) throw fault_from_errno(errno, naming, file);
  if (static_cast<std::size_t>(n) != size) throw refusal("its header is cut off");
}

void write_at(int fd, std::uint64_t at, std::string_view bytes) {
  const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
  if (n < 0) throw fault_from_errno(errno, naming, file);
  if (static_cast<std::size_t>(n) != bytes.size())
    throw Fault(Remedy::retry, {naming, file, "only a part of it was written", {}});
}

std::uint64_t number_at(int fd, std::uint64_t at, std::size_t size) {
  std::array<char, 8> bytes{};
  read_at(fd, at, bytes.data(), size);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

/// Where the format's extension begins; the file was found sound, so the walk ends.
std::optional<std::uint64_t> find_format(int fd, const Qcow2Header& header, std::uint64_t name_at) {
  std::uint64_t at = header.version == 2 ? 72 : number_at(fd, 100, 4);
  while (at + 8 <= name_at) {
    const auto type = number_at(fd, at, 4);
    if (type == backing_format) return at;
    if (type == 0) break;
    at += 8 + (number_at(fd, at + 4, 4) + 7) / 8 * 8;
  }
  return std::nullopt;
}

void set_format(int fd, const Qcow2Header& header, std::uint64_t name_at) {
  const auto at = find_format(fd, header, name_at);
  if (!at) throw refusal("it does not say what format its backing file has");
  const auto room = (number_at(fd, *at + 4, 4) + 7) / 8 * 8;
  if (room < format.size()) throw refusal("it has no room for the format of its backing file");
  std::string padded(format);
  padded.resize(room, '\0');
  write_at(fd, *at + 4, big_endian(format.size()) + padded);
}

}  // namespace

void set_backing(int fd, const std::string& name) {
  const auto header = read_qcow2(fd);
  if (!header && is_read_error(header.error())) throw fault_from_errno(EIO, naming, file);
  if (!header) throw refusal(to_string(header.error()));
  if (!header->backing_name) throw refusal("it has no backing file");
  if (name.empty() || name.size() > longest_name)
    throw refusal("the name has an impossible length");
  if (header->backing_name == name && header->backing_format == format) return;
  // The name is the last thing in the header's cluster: a longer one may take what is behind it.
  const auto name_at = number_at(fd, 8, 8);
  const auto cluster = std::uint64_t{1} << header->cluster_bits;
  if (name_at + name.size() > cluster) throw refusal("its header has no room for the name " + name);
  if (header->backing_format != format) set_format(fd, *header, name_at);
  auto padded = name;
  // Nothing of a longer old name is left behind.
  if (padded.size() < header->backing_name->size())
    padded.resize(header->backing_name->size(), '\0');
  write_at(fd, name_at, padded);
  write_at(fd, 16, big_endian(static_cast<std::uint32_t>(name.size())));
  const auto now = read_qcow2(fd);
  if (!now || now->backing_name != name || now->backing_format != format)
    throw refusal("its header reads otherwise than it was written");
}

}  // namespace satchel::disk
