#include "made_stream.hpp"

namespace satchel::test {

MadeStream::MadeStream() {
  add("QEVM");
  number(3, 4);
  number(7, 1);
  number(10, 4);
  add("pc-q35-7.2");
}

MadeStream& MadeStream::setup(std::uint64_t memory) {
  number(1, 1);
  number(2, 4);
  add("\3ram");
  number(0, 4);
  number(4, 4);
  number(memory | 0x04, 8);
  add("\6pc.ram");
  number(memory, 8);
  return end_part();
}

MadeStream& MadeStream::begin_part() {
  number(2, 1);
  number(2, 4);
  return *this;
}

MadeStream& MadeStream::first_page(std::uint64_t address, const std::string& block,
                                   const std::string& page) {
  number(address << 12 | 0x08, 8);
  number(block.size(), 1);
  return add(block + page);
}

MadeStream& MadeStream::page(std::uint64_t address, const std::string& page) {
  number(address << 12 | 0x28, 8);
  return add(page);
}

MadeStream& MadeStream::fill(std::uint64_t address) {
  number(address << 12 | 0x22, 8);
  number(0, 1);
  return *this;
}

MadeStream& MadeStream::end_part() {
  number(0x10, 8);
  number(0x7e, 1);
  number(2, 4);
  return *this;
}

MadeStream& MadeStream::add(const std::string& bytes) {
  out_ += bytes;
  return *this;
}

void MadeStream::number(std::uint64_t value, unsigned size) {
  while (size-- > 0) out_ += static_cast<char>(value >> (8 * size) & 0xff);
}

}  // namespace satchel::test
