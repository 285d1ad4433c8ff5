// The hibernation codec's face: QEMU's stream in, objects out, and back, bit-exact. Today's codec
// is "zstd-blocks-1" (docs/DEVICE-FORMAT.md); the delta codec will be another behind the same face.
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

/// Takes bytes in order; throws Fault when it can't.
using Sink = std::function<void(std::span<const std::byte>)>;

struct EncoderSettings {
  int level = 1;         ///< zstd's, 1 to 19
  unsigned threads = 2;  ///< 1 to 64
  std::size_t block = 1U << 20;  ///< bytes of the stream in one block
};

struct Encoded {
  ByteCount stream_size;  ///< bytes taken in
  ByteCount pages_size;   ///< bytes given to `pages`
  std::string map;        ///< the map object's bytes
};

/// Reads `in` to its end. Memory is bounded by threads * block; slow sinks slow the reader down.
/// Throws Fault, also with Remedy::retry when stopped.
Encoded encode(const std::function<std::size_t(std::span<std::byte>)>& in, const Sink& pages,
               const EncoderSettings& settings, const ProgressSink& progress, std::stop_token stop);

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
  /// decompresses in parallel, and gives the stream to `out` in order. Throws Fault naming the block
  /// that is damaged; nothing of a damaged block is given to `out`.
  void decode(int pages_fd, const Sink& out, unsigned threads, const ProgressSink& progress,
              std::stop_token stop) const;

 private:
  struct Table;
  explicit Decoder(std::unique_ptr<Table> table);
  std::unique_ptr<Table> table_;
};

}  // namespace satchel::hibernation
