#include "hibernation/page_index.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace satchel::hibernation {

namespace {

constexpr std::size_t first_places = 1024;
// Both tables grow by little at a time: what is grown into and not used is the host's memory.
constexpr std::size_t growth_places = 4;  ///< by one in so many
constexpr std::size_t growth_names = 8;

__extension__ using Product = unsigned __int128;

struct Secret {
  std::uint64_t one;
  std::uint64_t other;
};

/// Of this process. Names that a device claims to have might else be chosen so that all want the
/// same place.
const Secret& secret() {
  static const Secret drawn = [] {
    const auto key = ContentKey::random();
    Secret made{};
    static_assert(sizeof made <= sizeof key.bytes);
    std::memcpy(&made, key.bytes.data(), sizeof made);
    return made;
  }();
  return drawn;
}

/// The folded product of both halves, as in wyhash.
std::size_t home_of(const ContentName& name, std::size_t places) {
  std::array<std::uint64_t, 2> halves{};
  static_assert(sizeof halves == sizeof name.bytes);
  std::memcpy(halves.data(), name.bytes.data(), sizeof halves);
  const auto& [one, other] = secret();
  const auto product = static_cast<Product>(halves[0] ^ one) * (halves[1] ^ other);
  const auto hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  return static_cast<std::size_t>((hash >> 32) * places >> 32);
}

}  // namespace

std::size_t PageIndex::place_of(const ContentName& name) const {
  auto at = home_of(name, places_.size());
  while (places_[at] != 0 && names_[places_[at] - 1] != name)
    at = at + 1 == places_.size() ? 0 : at + 1;
  return at;
}

void PageIndex::reserve(std::size_t names) {
  names_.reserve(names);
  const auto places = std::max(first_places, names * 4 / 3);
  if (places > places_.size()) set_places(places);
}

void PageIndex::set_places(std::size_t number) {
  const auto before = std::move(places_);
  places_.assign(number, 0);
  for (const auto each : before)
    if (each != 0) places_[place_of(names_[each - 1])] = each;
}

void PageIndex::append(const ContentName& name) {
  if (names_.size() == names_.capacity())
    names_.reserve(std::max(first_places, names_.size() + names_.size() / growth_names));
  names_.push_back(name);
}

void PageIndex::add(const ContentName& name) {
  if (taken_ * 5 >= places_.size() * 4)
    set_places(std::max(first_places, places_.size() + places_.size() / growth_places));
  auto& place = places_[place_of(name)];
  if (place == 0) ++taken_;
  append(name);
  place = static_cast<std::uint32_t>(names_.size());
}

std::optional<PageIndex::Id> PageIndex::find(const ContentName& name) const {
  if (places_.empty()) return std::nullopt;
  const auto place = places_[place_of(name)];
  if (place == 0) return std::nullopt;
  const Id id = place - 1;
  if (is_hidden(id)) return std::nullopt;
  return id;
}

void PageIndex::hide(Id id) {
  if (id >= hidden_.size()) hidden_.resize(id + std::size_t{1}, false);
  hidden_[id] = true;
}

}  // namespace satchel::hibernation
