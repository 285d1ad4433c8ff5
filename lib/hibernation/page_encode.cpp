// The page encoder: portions of the stream are read, cut and told on some threads, composed on
// one, and what is new compressed on others and written on the caller's.
#include <algorithm>
#include <thread>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/handoff.hpp"
#include "hibernation/level_control.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/page_composer.hpp"
#include "hibernation/page_portions.hpp"
#include "hibernation/page_teller.hpp"
#include "hibernation/pipeline.hpp"

namespace satchel::hibernation {

namespace {

/// Blocks that wait for a compressor.
constexpr std::size_t most_waiting = 2;
/// The stand-in stays on this computer, for a moment: speed counts more than size.
constexpr int stand_in_level = -3;

Fault failed(std::string why) {
  return Fault(Remedy::report_bug, {"store", "the machine's memory", std::move(why), {}});
}

struct PackedCells {
  FullBlock block;
  std::vector<std::byte> packed;
  PageBlock entry;
};

/// Writes one segment, block by block.
class SegmentWriter {
 public:
  explicit SegmentWriter(const Sink& sink) : sink_(sink) {}

  void add(const PackedCells& block) {
    write(std::span(block.packed).first(block.entry.packed_size));
    blocks_.push_back(block.entry);
  }

  Segment finish(std::uint64_t number, std::uint64_t cells, std::span<const ContentName> names,
                 const BorrowTable& borrows) {
    const auto borrow_table = borrows.empty() ? std::string() : borrows.write();
    const auto block_table =
        write_block_table(blocks_, borrows.empty() ? Borrows::nothing : Borrows::cells);
    const auto name_table = write_name_table(names);
    const auto size = block_table.size() + borrow_table.size() + name_table.size();
    for (const auto& each : {write_table_frame(size), block_table, borrow_table, name_table})
      write(std::as_bytes(std::span(each)));
    Segment out{number,       ByteCount(size_),       cells,
                names.size(), digest_of(block_table), digest_of(name_table)};
    if (borrows.empty()) return out;
    out.borrowed = borrows.count();
    out.borrow_size = ByteCount(borrow_table.size());
    out.borrow = digest_of(borrow_table);
    return out;
  }

 private:
  void write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    sink_(bytes);
    size_ += bytes.size();
  }

  const Sink& sink_;
  std::vector<PageBlock> blocks_;
  std::uint64_t size_ = 0;
};

/// Reads and composes on a thread of its own until it is stopped.
class Composing {
 public:
  Composing(const Source& in, const PageTeller& teller, unsigned threads, PageComposer& composer,
            Handoff<FullBlock>& blocks, const ProgressSink& progress, std::stop_source stop)
      : stop_(std::move(stop)),
        thread_([this, &in, &teller, threads, &composer, &blocks, &progress] {
          try {
            read_portions(
                in, teller, threads,
                [&](const Portion& portion) { compose(portion, composer, progress); },
                stop_.get_token());
            composer.finish();
            blocks.close();
          } catch (...) {
            blocks.close(std::current_exception());
          }
        }) {}
  ~Composing() { end(); }

