#include "crypto/content_name.hpp"

#include <sodium.h>

namespace satchel {

ContentKey ContentKey::random() {
  ContentKey key;
  randombytes_buf(key.bytes.data(), key.bytes.size());
  return key;
}

ContentName content_name(const ContentKey& key, std::span<const std::byte> content) {
  // Only picks the fastest code for this processor; without it the plain code runs.
  [[maybe_unused]] static const int picked = sodium_init();
  ContentName name;
  crypto_generichash(name.bytes.data(), name.bytes.size(),
                     reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                     key.bytes.data(), key.bytes.size());
  return name;
}

}  // namespace satchel
