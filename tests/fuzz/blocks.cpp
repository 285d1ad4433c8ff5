// The first codec's pages object with its map, whose digests are right whatever the input made of
// it: otherwise they would end everything at once.
#include <optional>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "fuzz/frames.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/codec_map.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

struct Device {
  BlockTable table;
  std::string pages;
  std::string stream;  ///< as far as blocks are what they should be
  bool is_right = true;
};

Device device_from(Input& input) {
  Device out;
  const auto count = input.byte() % 6U;
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t size = 1 + input.number(2);
    const auto frame = frame_from(input, size);
    out.table.add({static_cast<std::uint32_t>(frame.bytes.size()), static_cast<std::uint32_t>(size),
                   frame.digest});
    out.pages += frame.bytes;
    out.is_right = out.is_right && frame.content.has_value();
    if (out.is_right) out.stream += *frame.content;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto how = input.byte();
  auto device = device_from(input);
  if (how & 1U) device.pages += input.take(1);  // longer than the map says
  if (how & 2U && !device.pages.empty()) device.pages.pop_back();
  const bool has_its_size = device.pages.size() == device.table.pages_size.value;
  const auto decoder = Decoder::parse(write_map(device.table));
  if (!decoder) return 0;
  std::string out;
  const auto take = [&](std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  bool is_whole = true;
  try {
    decoder->decode(file_of(device.pages).get(), take, 1, {}, {});
  } catch (const Fault&) {
    is_whole = false;
  }
  must(device.stream.starts_with(out), "no byte of a block goes on that is not what was written");
  must(is_whole == (device.is_right && has_its_size),
       "memory that is right is restored, and no other");
  if (!is_whole) return 0;
  must(out.size() == device.table.stream_size.value, "a stream has the size that the map says");
  ++accepted();
  return 0;
}
