#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/codec_map.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/pipeline.hpp"

namespace satchel::hibernation {

namespace {

struct RawBlock {
  std::vector<std::byte> raw;
  std::size_t raw_size = 0;
  std::vector<std::byte> packed;
  BlockEntry entry{};
};

Fault failed(std::string why) {
  return Fault(Remedy::report_bug, {"compress", "the machine's memory", std::move(why), {}});
}

/// Makes one frame of its own of the block.
void pack(RawBlock& block, int level) {
  const auto size = pack_frame(std::span(block.raw).first(block.raw_size), level, block.packed);
  block.entry.packed_size = static_cast<std::uint32_t>(size);
  block.entry.raw_size = static_cast<std::uint32_t>(block.raw_size);
  block.entry.digest = digest_of(std::span(block.packed).first(size));
}

/// Cuts what a source gives into blocks.
class Cutter {
 public:
  Cutter(const Source& in, std::size_t block) : in_(in), block_(block) {}

  bool fill(RawBlock& block, const std::stop_token& stop) {
    block.raw.resize(block_);
    block.raw_size = 0;
    while (!ended_ && block.raw_size < block_) {
      const auto n = in_(std::span(block.raw).subspan(block.raw_size), stop);
      ended_ = n == 0;
      block.raw_size += n;
    }
    if (block.raw_size == 0) return false;
    if (++blocks_ > most_blocks)
      throw Fault(Remedy::later_version,
                  {"store", "the machine's memory", "it has more blocks than a map can name", {}});
    return true;
  }

 private:
  const Source& in_;
  std::size_t block_;
  std::size_t blocks_ = 0;
  bool ended_ = false;
};

}  // namespace

Encoded encode(const Source& in, const Sink& pages, const EncoderSettings& settings,
               const ProgressSink& progress, std::stop_token stop) {
  if (settings.level < 1 || settings.level > 19 || settings.threads < 1 || settings.threads > 64 ||
      settings.block < 1 || settings.block > largest_raw_block)
    throw failed("its settings are out of range");
  BlockTable table;
  Cutter cutter(in, settings.block);
  const auto write = [&](RawBlock& block) {
    pages(std::span(block.packed).first(block.entry.packed_size));
    table.add(block.entry);
    if (progress) progress({"writing memory", table.stream_size, ByteCount(0)});
  };
  Pipeline<RawBlock> pipeline(
      settings.threads,
      {[&](RawBlock& block, const std::stop_token& ending) { return cutter.fill(block, ending); },
       [&](RawBlock& block) { pack(block, settings.level); }, write});
  pipeline.run(std::move(stop));
  return Encoded{table.stream_size, table.pages_size, write_map(table)};
}

}  // namespace satchel::hibernation
