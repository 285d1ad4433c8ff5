#include "save_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace satchel::test {

namespace {

constexpr int pipe_bytes = 4096;
constexpr std::size_t header_bytes = 92;

void make_fifo(const std::string& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("no FIFO at " + path);
}

/// True when there is something to read or the writer is gone.
bool readable(int fd) {
  pollfd asked{fd, POLLIN, 0};
  return ::poll(&asked, 1, 50) > 0;
}

}  // namespace

SaveReader::SaveReader(std::string path) : path_(std::move(path)) {
  make_fifo(path_);
  thread_ = std::jthread([this](std::stop_token stop) { read_stream(stop); });
}

SaveReader::~SaveReader() {
  refuse();
  thread_.request_stop();
}

void SaveReader::read_stream(std::stop_token stop) {
  const UniqueFd fifo(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::array<char, 65536> buffer{};
  while (!stop.stop_requested()) {
    if (!readable(fifo.get())) continue;
    const auto n = ::read(fifo.get(), buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0) continue;
    if (stream_.empty()) close_gate();
    stream_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ended_ = true;
}

/// Puts a FIFO in the path's place that is full to the brim.
void SaveReader::close_gate() {
  const auto other = path_ + ".gate";
  make_fifo(other);
  gate_.reset(::open(other.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ::fcntl(gate_.get(), F_SETPIPE_SZ, pipe_bytes);
  const std::string filling(pipe_bytes, '-');
  while (::write(gate_.get(), filling.data(), filling.size()) > 0) {
  }
  ::rename(other.c_str(), path_.c_str());
}

std::string SaveReader::complete() {
  thread_.join();
  std::string behind;
  std::array<char, pipe_bytes> buffer{};
  while (behind.size() < pipe_bytes + header_bytes) {
    if (!readable(gate_.get())) continue;
    const auto n = ::read(gate_.get(), buffer.data(), buffer.size());
    if (n > 0) behind.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return behind.substr(pipe_bytes) + stream_.substr(header_bytes);
}

void SaveReader::refuse() {
  if (thread_.joinable() && ended_) thread_.join();
  ::unlink(path_.c_str());
  gate_.reset();
}

}  // namespace satchel::test
