// Codec "zstd-blocks-1" (docs/DEVICE-FORMAT.md, "The map"): QEMU's stream in, objects out, and
// back, bit-exact. It is read where it was written; page_codec.hpp is what is written today.
// Blocking, several threads of its own; call it on the files lane.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/handle.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"
#include "base/result.hpp"

namespace satchel::hibernation {

struct BlockTable;

/// Gives up to as many bytes as fit, 0 at the end. The token is asked to stop also when the encoder
/// gives up by itself (a sink that failed): a wait for more must end then. Throws Fault. Called on
/// a thread of the encoder.
using Source = std::function<std::size_t(std::span<std::byte>, std::stop_token)>;
/// Takes bytes in order; throws Fault when it can't. Called on the caller's thread.
using Sink = std::function<void(std::span<const std::byte>)>;

struct EncoderSettings {
  int level = 1;                 ///< zstd's, 1 to 19
  unsigned threads = 2;          ///< 1 to 64
  std::size_t block = 1U << 20;  ///< bytes of the stream in one block, 1 to 16 MiB
};

struct Encoded {
  ByteCount stream_size;  ///< bytes taken in
  ByteCount pages_size;   ///< bytes given to `pages`
  std::string map;        ///< the map object's bytes
};

/// Reads `in` to its end. Memory is bounded by twice (threads + 2) blocks; slow sinks slow the
/// reader down. Throws what `in` or `pages` threw first, Fault with Remedy::retry when stopped, and
/// Remedy::later_version for a stream of more than 2^20 blocks.
Encoded encode(const Source& in, const Sink& pages, const EncoderSettings& settings,
               const ProgressSink& progress, std::stop_token stop);

/// A checked map, ready to decode from.
class Decoder {
 public:
  /// Parses a map whose digest the caller has already checked against the signed head.
  static Result<Decoder> parse(std::string_view map);
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  ByteCount stream_size() const;
  ByteCount pages_size() const;
  /// Reads `pages` in order, once, checks every block's digest before a byte of it is decompressed,
  /// decompresses in parallel, and gives the stream to `out` in order. Throws Fault naming the
  /// block that is damaged; nothing of a damaged block is given to `out`.
  void decode(int pages_fd, const Sink& out, unsigned threads, const ProgressSink& progress,
              std::stop_token stop) const;

 private:
  explicit Decoder(std::unique_ptr<BlockTable> table);
  std::unique_ptr<BlockTable> table_;
};

}  // namespace satchel::hibernation
