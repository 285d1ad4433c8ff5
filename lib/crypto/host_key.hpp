// A host's identity: an Ed25519 key pair (RFC 8032) kept in one file that only root reads, and the
// check of what another host signed. Immutable after it was made; usable from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace satchel {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;
  std::string hex() const;
  static std::optional<PublicKey> parse(std::string_view hex);
  /// The first 16 bytes of the key's BLAKE2b-256 digest.
  HostId host_id() const;
  /// For people to compare: "BLAKE2b:" and 40 hexadecimal digits of the key's digest in groups of
  /// four. The first 32 are those of the host's id.
  std::string fingerprint() const;
};

struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  bool operator==(const Signature&) const = default;
  std::string hex() const;
  static std::optional<Signature> parse(std::string_view hex);
};

bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature);

class HostKey {
 public:
  /// Reads the key, or makes it (mode 0600, fsynced, never half written) when the file is absent.
  /// Throws Fault when the file is there and no key, or readable by others.
  static HostKey load_or_create(const std::filesystem::path& file);

  const PublicKey& public_key() const { return public_; }
  Signature sign(std::span<const std::byte> message) const;

 private:
  HostKey(PublicKey pub, std::array<std::uint8_t, 64> secret) : public_(pub), secret_(secret) {}
  PublicKey public_;
  std::array<std::uint8_t, 64> secret_;
};

}  // namespace satchel
