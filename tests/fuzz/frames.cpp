#include "fuzz/frames.hpp"

#include <zstd.h>

#include <vector>

#include "fuzz/stretch.hpp"
#include "hibernation/frames.hpp"

namespace satchel::fuzz {

namespace {

enum class Made {
  right,
  replaced,  ///< by a right one of other content, which its digest isn't of
  changed_behind_its_digest,
  of_another_size,
  two_frames,
  skippable,
  without_size,
  by_hand,  ///< the input's own bytes
  damaged,  ///< one byte of a right one changed, and its digest made of that
  cut_off,
  last = cut_off,
};

std::string content_from(Input& input, std::size_t size) {
  std::string out;
  for (std::uint32_t page = input.byte(); out.size() < size; ++page) out += page_of(page & 0xff);
  out.resize(size);
  return out;
}

std::string packed(std::string_view content) {
  std::vector<std::byte> out;
  const auto size = hibernation::pack_frame(bytes_of(content), 1, out);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string packed_without_size(const std::string& content) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const Handle<ZSTD_CCtx, ZSTD_freeCCtx> context(ZSTD_createCCtx());
  must(bool(context), "there is memory for zstd");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  out.resize(ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size()));
  return out;
}

/// One more byte of the input says which byte, one how.
void change(std::string& bytes, Input& input) {
  const auto at = input.number(2) % bytes.size();
  bytes[at] ^= static_cast<char>(1 + input.byte() % 255);
}

std::string skippable() { return std::string("\x50\x2a\x4d\x18\x04\0\0\0skip", 12); }

std::string bytes_of(Made made, const std::string& content, Input& input) {
  switch (made) {
    case Made::right:
    case Made::replaced:
    case Made::changed_behind_its_digest:
      return packed(content);
    case Made::of_another_size:
      return packed(content + 'x');
    case Made::two_frames: {
      const auto half = content.size() / 2;
      return packed(std::string_view(content).substr(0, half)) +
             packed(std::string_view(content).substr(half));
    }
    case Made::skippable:
      return skippable() + packed(content);
    case Made::without_size:
      return packed_without_size(content);
    case Made::by_hand:
      return std::string(input.take(1U + input.byte()));
    case Made::damaged: {
      auto out = packed(content);
      change(out, input);
      return out;
    }
    case Made::cut_off: {
      const auto out = packed(content);
      return out.substr(0, 1 + input.number(2) % out.size());
    }
  }
  return {};
}

/// What zstd itself finds, for what is not known otherwise.
std::optional<std::string> unpacked(const std::string& frame, std::size_t size) {
  std::string out(size, '\0');
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size() ||
      ZSTD_getFrameContentSize(frame.data(), frame.size()) != size ||
      ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size()) != size)
    return std::nullopt;
  return out;
}

}  // namespace

Frame frame_from(Input& input, std::size_t size) {
  const auto made = static_cast<Made>(input.byte() % (static_cast<unsigned>(Made::last) + 1));
  const auto content = content_from(input, size);
  Frame out;
  out.bytes = bytes_of(made, content, input);
  if (out.bytes.empty()) out.bytes = "x";
  out.digest = digest_of(out.bytes);
  if (made == Made::right)
    out.content = content;
  else if (made == Made::replaced)
    out.bytes = packed(std::string(size, 'x'));
  else if (made == Made::changed_behind_its_digest)
    change(out.bytes, input);
  else
    out.content = unpacked(out.bytes, size);
  return out;
}

}  // namespace satchel::fuzz
