// Any bytes as QEMU's stream, through the page encoder and back: bit-exact whatever it is, also
// where pages are known from the generation before, differ from it a little, or are on a disk.
#include <string>

#include "fuzz/generations.hpp"
#include "fuzz/stretch.hpp"

using namespace satchel::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto how = input.byte();
  Generations::Use use;
  use.at_once = 1 + std::size_t{input.byte()} * 257;
  if (how & 1U) {
    use.written_from = input.byte();
    use.written_count = input.byte() % 64;
  }
  use.compares = (how & 2U) != 0;
  Generations generations;
  for (std::uint64_t number = 1; number <= 3 && (number == 1 || !input.empty()); ++number) {
    const auto stream = stretched(input);
    generations.encode(number, stream, use);
    generations.check(number, stream);
    use.base = number;
    // Otherwise the same pages of the disk are written again.
    if (how & 4U) use.written_count = 0;
  }
  ++accepted();
  return 0;
}
