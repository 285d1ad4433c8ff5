// Owners of C resources: a file descriptor, and anything that a C function releases.
// A moved-from owner is empty. Not synchronised: one thread at a time.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace satchel {

/// Owns one file descriptor; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    // The result of close is of no use here: what must be on a medium was fsynced before.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

template <auto release>
struct Releaser {
  template <class T>
  void operator()(T* resource) const {
    release(resource);
  }
};

/// Owns a T* that `release` frees: `using Domain = Handle<virDomain, virDomainFree>`.
template <class T, auto release>
using Handle = std::unique_ptr<T, Releaser<release>>;

}  // namespace satchel
