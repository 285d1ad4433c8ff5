// A disk image that a person gives: told by its content, and refused where it leads elsewhere. The
// first two bytes say how large the file is, in sectors; what is in it are pieces, each with its
// sector and its length before it, for formats strew their headers over megabytes.
#include <unistd.h>

#include "disk/image_format.hpp"
#include "fuzz/input.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::disk;

namespace {

constexpr std::uint64_t sector = 512;

UniqueFd image_from(Input& input) {
  auto out = file_of({});
  must(::ftruncate(out.get(), static_cast<off_t>(input.number(2) * sector)) == 0,
       "a file has any size");
  while (!input.empty()) {
    const auto at = static_cast<off_t>(input.number(2) * sector);
    const auto piece = input.take(input.number(2));
    must(::pwrite(out.get(), piece.data(), piece.size(), at) == static_cast<ssize_t>(piece.size()),
         "this computer has memory for a file");
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto file = image_from(input);
  for (const auto format : {ImageFormat::raw, ImageFormat::qcow2, ImageFormat::vmdk,
                            ImageFormat::vdi, ImageFormat::vhdx})
    check_image(file.get(), format);
  const auto found = recognise(file.get());
  if (!found) return 0;
  must(image_format(name(*found)) == *found, "a format has a name");
  if (*found != ImageFormat::raw && check_image(file.get(), *found).empty()) ++accepted();
  return 0;
}
