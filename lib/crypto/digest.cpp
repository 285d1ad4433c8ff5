#include "crypto/digest.hpp"

#include <sodium.h>

#include "crypto/hex.hpp"

namespace satchel {

struct Hasher::State {
  crypto_generichash_state blake;
};

std::string Digest::hex() const { return to_hex(bytes); }

std::optional<Digest> Digest::parse(std::string_view hex) {
  Digest out;
  if (!from_hex(hex, out.bytes)) return std::nullopt;
  return out;
}

Digest digest_of(std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.add(bytes);
  return hasher.finish();
}

Digest digest_of(std::string_view bytes) {
  return digest_of(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

// libsodium's generic hash without a key is BLAKE2b as RFC 7693 has it.
// sodium_init only picks the fastest code for this processor here; without it the plain code runs.
Hasher::Hasher() : state_(std::make_unique<State>()) {
  [[maybe_unused]] static const int picked = sodium_init();
  crypto_generichash_init(&state_->blake, nullptr, 0, sizeof(Digest::bytes));
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::add(std::span<const std::byte> bytes) {
  crypto_generichash_update(&state_->blake, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
}

Digest Hasher::finish() {
  Digest out;
  crypto_generichash_final(&state_->blake, out.bytes.data(), out.bytes.size());
  return out;
}

}  // namespace satchel
