// Inside lib/config only: a mapping read key by key. Every mistake is noted with its place and
// leaves the value as it was, so that all of them are found in one go. Not thread-safe.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace satchel {

/// The mistakes found so far in one text.
class MistakeList {
 public:
  explicit MistakeList(std::string_view origin) : origin_(origin) {}
  void note(const YAML::Mark& mark, std::string what);
  /// All, in the order of the text.
  Mistakes take();
  bool empty() const { return found_.empty(); }

 private:
  std::string origin_;
  struct Placed {
    int position;
    Mistake mistake;
  };
  std::vector<Placed> found_;
};

/// One mapping of the text. `name` is its path, "eject", empty for the whole text.
class Section {
 public:
  Section(const YAML::Node& node, std::string name, MistakeList& mistakes);

  /// Calls `read` with the key's value if it is there.
  void at(const std::string& key, const std::function<void(const YAML::Node&)>& read);
  /// A section within; empty keys allowed ("eject:").
  Section in(const std::string& key);

  /// A scalar that `convert` turns into a T, or else a mistake: "<name> must be <expected>".
  template <class T, class F>
  void scalar(const std::string& key, T& out, std::string_view expected, F convert) {
    at(key, [&](const YAML::Node& value) {
      std::optional<T> made;
      if (value.IsScalar()) made = convert(value.Scalar());
      if (made)
        out = std::move(*made);
      else
        wrong(value, key, expected);
    });
  }

  /// All pairs of scalars that `valid` accepts, whatever their keys.
  void pairs(const std::function<bool(const std::string&)>& valid, std::string_view expected,
             const std::function<void(std::string, std::string)>& use);

  /// Notes the keys that nobody asked for. Call it last.
  void refuse_others();

 private:
  std::string full(const std::string& key) const;
  void wrong(const YAML::Node& value, const std::string& key, std::string_view expected);

  YAML::Node node_;
  std::string name_;
  MistakeList& mistakes_;
  std::set<std::string> known_;
};

}  // namespace satchel
