// A generation's memory on a device that lies, with digests that are right: otherwise they would
// end everything at once. What comes out is the stream that the map promises, or a Fault; and never
// a byte of a block that is not what was written.
#include <string>

#include "base/fault.hpp"
#include "fuzz/device.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

constexpr std::uint64_t longest_stream = 4U << 20;

/// What `use` does, or that it found the device out.
template <class Use>
bool is_done(Use use) {
  try {
    use();
    return true;
  } catch (const Fault&) {
    return false;
  }
}

void check_decoding(const HostileDevice& device, const PageMap& map) {
  const auto expected = device.stream();
  std::string out;
  const auto take = [&](std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    must(out.size() <= map.stream_size.value, "no more than the promised stream comes out");
  };
  const bool is_whole = is_done([&] {
    PageDecoder(map, device.opener(), {HostileDevice::disks(), {}}).decode(take, 1, {}, {});
  });
  must(expected.bytes.starts_with(out), "no byte of a block goes on that is not what was written");
  if (is_whole) {
    must(expected.is_whole && out == expected.bytes, "memory that is not right is not restored");
    must(out.size() == map.stream_size.value, "a stream has the size that the map says");
    ++accepted();
  }
  must(is_whole || !expected.is_whole || !device.is_sound, "memory that is right is restored");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto device = device_from(input);
  const auto map = read_page_map(write_page_map(device.map));
  if (!map || map->stream_size.value > longest_stream) return 0;
  check_decoding(device, *map);
  // What the next eject does with it.
  is_done([&] { read_page_base(*map, device.opener()); });
  is_done([&] { verify_page_base(*map, device.opener(), HostileDevice::disks(), {}, {}); });
  return 0;
}
