#include "disk/capacity.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "disk/noise.hpp"

namespace satchel::disk {

namespace {

constexpr std::uint64_t mebibyte = 1U << 20;
constexpr std::uint64_t evenly = 64;
/// Written between the samples and their reading, so that they are not only in the device's own
/// buffer.
constexpr std::uint64_t flush_begin = 8 * mebibyte;
constexpr std::uint64_t flush_end = 24 * mebibyte;
/// Each may take the kernel half a minute.
constexpr std::size_t most_failures = 16;

using Block = std::vector<std::byte>;

/// As O_DIRECT wants it.
class Buffer {
 public:
  explicit Buffer(std::size_t size)
      : size_(size),
        bytes_(static_cast<std::byte*>(::operator new (size, std::align_val_t{capacity_block}))) {}
  std::span<std::byte> span() { return {bytes_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const {
      ::operator delete (bytes, std::align_val_t{capacity_block});
    }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> bytes_;
};

/// What is written at an offset: no two are alike, and each tells where it belongs.
void fill(std::span<std::byte> block, std::uint64_t seed, std::uint64_t at) {
  fill_with_noise(block, seed, at);
  std::memcpy(block.data(), &at, sizeof at);
}

/// One probe, with what stood where it wrote.
class Probe {
 public:
  Probe(const Medium& medium, std::uint64_t seed)
      : medium_(medium), seed_(seed), samples_(capacity_samples(medium.size)) {
    if (medium.size.value >= 2 * flush_end) flushed_.resize(flush_end - flush_begin);
  }

  std::optional<ByteCount> run(const ProgressSink& progress, std::stop_token stop) {
    remember(progress, stop);
    std::optional<ByteCount> kept;
    std::exception_ptr failure;
    try {
      write(progress, stop);
      kept = read(progress, stop);
    } catch (...) {
      failure = std::current_exception();
    }
    put_back();
    if (failure) std::rethrow_exception(failure);
    return kept;
  }

 private:
  void tell(const ProgressSink& progress, std::stop_token stop) {
    ++steps_;
    if (stop.stop_requested())
      throw Fault(Remedy::retry, Fault::Text{"probe", "the device", "it was stopped", {}});
    if (progress)
      progress({"probing the device", ByteCount(steps_ * capacity_block),
                ByteCount(3 * samples_.size() * capacity_block)});
  }

  void remember(const ProgressSink& progress, std::stop_token stop) {
    for (const auto at : samples_) {
      medium_.read(at, block_.span());
      before_.emplace_back(block_.span().begin(), block_.span().end());
      tell(progress, stop);
    }
    each_of_flush([&](std::uint64_t at, std::span<std::byte> piece) {
      medium_.read(at, large_.span());
      std::ranges::copy(large_.span(), piece.begin());
    });
  }

  void write(const ProgressSink& progress, std::stop_token stop) {
    for (const auto at : samples_) {
      fill(block_.span(), seed_, at);
      medium_.write(at, block_.span());
      tell(progress, stop);
    }
    medium_.sync();
    each_of_flush([&](std::uint64_t at, std::span<std::byte>) {
      fill(large_.span(), seed_, at);
      medium_.write(at, large_.span());
    });
    medium_.sync();
  }

  std::optional<ByteCount> read(const ProgressSink& progress, std::stop_token stop) {
    Buffer wanted(capacity_block);
    std::optional<ByteCount> kept;
    for (const auto at : samples_) {
      fill(wanted.span(), seed_, at);
      medium_.read(at, block_.span());
      tell(progress, stop);
      if (std::ranges::equal(block_.span(), wanted.span())) continue;
      const auto other = belongs_to().value_or(0);
      const ByteCount end(other > at ? other - at : at - other);
      if (!kept || end < *kept) kept = end;
    }
    return kept;
  }

  /// The sample, other than its own, that was read: the device wrapped around between the two.
  std::optional<std::uint64_t> belongs_to() {
    std::uint64_t told = 0;
    std::memcpy(&told, block_.span().data(), sizeof told);
    if (!std::ranges::binary_search(samples_, told)) return std::nullopt;
    Buffer other(capacity_block);
    fill(other.span(), seed_, told);
    if (!std::ranges::equal(block_.span(), other.span())) return std::nullopt;
    return told;
  }

  /// The last first: where a device wraps around, what comes first has the last word. What can't be
  /// written keeps nothing else from being put back, but where the device takes nothing any more.
  void put_back() {
    std::optional<Fault> failed;
    std::size_t failures = 0;
    std::size_t successes = 0;
    const auto attempt = [&](auto act) {
      if (failures == most_failures) return;
      try {
        act();
        ++successes;
      } catch (const Fault& failure) {
        ++failures;
        if (!failed) failed = failure;
      }
    };
    for (auto i = samples_.size(); i-- > 0;) {
      std::ranges::copy(before_[i], block_.span().begin());
      attempt([&] { medium_.write(samples_[i], block_.span()); });
    }
    each_of_flush([&](std::uint64_t at, std::span<std::byte> piece) {
      std::ranges::copy(piece, large_.span().begin());
      attempt([&] { medium_.write(at, large_.span()); });
    });
    attempt([&] { medium_.sync(); });
    // One that takes nothing at all is gone.
    if (failed && successes == 0) throw *failed;
    if (failed)
      throw Fault(failed->remedy(),
                  {"put back what stood on the device",
                   {},
                   failed->what(),
                   "Save what you need of it, and use another one: this one is broken."});
  }

  template <class Act>
  void each_of_flush(Act act) {
    for (std::size_t i = 0; i < flushed_.size(); i += mebibyte)
      act(flush_begin + i, std::span(flushed_).subspan(i, mebibyte));
  }

  const Medium& medium_;
  std::uint64_t seed_;
  std::vector<std::uint64_t> samples_;
  std::vector<Block> before_;
  Block flushed_;
  Buffer block_{capacity_block};
  Buffer large_{mebibyte};
  std::uint64_t steps_ = 0;
};

}  // namespace

std::vector<std::uint64_t> capacity_samples(ByteCount size) {
  const auto blocks = size.value / capacity_block;
  std::set<std::uint64_t> found;
  const auto add = [&](std::uint64_t block) {
    const auto at = block * capacity_block;
    if (block < blocks && (at < flush_begin || at >= flush_end)) found.insert(at);
  };
  if (blocks > 0) add(blocks - 1);
  for (std::uint64_t i = 0; i < evenly; ++i) add(blocks / evenly * i);
  for (const std::uint64_t from : {std::uint64_t{0}, std::uint64_t{77}, blocks / 3})
    for (std::uint64_t step = mebibyte / capacity_block; step < blocks; step *= 2) {
      add(from);
      add(from + step);
    }
  return {found.begin(), found.end()};
}

std::optional<ByteCount> probe_capacity(const Medium& medium, std::uint64_t seed,
                                        const ProgressSink& progress, std::stop_token stop) {
  return Probe(medium, seed).run(progress, std::move(stop));
}

std::optional<ByteCount> probe_capacity(int fd, const std::string& name,
                                        const ProgressSink& progress, std::stop_token stop) {
  const auto size = ::lseek(fd, 0, SEEK_END);
  if (size < 0) throw fault_from_errno(errno, "measure", name);
  const auto whole = [&](const char* doing, std::size_t wanted, auto call) {
    ssize_t n = 0;
    while ((n = call()) < 0 && errno == EINTR) {
    }
    if (n < 0) throw fault_from_errno(errno, doing, name);
    if (static_cast<std::size_t>(n) != wanted)
      throw Fault(Remedy::other_device, Fault::Text{doing, name, "it ends within itself", {}});
  };
  const Medium medium{ByteCount(static_cast<std::uint64_t>(size)),
                      [&](std::uint64_t at, std::span<std::byte> block) {
                        whole("read", block.size(), [&] {
                          return ::pread(fd, block.data(), block.size(), static_cast<off_t>(at));
                        });
                      },
                      [&](std::uint64_t at, std::span<const std::byte> block) {
                        whole("write", block.size(), [&] {
                          return ::pwrite(fd, block.data(), block.size(), static_cast<off_t>(at));
                        });
                      },
                      [&] {
                        if (::fdatasync(fd) != 0) throw fault_from_errno(errno, "write", name);
                      }};
  return probe_capacity(medium, noise_seed(), progress, std::move(stop));
}

}  // namespace satchel::disk
