// A qcow2 file of a device, before QEMU may open it. The first two bytes say how large the file is
// (in clusters of 512 bytes), which its tables have to fit.
#include "disk/qcow2.hpp"

#include <unistd.h>

#include <string>

#include "base/fault.hpp"
#include "fuzz/input.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::disk;

namespace {

void check_names(int fd, const Qcow2Header& header) {
  if (!header.backing_name) return;
  must(header.backing_name->size() <= 1023, "a backing file's name has a length");
  must(!check_qcow2(fd, {std::nullopt, header.virtual_size}).empty(),
       "a backing file that is not expected is refused");
  must(!check_qcow2(fd, {*header.backing_name + "x", header.virtual_size}).empty(),
       "another backing file than expected is refused");
}

/// What a live commit leaves is given the name of its neighbour.
void check_renaming(int fd, const Qcow2Header& before) {
  const std::string name = "cow.qcow2";
  try {
    set_backing(fd, name);
  } catch (const Fault&) {
    return;
  }
  const auto after = read_qcow2(fd);
  must(after && after->backing_name == name && after->backing_format == "qcow2",
       "a new backing file's name is read back");
  must(after->virtual_size == before.virtual_size && after->l1_entries == before.l1_entries &&
           after->incompatible_features == before.incompatible_features &&
           after->cluster_bits == before.cluster_bits && after->version == before.version,
       "a new backing file's name changes nothing else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto clusters = input.number(2);
  const auto file = file_of(input.rest());
  must(::ftruncate(file.get(), static_cast<off_t>(clusters * 512)) == 0, "a file has any size");
  const auto header = read_qcow2(file.get());
  if (!header) return 0;
  must(
      !check_qcow2(file.get(), {header->backing_name, header->virtual_size + ByteCount(1)}).empty(),
      "a disk of another size than expected is refused");
  check_names(file.get(), *header);
  const Expected expected{header->backing_name, header->virtual_size};
  if (check_qcow2(file.get(), expected).empty()) {
    ++accepted();
    must(!header->has_data_file && !header->encrypted, "its content is in this file, and readable");
    must(!header->backing_name || header->backing_format == "qcow2", "no format is ever probed");
  }
  check_renaming(file.get(), *header);
  return 0;
}