  void end() {
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  /// When it has ended.
  ByteCount stream_size() const { return ByteCount(stream_size_); }

 private:
  void compose(const Portion& portion, PageComposer& composer, const ProgressSink& progress) {
    for (std::size_t i = 0; i < portion.pieces.size(); ++i)
      composer.take(portion.pieces[i], portion.content(portion.pieces[i]), portion.sights[i]);
    stream_size_ += portion.size;
    if (stream_size_ > largest_stream)
      throw Fault(Remedy::later_version,
                  {"store", "the machine's memory", "it is larger than a map can tell", {}});
    if (progress) progress({"writing memory", ByteCount(stream_size_), ByteCount(0)});
  }

  std::stop_source stop_;
  std::uint64_t stream_size_ = 0;
  std::thread thread_;
};

PageMap make_map(const ContentKey& key, ByteCount stream, std::vector<Segment> segments,
                 std::string recipe) {
  PageMap map{key, stream, std::move(segments), std::move(recipe)};
  if (map.recipe.size() > largest_recipe)
    throw Fault(Remedy::later_version,
                {"store", "the machine's memory", "its map would be too large", {}});
  return map;
}

/// Nothing is written down that could not be read again.
std::string readable(const PageMap& map) {
  auto bytes = write_page_map(map);
  if (const auto read = read_page_map(bytes); !read) throw failed(to_string(read.error()));
  return bytes;
}

}  // namespace

const char* EncodedPages::codec() const {
  const auto borrows = [](const Segment& each) { return each.borrowed > 0; };
  return std::ranges::any_of(segments, borrows) ? borrowing_codec : page_codec;
}

EncodedPages encode_pages(const Source& in, const PageSinks& sinks, PageBase base,
                          const PageEncoderSettings& settings, const ProgressSink& progress,
                          std::stop_token stop) {
  if (settings.level < 1 || settings.level > 19 || settings.threads < 1 || settings.threads > 64)
    throw failed("its settings are out of range");
  const bool wanted = base.tags && settings.own_tags == PageEncoderSettings::OwnTags::wanted;
  OwnTags own_tags(wanted ? base.tags->begin() : nullptr);
  const bool tags_own = own_tags.are_wanted();
  Handoff<FullBlock> blocks(most_waiting);
  std::stop_source composing_stop;
  PageComposer composer(
      std::move(base),
      [&](FullBlock block) {
        if (!blocks.give(std::move(block), composing_stop.get_token()))
          throw Fault(Remedy::retry, {"store", "the machine's memory", "it was stopped", {}});
      },
      sinks.stand_in ? PageComposer::StandIn::wanted : PageComposer::StandIn::unwanted,
      sinks.borrowed ? PageComposer::Borrowed::wanted : PageComposer::Borrowed::unwanted,
      std::move(own_tags));
  const PageTeller teller(composer.base(),
                          tags_own ? PageTeller::Tagged::all : PageTeller::Tagged::as_needed);
  SegmentWriter own(sinks.segment);
  SegmentWriter stand_in(sinks.stand_in);
  ByteCount stream_size;
  {
    Composing composing(in, teller, settings.threads, composer, blocks, progress, composing_stop);
    const std::stop_callback on_stop(stop, [&] { composing_stop.request_stop(); });
    LevelControl levels(settings.level, LevelControl::Clock::now());
    Pipeline<PackedCells> pipeline(
        settings.threads,
        {[&](PackedCells& slot, const std::stop_token& ending) {
           auto block = blocks.take(ending);
           if (block) slot.block = std::move(*block);
           return block.has_value();
         },
         [&](PackedCells& slot) {
           slot.entry = {};
           if (slot.block.cells.empty()) return;
           const bool is_own = slot.block.of == FullBlock::Of::segment;
           const auto size =
               pack_frame(slot.block.cells, is_own ? levels.level() : stand_in_level, slot.packed);
           slot.entry.packed_size = static_cast<std::uint32_t>(size);
           slot.entry.digest = digest_of(std::span(slot.packed).first(size));
         },
         [&](PackedCells& slot) {
           const auto begin = LevelControl::Clock::now();
           (slot.block.of == FullBlock::Of::segment ? own : stand_in).add(slot);
           if (settings.level_is == PageEncoderSettings::Level::follows_sink)
             levels.wrote(slot.entry.packed_size, begin, LevelControl::Clock::now());
           if (!slot.block.borrowed.empty()) sinks.borrowed(slot.block.borrowed);
         }});
    pipeline.run(stop);
    composing.end();
    stream_size = composing.stream_size();
  }

  EncodedPages out;
  out.stream_size = stream_size;
  out.known_cells = composer.known_cells();
  out.told_by_tag = composer.told_by_tag();
  out.differences = composer.differences();
  const auto& borrows = composer.borrows();
  out.borrowed = borrows.count();
  const auto segment = own.finish(settings.number, composer.cells(), composer.names(), borrows);
  if (tags_own) composer.base().tags->keep(segment, composer.own_tags());
  const auto& key = composer.base().key;
  out.segments = composer.used_segments();
  out.segments.insert(out.segments.begin(), segment);
  out.map = readable(make_map(key, stream_size, out.segments, composer.recipe()));
  if (sinks.stand_in) {
    const auto replaced = stand_in.finish(0, composer.stand_in_cells(), {}, {});
    out.stand_in_map =
        readable(make_map(key, stream_size, {segment, replaced}, composer.stand_in_recipe()));
  }
  return out;
}

}  // namespace satchel::hibernation
