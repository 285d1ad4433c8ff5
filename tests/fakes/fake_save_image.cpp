#include "fake_save_image.hpp"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "fake_memory.hpp"

namespace satchel::test {

namespace {

constexpr std::size_t header_bytes = 92;
constexpr std::string_view unfinished = "LibvirtQemudPart";
constexpr std::string_view finished = "LibvirtQemudSave";
constexpr std::string_view stream_start("QEVM\0\0\0\3", 8);
constexpr std::size_t stream_head = 24;  ///< its start, the counter, its size
/// QEMU's own: no more sections, and a description of them.
constexpr std::string_view stream_end("\0\6\0\0\0\2{}", 8);

Fault save_fault(const std::string& path, const std::string& why) {
  return Fault(Remedy::retry, Fault::Text{"save to", path, why, {}});
}

std::string header(std::string_view magic, const FakeSaveImage& image) {
  // version, length of the XML with its NUL, was running, compression, cookie offset; in host order
  std::array<std::uint32_t, 19> words{2, static_cast<std::uint32_t>(image.xml.size() + 1),
                                      image.was_running ? 1U : 0U};
  std::string out(magic);
  out.append(reinterpret_cast<const char*>(words.data()), sizeof words);
  return out;
}

/// A section of memory as QEMU has it: pages, of which with each count another third changes.
std::string memory_section(std::uint64_t counter) {
  std::string out("\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4", 17);
  const auto put = [&](std::uint64_t word) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(word >> shift));
  };
  for (std::uint64_t page = 0; page < 30; ++page) {
    put(page << 12 | 0x28);
    const auto turn = page % 3;
    const auto changed = counter < turn ? 0 : counter - (counter - turn) % 3;
    for (std::uint64_t i = 0; i < 4096; ++i)
      out.push_back(static_cast<char>((i >> 4) * (2 * page + 1) + page + changed));
  }
  put(0x10);
  return out;
}

std::string stream(const FakeSaveImage& image) {
  std::string out(stream_start);
  out.append(reinterpret_cast<const char*>(&image.counter), sizeof image.counter);
  // As QEMU's own, the stream says where it ends: whoever writes a FIFO may keep it open.
  const std::uint64_t size = std::max<std::uint64_t>(image.stream_bytes, stream_head);
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  // Bytes that compress a little and depend on the counter.
  const auto memory =
      image.stream_bytes == stream_with_memory ? memory_section(image.counter) : std::string();
  const auto rest = memory.size() + stream_end.size();
  for (std::uint64_t i = out.size(); i + rest < image.stream_bytes; ++i)
    out.push_back(static_cast<char>((i >> 6) * (image.counter + 1)));
  out += memory;
  return out.size() + stream_end.size() == size ? out.append(stream_end) : out;
}

/// How long the whole image is, as far as its first bytes tell.
std::optional<std::size_t> whole_size(const std::string& image) {
  if (image.size() < header_bytes) return std::nullopt;
  std::uint32_t data_length = 0;
  std::memcpy(&data_length, image.data() + 20, sizeof data_length);
  const auto qemu = header_bytes + std::size_t(data_length);
  if (image.size() < qemu + stream_head) return std::nullopt;
  std::uint64_t size = 0;
  std::memcpy(&size, image.data() + qemu + 16, sizeof size);
  return qemu + size;
}

UniqueFd open_writer(const std::string& path, int flags, const std::atomic<bool>& aborted) {
  while (true) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | flags, 0600));
    if (fd) return fd;
    if (errno != ENXIO) throw save_fault(path, std::strerror(errno));
    // A FIFO that nobody reads yet, or, as libvirt would be told at once, a path that is refused.
    if (!std::filesystem::is_fifo(path)) throw save_fault(path, std::strerror(ENXIO));
    if (aborted) throw save_fault(path, "operation aborted: canceled by client");
    ::poll(nullptr, 0, 2);
  }
}

void write_all(const std::string& path, const UniqueFd& fd, std::string_view bytes,
               const std::atomic<bool>& aborted) {
  while (!bytes.empty()) {
    if (aborted) throw save_fault(path, "operation aborted: canceled by client");
    const auto n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd writable{fd.get(), POLLOUT, 0};
      ::poll(&writable, 1, 10);
    } else {
      throw save_fault(path, std::string("failed to write: ") + std::strerror(errno));
    }
  }
}

[[noreturn]] void stand_still(const std::string& path, const UniqueFd& fd,
                              const std::atomic<bool>& aborted) {
  pollfd reader{fd.get(), 0, 0};
  while (!aborted && ::poll(&reader, 1, 10) <= 0) {
  }
  throw save_fault(path, aborted ? "operation aborted: canceled by client" : "broken pipe");
}

}  // namespace

void write_fake_save(const std::string& path, const FakeSaveImage& image, AfterStream after,
                     const std::atomic<bool>& aborted, const FakeSaveHooks& hooks) {
  {
    const auto first = open_writer(path, O_CREAT | O_TRUNC, aborted);
    write_all(path, first, header(unfinished, image), aborted);
    write_all(path, first, image.xml + '\0', aborted);
    const auto all = stream(image);
    const std::string_view half(all.data(), all.size() / 2);
    write_all(path, first, half, aborted);
    if (hooks.within) hooks.within();
    if (after == AfterStream::never_come) stand_still(path, first, aborted);
    write_all(path, first, std::string_view(all).substr(half.size()), aborted);
  }
  if (hooks.between) hooks.between();
  if (after == AfterStream::fail) throw save_fault(path, "failed after the stream's end");
  const std::atomic<bool> never{false};
  const auto second = open_writer(path, 0, never);
  // A gate lets everybody in, and makes who writes wait.
  pollfd writable{second.get(), POLLOUT, 0};
  ::poll(&writable, 1, -1);
  if (hooks.at_header) hooks.at_header();
  if (after == AfterStream::fail_at_header) throw save_fault(path, "failed at its header");
  write_all(path, second, header(finished, image), never);
}

FakeSaveImage read_fake_save(const std::string& path) {
  auto fault = [&](const std::string& why) {
    return Fault(Remedy::report_bug, Fault::Text{"restore from", path, why, {}});
  };
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw fault(std::strerror(errno));
  std::string all;
  std::array<char, 65536> buffer{};
  ssize_t n = 0;
  const auto is_whole = [&] {
    const auto size = whole_size(all);
    return size && all.size() >= *size;
  };
  while (!is_whole() && (n = ::read(fd.get(), buffer.data(), buffer.size())) > 0)
    all.append(buffer.data(), static_cast<std::size_t>(n));
  if (n < 0) throw fault(std::strerror(errno));
  if (all.size() < header_bytes || !all.starts_with(finished))
    throw fault("it is not a finished save image");
  std::uint32_t data_length = 0;
  std::memcpy(&data_length, all.data() + 20, sizeof data_length);
  const auto qemu = header_bytes + std::size_t(data_length);
  FakeSaveImage image{all.data() + header_bytes, 0, false, all.size() - qemu};
  if (all.size() < qemu + stream_start.size() + sizeof image.counter ||
      all.compare(qemu, stream_start.size(), stream_start) != 0)
    throw fault("the stream is not this hypervisor's");
  std::memcpy(&image.counter, all.data() + qemu + stream_start.size(), sizeof image.counter);
  if (stream(image) != all.substr(qemu)) throw fault("the stream was changed");
  return image;
}

}  // namespace satchel::test
