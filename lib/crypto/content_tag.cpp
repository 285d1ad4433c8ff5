#include "crypto/content_tag.hpp"

#include <sodium.h>

namespace satchel {

struct ContentTagger::State {
  crypto_aead_aes256gcm_state gcm;
};

void ContentTagger::Release::operator()(State* state) const { sodium_free(state); }

std::optional<ContentTagger> ContentTagger::make() {
  if (sodium_init() < 0 || crypto_aead_aes256gcm_is_available() == 0) return std::nullopt;
  // Locked, with guards around it, and cleared when it is released.
  std::unique_ptr<State, Release> state(static_cast<State*>(sodium_malloc(sizeof(State))));
  if (!state) return std::nullopt;
  std::array<unsigned char, crypto_aead_aes256gcm_KEYBYTES> key;
  randombytes_buf(key.data(), key.size());
  const bool made = crypto_aead_aes256gcm_beforenm(&state->gcm, key.data()) == 0;
  sodium_memzero(key.data(), key.size());
  if (!made || sodium_mprotect_readonly(state.get()) != 0) return std::nullopt;
  return ContentTagger(std::move(state));
}

ContentTag ContentTagger::tag(std::span<const std::byte> content) const {
  // As data that goes along with an empty message: that is GMAC. One nonce for all is right where
  // no tag is ever seen: it adds the same to each, and what is compared is the hash below it.
  static constexpr std::array<unsigned char, crypto_aead_aes256gcm_NPUBBYTES> nonce{};
  std::array<unsigned char, 1> no_message{};
  ContentTag out;
  static_assert(sizeof out.words == crypto_aead_aes256gcm_ABYTES);
  crypto_aead_aes256gcm_encrypt_detached_afternm(
      no_message.data(), reinterpret_cast<unsigned char*>(out.words.data()), nullptr,
      no_message.data(), 0, reinterpret_cast<const unsigned char*>(content.data()), content.size(),
      nullptr, nonce.data(), &state_->gcm);
  return out;
}

}  // namespace satchel
