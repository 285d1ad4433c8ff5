#include "hibernation/stream_cutter.hpp"

namespace satchel::hibernation {

namespace {

Piece::Kind kind_of(StreamItem::Kind kind) {
  switch (kind) {
    case StreamItem::Kind::bytes:
      return Piece::Kind::text;
    case StreamItem::Kind::page:
      return Piece::Kind::bare;
    case StreamItem::Kind::record:
      return Piece::Kind::record;
    case StreamItem::Kind::fill:
      return Piece::Kind::fill;
  }
  return Piece::Kind::text;
}

/// Whether a fill goes on where fills have ended.
bool continues(const Piece& piece, const StreamItem& fill) {
  return piece.kind == Piece::Kind::fill && piece.address + piece.size / fill_size == fill.address;
}

}  // namespace

std::size_t StreamCutter::cut(std::span<const std::byte> bytes, StreamParser::Ended ended,
                              std::vector<Piece>& pieces) {
  const auto first = pieces.size();
  std::size_t from = 0;
  std::size_t parsed = parsed_;
  const auto give = [&](Piece::Kind kind, std::size_t size, std::uint64_t address) {
    pieces.push_back({kind, static_cast<std::uint32_t>(size), from, address});
    from += size;
  };
  const auto give_text = [&] {
    if (parsed > from) give(Piece::Kind::text, parsed - from, 0);
  };
  while (const auto item = parser_.next(bytes.subspan(parsed), ended)) {
    if (item->kind != StreamItem::Kind::bytes) {
      give_text();
      parsed += item->size;
      if (item->kind == StreamItem::Kind::fill && !pieces.empty() &&
          continues(pieces.back(), *item) && pieces.size() > first) {
        pieces.back().size += fill_size;
        from += fill_size;
      } else {
        give(kind_of(item->kind), item->size, item->address);
      }
      continue;
    }
    parsed += item->size;
    while (parsed - from >= page_size) give(Piece::Kind::bare, page_size, 0);
  }
  if (ended == StreamParser::Ended::yes) give_text();
  parsed_ = parsed - from;
  return from;
}

}  // namespace satchel::hibernation
