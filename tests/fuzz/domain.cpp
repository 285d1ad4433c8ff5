// Domain XML as libvirt may give it when a machine is packed. With the first byte odd, of one that
// is shut off.
#include <string>

#include "fuzz/input.hpp"
#include "machine/reading.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::machine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto moment = input.byte() % 2 == 1 ? Moment::shut_off : Moment::running;
  const auto reading = read_domain(input.rest(), moment);
  if (!reading) return 0;
  ++accepted();
  const auto travels = read_json(write_json(reading->machine));
  must(travels && *travels == reading->machine, "what is packed can be launched again");
  return 0;
}
