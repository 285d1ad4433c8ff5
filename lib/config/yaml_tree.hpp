// Inside lib/config only: a YAML text as values of our own, with the place of each. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satchel {

/// From 1; 0 is "no place".
struct TextPlace {
  int line = 0;
  int column = 0;
};

struct YamlEntry;

/// One node. An absent one is null.
struct YamlTree {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;  ///< of a scalar
  TextPlace place;
  std::vector<YamlEntry> entries;  ///< of a map, in the order of the text
  std::vector<YamlTree> items;     ///< of a list
};

struct YamlEntry {
  YamlTree key;
  YamlTree value;
};

/// What a text came to: its first document, and the place and words of what is wrong with it.
struct YamlText {
  struct Wrong {
    TextPlace place;
    std::string what;
  };
  YamlTree root;
  std::vector<Wrong> wrong;
};

YamlText read_yaml(std::string_view text);

}  // namespace satchel
