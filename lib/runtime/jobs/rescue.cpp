#include "runtime/jobs/rescue.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel {

namespace {

constexpr const char* no_room = "this computer's disk is full";

/// 0, or errno.
int write_whole(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

Rescue::Rescue(std::shared_ptr<const Stick> stick, const std::filesystem::path& directory,
               ByteCount most)
    : stick_(std::move(stick)), room_(most.value) {
  if (room_ == 0) {
    give_up(no_room);
    return;
  }
  for (auto* copy : {&own_, &stand_in_, &borrowed_})
    *copy = UniqueFd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!own_ || !stand_in_ || !borrowed_)
    give_up(std::generic_category().message(errno));
  else
    kept_ = true;
}

void Rescue::give_up(std::string why) noexcept {
  trouble_ = std::move(why);
  kept_ = false;
  own_.reset();
  stand_in_.reset();
  borrowed_.reset();
}

void Rescue::require() const {
  if (own_) return;
  throw Fault(Remedy::free_space,
              Fault::Text{"keep", "a copy of the machine's memory on this computer", trouble_,
                          "Make room on this computer's disk; the machine goes on running."});
}

void Rescue::has_earlier(std::map<std::uint64_t, Earlier> copies) { earlier_ = std::move(copies); }

void Rescue::describe(std::string xml, hibernation::SavedAs as) {
  xml_ = std::move(xml);
  as_ = as;
}

bool Rescue::has_room_for(std::size_t bytes) noexcept {
  if (bytes > room_) return false;
  room_ -= bytes;
  return true;
}

void Rescue::write(const UniqueFd& copy, std::span<const std::byte> packed) noexcept {
  if (!copy) return;
  if (!has_room_for(packed.size())) return give_up(no_room);
  if (const int error = write_whole(copy.get(), packed); error != 0)
    give_up(std::generic_category().message(error));
}

void Rescue::write_stand_in(std::span<const std::byte> packed) noexcept {
  if (!stand_in_) return;
  int error = ENOSPC;
  if (has_room_for(packed.size())) {
    stand_in_size_ += packed.size();
    error = write_whole(stand_in_.get(), packed);
  }
  if (error == 0) return;
  trouble_ = error == ENOSPC ? no_room : std::generic_category().message(error);
  forget_stand_in();
}

void Rescue::forget_stand_in() noexcept {
  if (!earlier_.empty()) return;
  kept_ = false;
  stand_in_.reset();
  room_ += std::exchange(stand_in_size_, 0);
}

void Rescue::finish(std::string map) {
  map_ = std::move(map);
  ::clock_gettime(CLOCK_REALTIME, &ended_);
}

void Rescue::make_save_image(const std::filesystem::path& image, unsigned threads) const {
  auto map = hibernation::read_page_map(map_);
  if (!map)
    throw Fault(Remedy::report_bug,
                Fault::Text{"read the copy of", "the memory", to_string(map.error()), {}});
  const auto own = map->segments.front().number;
  const auto open = [](const UniqueFd& copy) {
    UniqueFd fd(::fcntl(copy.get(), F_DUPFD_CLOEXEC, 0));
    if (!fd) throw host_fault_from_errno(errno, "read", "the copy of the memory");
    return fd;
  };
  const auto pages = [&](const hibernation::Segment& segment) {
    const auto earlier = earlier_.find(segment.number);
    return open(segment.number == own       ? own_
                : earlier != earlier_.end() ? earlier->second.pages
                                            : stand_in_);
  };
  const auto borrowed = [&](const hibernation::Segment& segment) {
    return open(segment.number == own ? borrowed_ : earlier_.at(segment.number).borrowed);
  };
  const hibernation::PageDecoder decoder(std::move(*map), pages, {{}, borrowed});
  const UniqueFd out(
      ::open(image.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) throw host_fault_from_errno(errno, "make", image.string());
  const auto write = [&](std::span<const std::byte> bytes) {
    if (const int error = write_whole(out.get(), bytes); error != 0)
      throw host_fault_from_errno(error, "write", image.string());
  };
  try {
    const auto header = hibernation::write_save_header(xml_, as_);
    write(std::as_bytes(std::span(header.data(), header.size())));
    decoder.decode(write, threads, {}, {});
    const timespec times[] = {ended_, ended_};
    if (::futimens(out.get(), times) != 0 || ::fsync(out.get()) != 0)
      throw host_fault_from_errno(errno, "write", image.string());
  } catch (...) {
    ::unlink(image.c_str());
    throw;
  }
}

}  // namespace satchel
