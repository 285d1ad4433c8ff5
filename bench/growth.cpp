// How an eject's cost grows with a guest's memory and with what changed of it: encodes a made-up
// memory of so many MiB, and then, for each share, one of which so many in a thousand pages have
// new content since. One line a share, for bench/growth.py to show:
//   grown MEMORY SHARE changed BYTES written BYTES base SECONDS encode SECONDS index BYTES peak
//   BYTES
// Usage: bench_growth DIRECTORY MIB SHARE…
#include <fcntl.h>
#include <malloc.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/made_stream.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/stream_parser.hpp"

using namespace satchel;
using namespace satchel::hibernation;

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

constexpr std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Of every eight pages one is of zeros; a page that did not change packs well, and of one that did
/// half the bytes are noise.
class MadeMemory {
 public:
  MadeMemory(std::uint64_t pages, unsigned changed) : pages_(pages), changed_(changed) {}

  static bool is_zero(std::uint64_t page) { return page % 8 == 7; }
  bool has_changed(std::uint64_t page) const { return mixed(page + 1) % 1000 < changed_; }
  std::uint64_t changed_bytes() const {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < pages_; ++i)
      if (!is_zero(i) && has_changed(i)) sum += page_size;
    return sum;
  }

  Source stream() const {
    return [memory = *this, next = std::uint64_t{0}, buffer = std::string(), at = std::size_t{0}](
               std::span<std::byte> out, const std::stop_token&) mutable {
      if (at == buffer.size()) {
        buffer = memory.part(next);
        at = 0;
      }
      const auto n = std::min(out.size(), buffer.size() - at);
      std::memcpy(out.data(), buffer.data() + at, n);
      at += n;
      return n;
    };
  }

 private:
  static constexpr std::uint64_t pages_at_once = 256;

  /// The next bytes of the stream; none at its end.
  std::string part(std::uint64_t& next) const {
    test::MadeStream out = next == 0 ? test::MadeStream() : test::MadeStream("");
    if (next > pages_) return {};
    if (next == 0) out.setup(pages_ * page_size).begin_part().first_page(0, "pc.ram", page(next++));
    for (const auto end = std::min(pages_, next + pages_at_once); next < end; ++next)
      is_zero(next) ? out.fill(next) : out.page(next, page(next));
    if (next == pages_) {
      out.end_part();
      ++next;
    }
    return out.str();
  }

  const std::string& page(std::uint64_t number) const {
    thread_local std::string content(page_size, '\0');
    std::array<std::uint64_t, page_size / sizeof(std::uint64_t)> words;
    const bool changed = has_changed(number);
    const auto seed = mixed(number * 2 + (changed ? 1 : 0) + 7);
    const std::size_t noise = changed ? words.size() / 2 : 8;
    for (std::size_t i = 0; i < words.size(); ++i)
      words[i] = i < noise ? seed * (2 * i + 3) ^ mixed(i) : words[i - noise];
    std::memcpy(content.data(), words.data(), page_size);
    return content;
  }

  std::uint64_t pages_;
  unsigned changed_;
};

std::size_t allocated() {
  const auto about = ::mallinfo2();
  return about.uordblks + about.hblkhd;
}

/// The most that was resident since the last call of this. Bytes.
std::uint64_t peak() {
  std::ifstream status("/proc/self/status");
  std::uint64_t kib = 0;
  for (std::string word; status >> word;)
    if (word == "VmHWM:") status >> kib;
  std::ofstream("/proc/self/clear_refs") << "5";
  return kib << 10;
}

void grow(const std::string& directory, std::uint64_t mebibytes,
          const std::vector<unsigned>& shares) {
  const auto path = directory + "/1.pages";
  const auto pages = (mebibytes << 20) / page_size;
  PageEncoderSettings settings;
  PageSinks sinks;
  std::ofstream file(path, std::ios::binary);
  sinks.segment = [&](std::span<const std::byte> bytes) {
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  const auto first = encode_pages(MadeMemory(pages, 0).stream(), sinks, {}, settings, {}, {});
  file.close();
  settings.number = 2;
  for (const auto share : shares) {
    const MadeMemory memory(pages, share);
    std::uint64_t written = 0;
    sinks.segment = [&](std::span<const std::byte> bytes) { written += bytes.size(); };
    peak();
    const auto before = allocated();
    auto began = Clock::now();
    auto base = read_page_base(*read_page_map(first.map), [&](const Segment&) {
      return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    });
    const auto base_took = since(began);
    const auto index = allocated() - before;
    began = Clock::now();
    const auto made = encode_pages(memory.stream(), sinks, std::move(base), settings, {}, {});
    const auto took = since(began);
    std::printf("grown %zu %u changed %zu written %zu base %.3f encode %.3f index %zu peak %zu\n",
                static_cast<std::size_t>(mebibytes << 20), share,
                static_cast<std::size_t>(memory.changed_bytes()),
                static_cast<std::size_t>(written + made.map.size()), base_took, took, index,
                static_cast<std::size_t>(peak()));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // As satcheld does.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  ::mallopt(M_ARENA_MAX, 2);
  if (argc < 4) {
    std::cerr << "Usage: bench_growth DIRECTORY MIB SHARE…\n";
    return 2;
  }
  try {
    std::vector<unsigned> shares;
    for (int i = 3; i < argc; ++i) shares.push_back(static_cast<unsigned>(std::stoul(argv[i])));
    grow(argv[1], std::stoul(argv[2]), shares);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
