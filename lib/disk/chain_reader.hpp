// Reads what disks show, at any offset, from the open files of their chains: a child
// qemu-storage-daemon has the files as descriptors and is asked by NBD. Blocking: the files lane;
// one thread at a time. The child is there from the first read to the end of the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "disk/export.hpp"

namespace satchel::disk {

class ChainReader {
 public:
  /// The files, of which each is checked already, stay open and unchanged as long as the reader is
  /// there. Their sizes are for the caller to check too: QEMU reads what is cut off as zeros.
  /// `directory`: the runtime directory, or another to which nobody else may write; the socket
  /// between us and the child has a name there until we are connected.
  ChainReader(std::vector<ShownChain> chains, std::string directory, std::stop_token stop);
  ChainReader(const ChainReader&) = delete;
  ChainReader& operator=(const ChainReader&) = delete;
  /// Ends the child and waits for its end.
  ~ChainReader();

  /// Fills `out` from the disk, an index of the chains. Throws Fault, and what `out` has then is of
  /// no use: replug when a file can't be read; retry when it was stopped, which ends a read at any
  /// point, or when the child is gone, and then so does each later one; choose when it is past the
  /// disk's end.
  void read(std::size_t disk, std::uint64_t offset, std::span<std::byte> out);

 private:
  class Child;

  std::vector<ShownChain> chains_;
  std::string directory_;
  std::stop_token stop_;
  std::unique_ptr<Child> child_;
};

}  // namespace satchel::disk
