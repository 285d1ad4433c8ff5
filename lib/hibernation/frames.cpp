#include "hibernation/frames.hpp"

#include <zstd.h>

#include <utility>

#include "base/handle.hpp"

namespace satchel::hibernation {

namespace {

using CompressionContext = Handle<ZSTD_CCtx, ZSTD_freeCCtx>;
using DecompressionContext = Handle<ZSTD_DCtx, ZSTD_freeDCtx>;

Fault failed(std::string why) {
  return Fault(Remedy::report_bug, {"compress", "the machine's memory", std::move(why), {}});
}

std::size_t check(std::size_t result) {
  if (ZSTD_isError(result)) throw failed(ZSTD_getErrorName(result));
  return result;
}

CompressionContext make_context() {
  CompressionContext context(ZSTD_createCCtx());
  if (!context) throw failed("there is no memory for it");
  // For those who unpack by hand: `zstd -t` finds damage then.
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1));
  return context;
}

}  // namespace

Fault damaged(std::string object, std::string why) {
  return Fault(Remedy::choose,
               {"restore", std::move(object), std::move(why),
                "Plug the device in again; if it stays damaged, boot the machine from its disks "
                "(satchelctl launch --start-fresh), or go back to an earlier generation "
                "(satchelctl history)."});
}

std::size_t pack_frame(std::span<const std::byte> raw, int level, std::vector<std::byte>& packed) {
  // A worker's thread lives as long as one run of the codec, and so does its context.
  thread_local const auto context = make_context();
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  packed.resize(ZSTD_compressBound(raw.size()));
  return check(ZSTD_compress2(context.get(), packed.data(), packed.size(), raw.data(), raw.size()));
}

void unpack_frame(std::span<const std::byte> packed, const Digest& digest, std::span<std::byte> raw,
                  const std::string& name) {
  if (digest_of(packed) != digest) throw damaged(name, "it is not what was written");
  unpack_authentic(packed, raw, name);
}

void unpack_authentic(std::span<const std::byte> packed, std::span<std::byte> raw,
                      const std::string& name) {
  // The frame must be the whole block and hold what the map says; then one call with room for just
  // that needs no window beside it.
  if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size() ||
      ZSTD_getFrameContentSize(packed.data(), packed.size()) != raw.size())
    throw damaged(name, "it does not hold what the map says");
  thread_local const DecompressionContext context(ZSTD_createDCtx());
  if (!context) throw Fault(Remedy::retry, {"restore", name, "there is no memory for it", {}});
  const auto size =
      ZSTD_decompressDCtx(context.get(), raw.data(), raw.size(), packed.data(), packed.size());
  if (ZSTD_isError(size)) throw damaged(name, ZSTD_getErrorName(size));
  if (size != raw.size()) throw damaged(name, "it is too short");
}

}  // namespace satchel::hibernation
