// The FIFO through which libvirt saves a guest, made so that the guest is let go only when we say
// so (docs/decisions/0002-save-gate.md). libvirt opens the path twice: once for the stream, once
// for the final header. While the first is read, a second FIFO whose pipe is full takes the path's
// place: libvirt's second write blocks until open() drains it (the save completes, the guest is gone) or
// refuse() closes it (the save fails with a broken pipe, the guest runs on).
// Blocking calls for the files lane; one thread at a time, but for stop tokens.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>

#include "base/handle.hpp"

namespace satchel::hibernation {

class SaveGate {
 public:
  /// Makes the FIFO DIRECTORY/save (mode 0600). Destroyed undecided: refuses.
  explicit SaveGate(const std::filesystem::path& directory);
  SaveGate(const SaveGate&) = delete;
  SaveGate& operator=(const SaveGate&) = delete;
  ~SaveGate();

  /// What to give to virDomainSave.
  const std::filesystem::path& path() const { return path_; }

  /// Waits for libvirt to open the path, then reads the stream; 0 at its end. `stop` ends a wait by
  /// a Fault with Remedy::retry. Closes the gate (puts the full FIFO in place) before the first byte
  /// is given.
  std::size_t read(std::span<std::byte> buffer, std::stop_token stop);

  /// Lets the save complete. Returns when libvirt has written its header and closed.
  void open(std::stop_token stop);
  /// Makes the save fail. Returns at once; call again until the save has ended, should libvirt not
  /// have come to its second open yet.
  void refuse() noexcept;

 private:
  std::filesystem::path path_;
  UniqueFd stream_;
  UniqueFd gate_;
  UniqueFd gate_path_;
  enum class Step { waiting, streaming, ended, opened, refused } step_ = Step::waiting;
};

}  // namespace satchel::hibernation
