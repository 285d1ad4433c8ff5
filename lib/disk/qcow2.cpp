#include "disk/qcow2.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/fault.hpp"

namespace satchel::disk {

namespace {

std::string told_of_reading(int error) { return std::generic_category().message(error); }

constexpr std::uint32_t magic = 0x514649fb;
constexpr std::size_t version_2_length = 72;
constexpr std::size_t version_3_length = 104;
constexpr std::size_t longest_backing_name = 1023;
constexpr std::uint64_t largest_tables = 64U << 20;
constexpr std::size_t largest_cluster = 1U << 21;
constexpr std::uint32_t most_snapshots = 65536;
constexpr std::uint64_t most_spare_entries = 4096;

namespace extension {
constexpr std::uint32_t end = 0;
constexpr std::uint32_t backing_format = 0xe2792aca;
constexpr std::uint32_t encryption = 0x0537be77;
constexpr std::uint32_t data_file = 0x44415441;
constexpr std::uint32_t bitmaps = 0x23852875;
}  // namespace extension

namespace incompatible {
constexpr std::uint64_t dirty = 1U << 0;
constexpr std::uint64_t corrupt = 1U << 1;
constexpr std::uint64_t data_file = 1U << 2;
constexpr std::uint64_t compression_type = 1U << 3;
constexpr std::uint64_t extended_l2 = 1U << 4;
constexpr std::uint64_t all = 31;
}  // namespace incompatible

/// Where header, extensions and tables are; offsets and lengths in bytes.
struct Layout {
  Qcow2Header header;
  std::uint64_t file_size;
  std::uint64_t l1_offset;
  std::uint64_t refcount_offset;
  std::uint64_t refcount_length;
  std::uint64_t snapshots_offset;
  std::uint32_t refcount_order;
  std::uint32_t compression_type;
};

/// Big-endian numbers of a buffer whose size was checked.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }

