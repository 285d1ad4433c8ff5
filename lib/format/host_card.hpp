// What a host leaves on a device of what it can run, so that a machine made on another host gets a
// processor that both have: docs/DEVICE-FORMAT.md, "Host cards". Nothing depends on one: a card
// that is missing, torn or not signed by its host is passed over. Blocking where a directory is
// given: files lane. Throws Fault only where something is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/host_key.hpp"
#include "machine/description.hpp"

namespace satchel::format {

inline constexpr std::size_t most_host_cards = 64;
inline constexpr std::size_t largest_host_card = 64U << 10;  ///< bytes

struct HostCard {
  HostId host;
  std::string host_name;
  UnixMicros time;
  std::string accelerator;   ///< "kvm" or "tcg": what the processor is offered with
  std::string machine_type;  ///< the newest versioned one that it knows: "pc-q35-7.2"
  machine::Cpu cpu;
  /// Whether they say the same of the same host; the time does not count.
  bool says_the_same(const HostCard& other) const;
};

/// The file's bytes: canonical JSON, signed.
std::string write_host_card(const HostCard& card, const HostKey& key);
/// Strict, signature included.
Result<HostCard> read_host_card(std::string_view bytes);

struct SignedHostCard {
  HostCard card;
  std::string bytes;  ///< as its host signed them
};
/// The cards in ROOT/satchel/hosts, by host. `root` is the device's mounted directory.
std::vector<SignedHostCard> host_cards_on(int root);
/// Leaves ours, unless one that says the same is there.
void leave_host_card(int root, const HostCard& card, const HostKey& key);

}  // namespace satchel::format
