// The FIFO through which libvirt saves a guest, made so that the guest is let go only when we say
// so (docs/decisions/0002-save-gate.md). libvirt opens the path twice: once for the stream, once
// for the final header. Before the first byte of the stream is read, a second FIFO whose pipe is
// full takes the path's place: libvirt's second write blocks until open() drains it (the save
// completes, the guest is gone) or refuse() ends it (a broken pipe: the guest runs on).
// Blocking calls for the files lane; one thread at a time, but for stop tokens.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>

#include "base/handle.hpp"
#include "hibernation/full_fifo.hpp"

namespace satchel::hibernation {

class SaveGate {
 public:
  /// Makes the FIFO DIRECTORY/save (mode 0600). The directory must be closed to others.
  explicit SaveGate(const std::filesystem::path& directory);
  SaveGate(const SaveGate&) = delete;
  SaveGate& operator=(const SaveGate&) = delete;
  /// After the save has ended. Destroyed undecided: refuses, and leaves something at the path that
  /// can't be opened, lest libvirt make a file there and save into it after all.
  ~SaveGate();

  /// For a gate that a killed daemon left at DIRECTORY/save: turns away a libvirt that still waits
  /// there (it would answer nothing about the domain until then). No error when there is none.
  static void turn_away_leftover(const std::filesystem::path& directory) noexcept;

  /// What to give to virDomainSave: DIRECTORY/save by a name that ends with this process. A libvirt
  /// that comes to its second open after that finds nothing there, and the guest runs on.
  const std::filesystem::path& path() const { return door_; }

  /// Waits for libvirt to open the path, then reads the stream. 0 means that the stream is whole by
  /// libvirt's own judgement: it has come back for its final header. A save that fails midway ends
  /// the stream too, but never comes back: request `stop` when the save call has failed, which ends
  /// any wait by a Fault with Remedy::retry. `buffer` must not be empty.
  std::size_t read(std::span<std::byte> buffer, std::stop_token stop);

  /// Lets the save complete; after read() has given 0. Returns when libvirt has written its header
  /// and closed. Throws Fault when it went away without doing so.
  void open(std::stop_token stop);
  /// Makes the save fail, whatever it is doing. Returns at once; call it again until the save has
  /// ended, for one call can't reach a libvirt that is just inside its open. Does nothing after
  /// open().
  void refuse() noexcept;

 private:
  enum class Step { waiting, streaming, ended, opened, refused };
  std::filesystem::path path_;
  UniqueFd directory_;
  std::filesystem::path door_;
  FullFifo first_;
  std::optional<FullFifo> second_;
  UniqueFd stream_;
  Step step_ = Step::waiting;
};

}  // namespace satchel::hibernation
