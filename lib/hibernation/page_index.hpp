// Where content is known to be: names of cells, numbered in the order they were added. Bounded: at
// most `most` names, about 22 bytes each. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "crypto/content_name.hpp"

namespace satchel::hibernation {

class PageIndex {
 public:
  using Id = std::uint32_t;
  static constexpr std::size_t most = 4U << 20;  ///< 16 GiB of distinct content

  std::size_t size() const { return names_.size(); }
  bool is_full() const { return names_.size() == most; }
  /// Makes room for as many in all.
  void reserve(std::size_t names);
  /// Adds the next cell, which is found from now on where this content is looked for. Not when it
  /// is full.
  void add(const ContentName& name);
  /// The same, but it can't be found: as much as keeps the numbers of the others right.
  void add_hidden(const ContentName& name) { append(name); }
  std::optional<Id> find(const ContentName& name) const;
  /// This cell can't be found any more.
  void hide(Id id);
  bool is_hidden(Id id) const { return id < hidden_.size() && hidden_[id]; }
  /// The names from this one on.
  std::span<const ContentName> names_from(Id id) const { return std::span(names_).subspan(id); }

 private:
  /// Where the name is in places_, or where it would go.
  std::size_t place_of(const ContentName& name) const;
  void set_places(std::size_t number);
  void append(const ContentName& name);

  std::vector<ContentName> names_;
  std::vector<std::uint32_t> places_;  ///< an id and 1; 0: free. Open addressing, linear
  std::size_t taken_ = 0;
  std::vector<bool> hidden_;  ///< as far as hide() was called
};

}  // namespace satchel::hibernation
