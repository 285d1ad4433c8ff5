#include "hibernation/page_portions.hpp"

#include <algorithm>

#include "hibernation/pipeline.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t portion_size = 512U << 10;

/// Cuts what a source gives. What one portion leaves begins the next.
class Reader {
 public:
  explicit Reader(const Source& in) : in_(in) {}

  bool fill(Portion& portion, const std::stop_token& stop) {
    portion.bytes.resize(portion_size + StreamCutter::longest_rest);
    portion.pieces.clear();
    std::ranges::copy(rest_, portion.bytes.begin());
    std::size_t size = rest_.size();
    while (!ended_ && size < portion_size) {
      const auto n = in_(std::span(portion.bytes).subspan(size), stop);
      ended_ = n == 0;
      size += n;
    }
    const auto there = std::span(portion.bytes).first(size);
    portion.size = cutter_.cut(there, ended_ ? StreamParser::Ended::yes : StreamParser::Ended::no,
                               portion.pieces);
    const auto left = there.subspan(portion.size);
    rest_.assign(left.begin(), left.end());
    return size > 0;
  }

 private:
  const Source& in_;
  StreamCutter cutter_;
  std::vector<std::byte> rest_;
  bool ended_ = false;
};

void tell_pages(Portion& portion, const PageTeller& teller) {
  auto reading = teller.reading();
  portion.sights.assign(portion.pieces.size(), {});
  for (std::size_t i = 0; i < portion.pieces.size(); ++i) {
    const auto& piece = portion.pieces[i];
    if (piece.kind != Piece::Kind::bare && piece.kind != Piece::Kind::record) continue;
    portion.sights[i] = teller.tell(piece, portion.content(piece), reading);
  }
}

}  // namespace

std::span<const std::byte> Portion::content(const Piece& piece) const {
  const auto whole = std::span(bytes).subspan(piece.at, piece.size);
  return piece.kind == Piece::Kind::record ? whole.subspan(header_size) : whole;
}

void read_portions(const Source& in, const PageTeller& teller, unsigned threads,
                   const std::function<void(const Portion&)>& take, std::stop_token stop) {
  Reader reader(in);
  Pipeline<Portion> pipeline(threads, {[&](Portion& portion, const std::stop_token& ending) {
                                         return reader.fill(portion, ending);
                                       },
                                       [&](Portion& portion) { tell_pages(portion, teller); },
                                       [&](Portion& portion) { take(portion); }});
  pipeline.run(std::move(stop));
}

}  // namespace satchel::hibernation
