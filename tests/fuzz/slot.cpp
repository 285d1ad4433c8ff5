// A commit record. With the first byte odd its check is made right first, which nobody finds by
// chance.
#include "format/slot.hpp"

#include <algorithm>
#include <array>

#include "crypto/digest.hpp"
#include "fuzz/input.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const bool is_made_right = input.byte() % 2 == 1;
  const auto text = input.rest();
  if (!is_made_right) {
    if (read_slot(bytes_of(text)).record) ++accepted();
    return 0;
  }
  SlotBytes bytes{};
  const auto checked = std::span(bytes).first(480);
  std::ranges::copy(bytes_of(text.substr(0, checked.size())), bytes.begin());
  const auto check = digest_of(checked);
  std::ranges::copy(std::as_bytes(std::span(check.bytes)),
                    bytes.begin() + static_cast<std::ptrdiff_t>(checked.size()));
  const auto slot = read_slot(bytes);
  must((slot.state == SlotState::valid) == slot.record.has_value(), "a valid slot has a record");
  if (!slot.record) return 0;
  ++accepted();
  must(write_slot(*slot.record) == bytes, "there is one way to write a record");
  return 0;
}
