#include "fuzz/stretch.hpp"

#include <cstring>

#include "hibernation/stream_parser.hpp"

namespace satchel::fuzz {

namespace {

using hibernation::page_size;

/// Where memory's part of the stream is in its sections, as QEMU 7.2 writes them.
constexpr std::uint32_t ram_section = 2;

class Stretcher {
 public:
  explicit Stretcher(Input& input) : input_(input) {}

  std::string run() {
    while (!input_.empty() && out_.size() < longest_stretched) {
      const auto code = input_.byte();
      if (code == 0xff) break;
      if (code < 0x80)
        out_ += input_.take(code + 1U);
      else
        piece(code % 16);
    }
    return std::move(out_);
  }

 private:
  void put(std::uint64_t value, unsigned size) {
    while (size-- > 0) out_ += static_cast<char>(value >> (8 * size) & 0xff);
  }
  void put_record(std::uint64_t address, std::uint32_t page) {
    put(hibernation::record_header(address), 8);
    out_ += page_of(page);
  }

  void piece(unsigned code) {
    switch (code) {
      case 0:
        return start();
      case 1:
        return setup();
      case 2:  // a part of memory begins
        put(2, 1);
        return put(ram_section, 4);
      case 3:  // with a page that names its block
        put(input_.number(2) << 12 | 0x08, 8);
        out_ += "\6pc.ram";
        out_ += page_of(input_.byte());
        return;
      case 4:
      case 5:
        return records(code == 4 ? 1U : 1U + input_.byte() % 40U);
      case 6: {
        const auto address = input_.number(2);
        const auto count = 1U + input_.byte() % 64U;
        for (unsigned i = 0; i < count; ++i) {
          put(hibernation::fill_header(address + i), 8);
          put(0, 1);
        }
        return;
      }
      case 7:
        return end_part();
      case 8:
        out_ += page_of(input_.byte());
        return;
      case 9:  // a page that is like another
        put(hibernation::record_header(input_.number(2)), 8);
        out_ += page_of(static_cast<std::uint32_t>(input_.number(3)));
        return;
      case 10:
        out_.append(page_size, '\0');
        return;
      default:  // any record's header
        return put(input_.number(4), 8);
    }
  }

  void start() {
    out_ += "QEVM";
    put(3, 4);
    put(7, 1);
    put(10, 4);
    out_ += "pc-q35-7.2";
  }

  void setup() {
    const auto memory = (1 + input_.number(1)) << 20;
    put(1, 1);
    put(ram_section, 4);
    out_ += "\3ram";
    put(0, 4);
    put(4, 4);
    put(memory | 0x04, 8);
    out_ += "\6pc.ram";
    put(memory, 8);
    end_part();
  }

  void end_part() {
    put(0x10, 8);
    put(0x7e, 1);
    put(ram_section, 4);
  }

  void records(unsigned count) {
    const auto address = input_.number(2);
    const auto page = input_.byte();
    for (unsigned i = 0; i < count; ++i) put_record(address + i, (page + i) & 0xff);
  }

  Input& input_;
  std::string out_;
};

}  // namespace

std::string page_of(std::uint32_t what) {
  std::string out(page_size, '\0');
  // splitmix64: zstd finds nothing in it, and it takes little of an execution's time.
  std::uint64_t state = what & 0xff;
  for (std::size_t at = 0; state != 0 && at < out.size(); at += sizeof state) {
    state += 0x9e3779b97f4a7c15U;
    auto word = (state ^ state >> 30) * 0xbf58476d1ce4e5b9U;
    word = (word ^ word >> 27) * 0x94d049bb133111ebU;
    word ^= word >> 31;
    std::memcpy(out.data() + at, &word, sizeof word);
  }
  if (what > 0xff) out[(what >> 8) % page_size] ^= static_cast<char>(1 + (what >> 20));
  return out;
}

std::string stretched(Input& input) { return Stretcher(input).run(); }

}  // namespace satchel::fuzz
