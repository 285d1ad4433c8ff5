// Puts together what QEMU's migration streams are made of.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace satchel::test {

/// Puts a stream together as QEMU 7.2 does.
class MadeStream {
 public:
  /// Its beginning.
  MadeStream();
  /// A piece of one, which begins with these bytes.
  explicit MadeStream(std::string bytes) : out_(std::move(bytes)) {}
  /// The section that names the blocks of memory.
  MadeStream& setup(std::uint64_t memory);
  MadeStream& begin_part();
  MadeStream& first_page(std::uint64_t address, const std::string& block, const std::string& page);
  MadeStream& page(std::uint64_t address, const std::string& page);
  MadeStream& fill(std::uint64_t address);
  MadeStream& end_part();
  /// Bytes that nothing knows.
  MadeStream& add(const std::string& bytes);
  const std::string& str() const { return out_; }

 private:
  void number(std::uint64_t value, unsigned size);
  std::string out_;
};

}  // namespace satchel::test
