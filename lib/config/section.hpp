// Inside lib/config only: a mapping read key by key. Every mistake is noted with its place and
// leaves the value as it was, so that all of them are found in one go. Not thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "config/yaml_tree.hpp"

namespace satchel {

/// The mistakes found so far in one text.
class MistakeList {
 public:
  explicit MistakeList(std::string_view origin) : origin_(origin) {}
  void note(TextPlace place, std::string what);
  /// All, in the order of the text.
  Mistakes take();
  bool empty() const { return found_.empty(); }

 private:
  std::string origin_;
  struct Placed {
    TextPlace place;
    Mistake mistake;
  };
  std::vector<Placed> found_;
};

/// One mapping of the text, which outlives it. `name` is its path, "eject", empty for the whole
/// text.
class Section {
 public:
  Section(const YamlTree& node, std::string name, MistakeList& mistakes);

  /// A section within; empty keys allowed ("eject:").
  Section in(const std::string& key);

  /// A scalar that `convert` turns into a T, or else a mistake: "<name> must be <expected>". Gives
  /// whether there was a right one.
  template <class T, class F>
  bool scalar(const std::string& key, T& out, std::string_view expected, F convert) {
    const auto* value = find(key);
    if (value == nullptr) return false;
    std::optional<T> made;
    if (value->kind == YamlTree::Kind::scalar) made = convert(value->text);
    if (made)
      out = std::move(*made);
    else
      wrong(*value, key, expected);
    return made.has_value();
  }

  /// All pairs of scalars that `valid` accepts, whatever their keys.
  void pairs(const std::function<bool(const std::string&)>& valid, std::string_view expected,
             const std::function<void(std::string, std::string)>& use);

  /// All sections within, whatever their keys; `use` gives false for a key that is wrong.
  void sections(std::string_view expected,
                const std::function<bool(const std::string&, Section&)>& use);

  /// The list of sections at a key.
  void items(const std::string& key, std::string_view expected,
             const std::function<void(Section&)>& use);

  /// Notes a key that is not there.
  void demand(const std::string& key);

  /// Notes the keys that nobody asked for. Call it last.
  void refuse_others();

 private:
  const YamlTree* find(const std::string& key);
  std::string full(const std::string& key) const;
  void wrong(const YamlTree& value, const std::string& key, std::string_view expected);

  const YamlTree& node_;
  std::string name_;
  MistakeList& mistakes_;
  std::set<std::string> known_;
};

}  // namespace satchel
