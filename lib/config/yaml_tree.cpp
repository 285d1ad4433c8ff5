#include "config/yaml_tree.hpp"

#include <yaml-cpp/yaml.h>

#include <cstddef>

namespace satchel {

namespace {

TextPlace place_of(const YAML::Mark& mark) {
  return mark.is_null() ? TextPlace{} : TextPlace{mark.line + 1, mark.column + 1};
}

// An alias can refer to what contains it, or multiply what it names.
constexpr int deepest = 16;
constexpr std::size_t most_nodes = 10'000;

struct TooMuch {
  TextPlace place;
};

YamlTree copy(const YAML::Node& node, int depth, std::size_t& nodes) {
  YamlTree out;
  out.place = place_of(node.Mark());
  if (depth > deepest || ++nodes > most_nodes) throw TooMuch{out.place};
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      break;
    case YAML::NodeType::Scalar:
      out.kind = YamlTree::Kind::scalar;
      out.text = node.Scalar();
      break;
    case YAML::NodeType::Sequence:
      out.kind = YamlTree::Kind::list;
      for (const auto& item : node) out.items.push_back(copy(item, depth + 1, nodes));
      break;
    case YAML::NodeType::Map:
      out.kind = YamlTree::Kind::map;
      for (const auto& pair : node)
        out.entries.push_back(
            {copy(pair.first, depth + 1, nodes), copy(pair.second, depth + 1, nodes)});
      break;
  }
  return out;
}

}  // namespace

YamlText read_yaml(std::string_view text) {
  YamlText out;
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1)
      out.wrong.push_back({place_of(documents[1].Mark()), "there must be one document only"});
    std::size_t nodes = 0;
    if (!documents.empty()) out.root = copy(documents.front(), 0, nodes);
  } catch (const YAML::Exception& error) {
    out.wrong.push_back({place_of(error.mark), "this is not YAML: " + error.msg});
  } catch (const TooMuch& much) {
    out.wrong.push_back({much.place, "this is too large or too deep for a configuration"});
  }
  return out;
}

}  // namespace satchel
