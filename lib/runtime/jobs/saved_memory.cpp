#include "runtime/jobs/saved_memory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>
#include <utility>

#include "base/host_fault.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/save_image.hpp"
#include "runtime/heads.hpp"

namespace satchel {

namespace {

constexpr std::string_view stream_magic = "QEVM";

/// The stream of a save image from its first byte on.
class StreamReader {
 public:
  explicit StreamReader(const ImportedMemory& memory)
      : file_(memory.file.get()),
        at_(memory.stream_at.value),
        end_(at_ + memory.stream_size.value) {}

  std::size_t operator()(std::span<std::byte> buffer, const std::stop_token&) {
    for (;;) {
      const auto n =
          ::pread(file_, buffer.data(), std::min<std::uint64_t>(buffer.size(), end_ - at_),
                  static_cast<off_t>(at_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw host_fault_from_errno(errno, "read", "the save image");
      at_ += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
  }

 private:
  int file_;
  std::uint64_t at_, end_;
};

}  // namespace

std::string read_at(int fd, std::uint64_t at, std::size_t size, const std::string& shown) {
  std::string out(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, out.data() + done, size - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw host_fault_from_errno(errno, "read", shown);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  out.resize(done);
  return out;
}

SaveImage open_save_image(UniqueFd file, const std::string& doing, const std::string& shown) {
  const auto unfit = [&](std::string why, std::string next = {}) {
    return Fault(Remedy::fix_request, Fault::Text{doing, shown, std::move(why), std::move(next)});
  };
  const auto start = read_at(file.get(), 0, hibernation::save_header_size, shown);
  if (start.starts_with("LibvirtQemudPart"))
    throw unfit("the save was not finished", "Save the machine again.");
  const auto header =
      hibernation::read_save_header(std::as_bytes(std::span(start.data(), start.size())));
  if (!header) throw unfit(to_string(header.error()));
  if (header->compression != 0)
    throw unfit("it is compressed",
                "Save the machine with save_image_format = \"raw\" in libvirt's qemu.conf, which "
                "is the default.");
  auto text = read_at(file.get(), hibernation::save_header_size, header->data_length, shown);
  const auto end = text.find('\0');
  if (text.size() != header->data_length || end == std::string::npos)
    throw unfit("it ends within the machine's description");
  text.resize(end);  // a cookie of libvirt's may follow; a restore does without
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) throw host_fault_from_errno(errno, "look at", shown);
  const ByteCount at(hibernation::save_header_size + header->data_length);
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (read_at(file.get(), at.value, stream_magic.size(), shown) != stream_magic)
    throw unfit("no memory of QEMU's follows the machine's description");
  return SaveImage{
      ImportedMemory{std::move(file), at, ByteCount(size - at.value), !header->was_running},
      std::move(text)};
}

void store_memory(format::CapsuleDirectory& capsule, format::Head& head,
                  const ImportedMemory& memory, const Config& config, Accelerator accelerator,
                  std::string emulator, Meter& meter, std::stop_token stop) {
  auto pages = capsule.create_object("memory/1.pages");
  const auto write = [&](std::span<const std::byte> bytes) { pages.write(bytes); };
  const hibernation::PageEncoderSettings settings{config.compression.level, worker_threads(config),
                                                  head.generation.seq.value};
  const auto encoded = hibernation::encode_pages(StreamReader(memory), {write, {}}, {}, settings,
                                                 meter.begin("writing memory"), std::move(stop));
  if (encoded.stream_size != memory.stream_size)
    throw Fault(Remedy::retry, Fault::Text{"read", "the save image", "it changed meanwhile", {}});
  SavedMemory saved{
      pages.finish(),      store_bytes(capsule, encoded.map, "memory/1.map"),
      encoded.stream_size, accelerator,
      std::move(emulator), memory.was_paused ? GuestState::paused : GuestState::running};
  set_hibernation(head, std::move(saved));
}

}  // namespace satchel
