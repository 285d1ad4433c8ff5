// Reads a file of a device from end to end as the medium has it, not the page cache, in large
// pieces, one ahead of the caller. Inside lib/format only. One thread at a time; blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <span>
#include <string>

#include "base/handle.hpp"
#include "format/files.hpp"

namespace satchel::format {

class MediumReader {
 public:
  static constexpr std::size_t piece = 4U << 20;

  /// A regular file of ours (open_file()), or errno.
  static OrErrno<std::unique_ptr<MediumReader>> open(int directory, const std::string& path);
  MediumReader(const MediumReader&) = delete;
  MediumReader& operator=(const MediumReader&) = delete;
  ~MediumReader();

  std::uint64_t size() const { return size_; }
  /// How far it has read.
  std::uint64_t offset() const { return offset_; }
  /// The next bytes, good until the next call; none at the end. An errno ends it, at offset().
  OrErrno<std::span<const std::byte>> next();

 private:
  using Buffer = Handle<std::byte, std::free>;
  struct Filled {
    std::size_t bytes = 0;
    int error = 0;
  };
  MediumReader(UniqueFd plain, UniqueFd direct, std::uint64_t size);
  Filled fill(std::byte* out, std::uint64_t at);
  void begin(std::uint64_t at);

  UniqueFd plain_;
  UniqueFd direct_;  ///< none where the filesystem refuses O_DIRECT
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
  std::array<Buffer, 2> buffers_;
  std::size_t filling_ = 0;
  std::future<Filled> ahead_;  ///< of buffers_[filling_]
};

}  // namespace satchel::format
