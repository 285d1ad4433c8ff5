#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/codec_map.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/pipeline.hpp"

namespace satchel::hibernation {

namespace {

struct PackedBlock {
  std::size_t index = 0;
  std::vector<std::byte> packed;
  std::vector<std::byte> raw;
};

std::string name_of(std::size_t block) {
  return "block " + std::to_string(block) + " of the machine's memory";
}

/// Fewer than asked for only at the end of the file.
std::size_t read_up_to(int fd, std::span<std::byte> buffer) {
  std::size_t total = 0;
  while (total < buffer.size()) {
    const ssize_t n = ::read(fd, buffer.data() + total, buffer.size() - total);
    if (n == 0) break;
    if (n > 0)
      total += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      throw fault_from_errno(errno, "read", "the machine's memory");
  }
  return total;
}

/// Reads the frames one after the other, as large as the table says.
class FrameReader {
 public:
  FrameReader(int fd, const BlockTable& table) : fd_(fd), table_(table) {}

  bool fill(PackedBlock& block) {
    if (next_ == table_.blocks.size()) {
      std::byte more{};
      if (read_up_to(fd_, std::span(&more, 1)) != 0)
        throw damaged("the machine's memory", "its file is longer than its map says");
      return false;
    }
    block.index = next_++;
    block.packed.resize(table_.blocks[block.index].packed_size);
    if (read_up_to(fd_, block.packed) != block.packed.size())
      throw damaged(name_of(block.index), "the file ends before it");
    return true;
  }

 private:
  int fd_;
  const BlockTable& table_;
  std::size_t next_ = 0;
};

void unpack(PackedBlock& block, const BlockEntry& entry) {
  block.raw.resize(entry.raw_size);
  unpack_frame(block.packed, entry.digest, block.raw, name_of(block.index));
}

}  // namespace

Result<Decoder> Decoder::parse(std::string_view map) {
  auto table = read_map(map);
  if (!table) return tl::unexpected(std::move(table.error()));
  return Decoder(std::make_unique<BlockTable>(std::move(*table)));
}

Decoder::Decoder(std::unique_ptr<BlockTable> table) : table_(std::move(table)) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

ByteCount Decoder::stream_size() const { return table_->stream_size; }
ByteCount Decoder::pages_size() const { return table_->pages_size; }

void Decoder::decode(int pages_fd, const Sink& out, unsigned threads, const ProgressSink& progress,
                     std::stop_token stop) const {
  FrameReader frames(pages_fd, *table_);
  ByteCount done;
  const auto give = [&](PackedBlock& block) {
    out(block.raw);
    done = done + ByteCount(block.raw.size());
    if (progress) progress({"reading memory", done, table_->stream_size});
  };
  Pipeline<PackedBlock> pipeline(
      threads == 0 ? 1 : threads,
      {[&](PackedBlock& block, const std::stop_token&) { return frames.fill(block); },
       [&](PackedBlock& block) { unpack(block, table_->blocks[block.index]); }, give});
  pipeline.run(std::move(stop));
}

}  // namespace satchel::hibernation