 private:
  std::uint64_t number(std::size_t at, std::size_t length) const {
    std::uint64_t value = 0;
    for (const char c : bytes_.substr(at, length))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view bytes_;
};

/// At most `size` bytes from the file's start; fewer when it is shorter.
Result<std::string> read_start(int fd, std::size_t size) {
  std::string out(size, '\0');
  std::size_t total = 0;
  while (total < size) {
    const ssize_t n = ::pread(fd, out.data() + total, size - total, static_cast<off_t>(total));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return mistake("header", told_of_reading(errno));
    if (n == 0) break;
    total += static_cast<std::size_t>(n);
  }
  out.resize(total);
  return out;
}

/// Walks the extensions between `at` and `end`; both lie within `cluster`.
Mistakes read_extensions(std::string_view cluster, std::size_t at, std::size_t end,
                         Qcow2Header& header) {
  const Bytes bytes(cluster);
  while (at < end) {
    if (end - at < 8) return {{"header extensions", "they end in the middle of one"}};
    const auto type = bytes.u32(at);
    const std::size_t length = bytes.u32(at + 4);
    at += 8;
    if (type == extension::end) return {};
    if (length > end - at) return {{"header extensions", "one is longer than its place"}};
    const auto content = cluster.substr(at, length);
    switch (type) {
      case extension::backing_format:
        header.backing_format = std::string(content);
        break;
      case extension::data_file:
        header.has_data_file = true;
        break;
      case extension::bitmaps:
        header.has_bitmaps = true;
        break;
      case extension::encryption:
        header.encrypted = true;
        break;
      default:
        break;  // names of features, and what the format allows to pass over
    }
    at += (length + 7) / 8 * 8;
  }
  return {};
}

Result<Layout> read_layout(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return mistake("file", std::generic_category().message(errno));
  if (!S_ISREG(found.st_mode)) return mistake("file", "it is not a regular file");
  const auto read = read_start(fd, largest_cluster);
  if (!read) return tl::unexpected(read.error());
  if (read->size() < version_2_length) return mistake("header", "the file is too short for one");
  const Bytes bytes(*read);
  if (bytes.u32(0) != magic) return mistake("header", "this is not a qcow2 file");

  Layout out{};
  auto& header = out.header;
  header.version = bytes.u32(4);
  if (header.version != 2 && header.version != 3)
    return mistake("header", "version " + std::to_string(header.version) + " is not known");
  if (header.version == 3 && read->size() < version_3_length)
    return mistake("header", "the file is too short for one");
  header.cluster_bits = bytes.u32(20);
  if (header.cluster_bits < 9 || header.cluster_bits > 21)
    return mistake("header", "its clusters have an impossible size");
  const std::size_t cluster_size = std::size_t{1} << header.cluster_bits;
  const auto cluster = std::string_view(*read).substr(0, cluster_size);

  out.file_size = static_cast<std::uint64_t>(found.st_size);
  header.virtual_size = ByteCount(bytes.u64(24));
  header.encrypted = bytes.u32(32) != 0;
  header.l1_entries = bytes.u32(36);
  out.l1_offset = bytes.u64(40);
  out.refcount_offset = bytes.u64(48);
  out.refcount_length = std::uint64_t{bytes.u32(56)} << header.cluster_bits;
  header.snapshots = bytes.u32(60);
  out.snapshots_offset = bytes.u64(64);
  out.refcount_order = 4;
  std::size_t header_length = version_2_length;
  if (header.version == 3) {
    header.incompatible_features = bytes.u64(72);
    header.has_data_file = (header.incompatible_features & incompatible::data_file) != 0;
    out.refcount_order = bytes.u32(96);
    header_length = bytes.u32(100);
    if (header_length < version_3_length || header_length > cluster.size())
      return mistake("header", "it has an impossible length");
    if (header_length > version_3_length)
      out.compression_type = static_cast<unsigned char>(cluster[version_3_length]);
  }

  const std::uint64_t name_at = bytes.u64(8);
  const std::size_t name_length = bytes.u32(16);
  std::size_t extensions_end = cluster.size();
  if (name_at != 0) {
    if (name_length == 0 || name_length > longest_backing_name || name_at < header_length ||
        name_at > cluster.size() || name_length > cluster.size() - name_at)
      return mistake("backing file name", "it lies outside of the header's cluster");
    header.backing_name = std::string(cluster.substr(name_at, name_length));
    extensions_end = name_at;
  }
  auto mistakes = read_extensions(cluster, header_length, extensions_end, header);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return out;
}

void check_features(const Layout& layout, Mistakes& mistakes) {
  const auto& header = layout.header;
  const auto refuse = [&](bool wrong, std::string what) {
    if (wrong) mistakes.push_back({"features", std::move(what)});
  };
  const auto set = header.incompatible_features;
  refuse((set & incompatible::dirty) != 0,
         "it was not closed properly and its reference counts need a repair (dirty bit)");
  refuse((set & incompatible::corrupt) != 0, "it is marked as corrupt");
  refuse((set & ~incompatible::all) != 0, "it has features that are not known");
  refuse(header.has_data_file, "its data are in another file");
  refuse(header.encrypted, "it is encrypted");
  refuse(layout.refcount_order > 6, "its reference counts have an impossible width");
  // 0 is zlib, 1 zstd; another than 0 has to be announced.
  const bool announced = (set & incompatible::compression_type) != 0;
  refuse(layout.compression_type > 1 || (layout.compression_type == 1) != announced,
         "its compression is not known");
}

void check_table(std::string where, std::uint64_t offset, std::uint64_t length,
                 const Layout& layout, Mistakes& mistakes) {
  const std::uint64_t cluster = std::uint64_t{1} << layout.header.cluster_bits;
  if (offset % cluster != 0 || offset == 0)
    mistakes.push_back({where, "it does not begin at a cluster"});
  else if (length > largest_tables)
    mistakes.push_back({where, "it is too large"});
  else if (offset > layout.file_size || length > layout.file_size - offset)
    mistakes.push_back({where, "it reaches beyond the end of the file"});
}

void check_tables(const Layout& layout, Expected::MadeBy made_by, Mistakes& mistakes) {
  const auto& header = layout.header;
  const bool wide = (header.incompatible_features & incompatible::extended_l2) != 0;
  const std::uint32_t l2_bits = header.cluster_bits - (wide ? 4 : 3);
  const std::uint32_t covered_bits = header.cluster_bits + l2_bits;
  const std::uint64_t size = header.virtual_size.value;
  const std::uint64_t rest = size & ((std::uint64_t{1} << covered_bits) - 1);
  const std::uint64_t needed = (size >> covered_bits) + (rest != 0 ? 1 : 0);
  if (header.l1_entries < needed)
    mistakes.push_back({"level 1 table", "it is too small for the size of the disk"});
  // One that grows is made half as large again.
  const bool is_spare = header.l1_entries > 2 * needed + most_spare_entries;
  if (is_spare && made_by == Expected::MadeBy::satchel)
    mistakes.push_back({"level 1 table", "it is too large for the size of the disk"});
  if (header.l1_entries > 0)
    check_table("level 1 table", layout.l1_offset, std::uint64_t{header.l1_entries} * 8, layout,
                mistakes);
  check_table("reference counts", layout.refcount_offset, layout.refcount_length, layout, mistakes);
  if (layout.refcount_length == 0) mistakes.push_back({"reference counts", "there are none"});
  if (header.snapshots > most_snapshots)
    mistakes.push_back({"snapshots", "there are too many"});
  else if (header.snapshots > 0)  // 40 bytes is the least that one takes
    check_table("snapshots", layout.snapshots_offset, std::uint64_t{header.snapshots} * 40, layout,
                mistakes);
}

/// Foreign bytes, fit for a sentence.
std::string shown(const std::optional<std::string>& name, std::string_view otherwise) {
  if (!name) return std::string(otherwise);
  std::string out = "\"" + name->substr(0, 80) + "\"";
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

void check_backing(const Qcow2Header& header, const Expected& expected, Mistakes& mistakes) {
  if (header.backing_name != expected.backing_name)
    mistakes.push_back({"backing file", "it names " + shown(header.backing_name, "none") +
                                            ", expected is " +
                                            shown(expected.backing_name, "none")});
  if (header.backing_name && header.backing_format != expected.backing_format)
    mistakes.push_back(
        {"backing file", "its format is " + shown(header.backing_format, "not named") +
                             ", expected is " + shown(expected.backing_format, "not named")});
}

}  // namespace

Result<Qcow2Header> read_qcow2(int fd) {
  auto layout = read_layout(fd);
  if (!layout) return tl::unexpected(std::move(layout.error()));
  return std::move(layout->header);
}

Mistakes check_qcow2(int fd, const Expected& expected) {
  const auto layout = read_layout(fd);
  if (!layout) return layout.error();
  Mistakes mistakes;
  check_features(*layout, mistakes);
  check_tables(*layout, expected.made_by, mistakes);
  check_backing(layout->header, expected, mistakes);
  if (layout->header.has_bitmaps && expected.made_by == Expected::MadeBy::satchel)
    mistakes.push_back({"bitmaps", "it has some, which Satchel's files have not"});
  const auto size = layout->header.virtual_size.value;
  const auto wanted = expected.virtual_size.value;
  const bool may_be_smaller = expected.size == Expected::Size::at_most;
  if (size > wanted || (size < wanted && !may_be_smaller))
    mistakes.push_back({"size", "the disk has " + std::to_string(size) + " bytes, expected are " +
                                    (may_be_smaller ? "at most " : "") + std::to_string(wanted)});
  return mistakes;
}

bool is_read_error(const Mistakes& mistakes) {
  return std::ranges::any_of(mistakes, [](const Mistake& each) {
    return std::ranges::any_of(disk_errors,
                               [&](int error) { return each.what == told_of_reading(error); });
  });
}

}  // namespace satchel::disk
