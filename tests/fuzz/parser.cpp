// QEMU's stream as the cutter takes it: whatever it is and however it comes in, the pieces are the
// stream, and each is what it says it is.
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/stretch.hpp"
#include "hibernation/stream_cutter.hpp"

using namespace satchel::fuzz;
using namespace satchel::hibernation;

namespace {

std::uint64_t header_at(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes.substr(0, header_size))
    value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void check(const Piece& piece, std::string_view bytes) {
  switch (piece.kind) {
    case Piece::Kind::text:
      return must(!bytes.empty() && bytes.size() < page_size, "text is 1 to 4095 bytes");
    case Piece::Kind::bare:
      return must(bytes.size() == page_size, "a bare page has 4096 bytes");
    case Piece::Kind::record:
      must(bytes.size() == record_size, "a record is a header and a page");
      return must(header_at(bytes) == record_header(piece.address),
                  "a record's header follows from its address");
    case Piece::Kind::fill:
      must(!bytes.empty() && bytes.size() % fill_size == 0, "fills are whole records");
      for (std::size_t i = 0; i * fill_size < bytes.size(); ++i) {
        const auto fill = bytes.substr(i * fill_size, fill_size);
        must(header_at(fill) == fill_header(piece.address + i) && fill.back() == '\0',
             "a fill's header follows from its address");
      }
  }
}

/// Cuts the stream as it comes in so many bytes at once, and gives how many are pages.
void cut(std::string_view stream, std::size_t at_once) {
  StreamCutter cutter;
  std::string rest;
  std::size_t given = 0;
  std::size_t whole = 0;
  for (bool ended = false; !ended;) {
    const auto next = stream.substr(given, at_once);
    given += next.size();
    ended = next.empty();
    rest += next;
    std::vector<Piece> pieces;
    const auto taken = cutter.cut(
        bytes_of(rest), ended ? StreamParser::Ended::yes : StreamParser::Ended::no, pieces);
    std::size_t at = 0;
    for (const auto& piece : pieces) {
      must(piece.at == at && piece.size <= rest.size() - at, "pieces leave no gap");
      check(piece, std::string_view(rest).substr(at, piece.size));
      at += piece.size;
    }
    must(at == taken, "as much is taken as the pieces are");
    must(ended ? taken == rest.size() : rest.size() - taken < StreamCutter::longest_rest,
         "what is left is bounded, and nothing at the end");
    whole += taken;
    rest.erase(0, taken);
  }
  must(whole == stream.size(), "the pieces are the stream");
  ++accepted();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto how = input.byte();
  const auto stream = how % 2 == 0 ? std::string(input.rest()) : stretched(input);
  cut(stream, 1 + stream.size());
  cut(stream, 1 + std::size_t{how} * 37);
  return 0;
}
