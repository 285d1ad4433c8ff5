// The FIFO that libvirt restores a guest from: header and XML of our making, then QEMU's stream as
// it is decoded, so that restored memory is never on the host's disk. Blocking calls for the files
// lane; one thread at a time, but for stop tokens.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <stop_token>

#include "base/handle.hpp"

namespace satchel::hibernation {

class RestoreFeed {
 public:
  /// Makes the FIFO DIRECTORY/restore (mode 0600); the destructor removes it.
  explicit RestoreFeed(const std::filesystem::path& directory);
  RestoreFeed(const RestoreFeed&) = delete;
  RestoreFeed& operator=(const RestoreFeed&) = delete;
  ~RestoreFeed();

  /// What to give to virDomainRestoreFlags.
  const std::filesystem::path& path() const { return path_; }

  /// What libvirt reads itself (write_save_header): before all else, in one piece. As write().
  void write_header(std::span<const std::byte> header, std::stop_token stop);
  /// The next bytes of QEMU's stream: writes all of them, and waits for the reader as long as it
  /// takes. A stop request ends the wait by a Fault with Remedy::retry: request it when the restore
  /// has failed, for nobody reads any more.
  void write(std::span<const std::byte> bytes, std::stop_token stop);

  /// Ends the stream where it is, so that the restore fails. Returns at once; call again until the
  /// restore has ended, should libvirt have been just short of its open.
  void abandon() noexcept;

 private:
  void write_all(std::span<const std::byte> bytes, std::stop_token stop);

  std::filesystem::path path_;
  // Opened for both directions: neither our open nor our writes depend on when libvirt comes.
  UniqueFd fifo_;
  UniqueFd place_;  ///< the FIFO itself (O_PATH), reachable when its name is gone
  bool stream_has_begun_ = false;
};

}  // namespace satchel::hibernation
