#include "hibernation/page_index.hpp"

#include <algorithm>
#include <cstring>

namespace satchel::hibernation {

namespace {

constexpr std::size_t first_places = 1024;

/// Names are evenly spread, so their beginning is as good a hash as any.
std::size_t home_of(const ContentName& name, std::size_t places) {
  std::uint64_t start = 0;
  std::memcpy(&start, name.bytes.data(), sizeof start);
  return static_cast<std::size_t>((start >> 32) * places >> 32);
}

}  // namespace

std::size_t PageIndex::place_of(const ContentName& name) const {
  auto at = home_of(name, places_.size());
  while (places_[at] != 0 && names_[places_[at] - 1] != name)
    at = at + 1 == places_.size() ? 0 : at + 1;
  return at;
}

void PageIndex::grow() {
  const auto before = std::move(places_);
  places_.assign(std::max(first_places, before.size() + before.size() / 2), 0);
  for (const auto each : before)
    if (each != 0) places_[place_of(names_[each - 1])] = each;
}

void PageIndex::add(const ContentName& name) {
  if (taken_ * 5 >= places_.size() * 4) grow();
  auto& place = places_[place_of(name)];
  if (place == 0) ++taken_;
  names_.push_back(name);
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
