// What another host says of itself on a device: as it is, and signed by that host.
#include "format/host_card.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "format/strict_json.hpp"
#include "format/text.hpp"
#include "fuzz/input.hpp"
#include "fuzz/signing.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = Input(data, size).rest();
  read_host_card(text);
  auto json = parse_strictly(text, largest_host_card);
  if (!json || !json->is_object()) return 0;
  (*json)["host"] = key().public_key().host_id().value.str();
  const auto card = read_host_card(with_signature(std::move(*json), "satchel-host-v1\n"));
  if (!card) return 0;
  ++accepted();
  must(is_name(card->host_name), "a host's name can be shown");
  const auto again = read_host_card(write_host_card(*card, key()));
  must(again && again->says_the_same(*card) && again->time == card->time,
       "a card that was written reads the same");
  return 0;
}
