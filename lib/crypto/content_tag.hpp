// Tags of content, to be compared within this process: GMAC (NIST SP 800-38D) with one fixed nonce,
// under a key that is made here and never leaves memory that is kept out of swap and of core dumps.
// Of two different contents of 4096 bytes, chosen by somebody who sees neither the key nor a tag,
// the tags are equal with a probability below 2^-119
// (docs/decisions/0031-known-pages-by-tags.md). Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace satchel {

struct ContentTag {
  std::array<std::uint64_t, 2> words{};

  bool operator==(const ContentTag& other) const {
    return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1])) == 0;
  }
  /// What a place holds that no tag was written to.
  bool is_none() const { return *this == ContentTag{}; }
};

inline ContentTag operator^(const ContentTag& one, const ContentTag& other) {
  return {{one.words[0] ^ other.words[0], one.words[1] ^ other.words[1]}};
}

/// A key of its own, and what makes tags with it.
class ContentTagger {
 public:
  /// With a new key. None where this processor has no instructions for it, without which a name is
  /// as quick.
  static std::optional<ContentTagger> make();

  ContentTag tag(std::span<const std::byte> content) const;

 private:
  struct State;
  struct Release {
    void operator()(State* state) const;
  };
  explicit ContentTagger(std::unique_ptr<State, Release> state) : state_(std::move(state)) {}

  std::unique_ptr<State, Release> state_;
};

}  // namespace satchel
