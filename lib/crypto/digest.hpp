// BLAKE2b with 32 bytes of output (RFC 7693), as `b2sum -l 256` prints it.
// A Hasher belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace satchel {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;

  std::string hex() const;  ///< 64 lower-case digits
  static std::optional<Digest> parse(std::string_view hex);
};

Digest digest_of(std::span<const std::byte> bytes);
Digest digest_of(std::string_view bytes);

/// The digest of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void add(std::span<const std::byte> bytes);
  /// Ends it; the Hasher may only be destroyed or assigned to after this.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satchel
