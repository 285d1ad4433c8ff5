#include "config/yaml_reader.hpp"

#include <algorithm>

namespace satchel {

void MistakeList::note(const YAML::Mark& mark, std::string what) {
  auto where = origin_;
  if (!mark.is_null()) {
    if (!where.empty()) where += ", ";
    where +=
        "line " + std::to_string(mark.line + 1) + ", column " + std::to_string(mark.column + 1);
  }
  found_.push_back({mark.pos, Mistake{std::move(where), std::move(what)}});
}

Mistakes MistakeList::take() {
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Placed& a, const Placed& b) { return a.position < b.position; });
  Mistakes out;
  for (auto& each : found_) out.push_back(std::move(each.mistake));
  return out;
}

Section::Section(const YAML::Node& node, std::string name, MistakeList& mistakes)
    : node_(node), name_(std::move(name)), mistakes_(mistakes) {
  if (!node_ || node_.IsNull() || node_.IsMap()) {
    std::set<std::string> seen;
    if (node_ && node_.IsMap())
      for (const auto& pair : node_) {
        if (!pair.first.IsScalar())
          mistakes_.note(pair.first.Mark(), "a key must be a plain word");
        else if (!seen.insert(pair.first.Scalar()).second)
          mistakes_.note(pair.first.Mark(), full(pair.first.Scalar()) + " is given twice");
      }
    return;
  }
  mistakes_.note(node_.Mark(), (name_.empty() ? "the text" : name_) + " must have keys and values");
  node_ = YAML::Node();
}

std::string Section::full(const std::string& key) const {
  return name_.empty() ? key : name_ + "." + key;
}

void Section::at(const std::string& key, const std::function<void(const YAML::Node&)>& read) {
  known_.insert(key);
  if (!node_ || !node_.IsMap()) return;
  for (const auto& pair : node_)
    if (pair.first.IsScalar() && pair.first.Scalar() == key) {
      read(pair.second);
      return;
    }
}

Section Section::in(const std::string& key) {
  YAML::Node found;
  at(key, [&](const YAML::Node& value) { found.reset(value); });
  return Section(found, full(key), mistakes_);
}

void Section::pairs(const std::function<bool(const std::string&)>& valid, std::string_view expected,
                    const std::function<void(std::string, std::string)>& use) {
  if (!node_ || !node_.IsMap()) return;
  for (const auto& pair : node_) {
    if (!pair.first.IsScalar()) continue;
    known_.insert(pair.first.Scalar());
    if (!valid(pair.first.Scalar())) {
      mistakes_.note(pair.first.Mark(), "a key of " + name_ + " must be " + std::string(expected));
    } else if (!pair.second.IsScalar() || !valid(pair.second.Scalar())) {
      wrong(pair.second, pair.first.Scalar(), expected);
    } else {
      use(pair.first.Scalar(), pair.second.Scalar());
    }
  }
}

void Section::refuse_others() {
  if (!node_ || !node_.IsMap()) return;
  for (const auto& pair : node_)
    if (pair.first.IsScalar() && known_.count(pair.first.Scalar()) == 0)
      mistakes_.note(pair.first.Mark(), "unknown key " + full(pair.first.Scalar()));
}

void Section::wrong(const YAML::Node& value, const std::string& key, std::string_view expected) {
  auto what = full(key) + " must be " + std::string(expected);
  if (value.IsScalar()) what += ", not \"" + value.Scalar() + "\"";
  mistakes_.note(value.Mark(), std::move(what));
}

}  // namespace satchel
