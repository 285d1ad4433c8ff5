#include "config/section.hpp"

#include <algorithm>

namespace satchel {

namespace {

const YamlTree nothing;

}  // namespace

void MistakeList::note(TextPlace place, std::string what) {
  auto where = origin_;
  if (place.line > 0) {
    if (!where.empty()) where += ", ";
    where += "line " + std::to_string(place.line) + ", column " + std::to_string(place.column);
  }
  found_.push_back({place, Mistake{std::move(where), std::move(what)}});
}

Mistakes MistakeList::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  Mistakes out;
  for (auto& each : found_) out.push_back(std::move(each.mistake));
  return out;
}

Section::Section(const YamlTree& node, std::string name, MistakeList& mistakes)
    : node_(node), name_(std::move(name)), mistakes_(mistakes) {
  if (node_.kind == YamlTree::Kind::scalar || node_.kind == YamlTree::Kind::list) {
    mistakes_.note(node_.place,
                   (name_.empty() ? "the text" : name_) + " must have keys and values");
    return;
  }
  std::set<std::string> seen;
  for (const auto& [key, value] : node_.entries) {
    if (key.kind != YamlTree::Kind::scalar)
      mistakes_.note(key.place, "a key must be a plain word");
    else if (!seen.insert(key.text).second)
      mistakes_.note(key.place, full(key.text) + " is given twice");
  }
}

std::string Section::full(const std::string& key) const {
  return name_.empty() ? key : name_ + "." + key;
}

const YamlTree* Section::find(const std::string& key) {
  known_.insert(key);
  for (const auto& entry : node_.entries)
    if (entry.key.kind == YamlTree::Kind::scalar && entry.key.text == key) return &entry.value;
  return nullptr;
}

Section Section::in(const std::string& key) {
  const auto* found = find(key);
  return Section(found != nullptr ? *found : nothing, full(key), mistakes_);
}

void Section::pairs(const std::function<bool(const std::string&)>& valid, std::string_view expected,
                    const std::function<void(std::string, std::string)>& use) {
  for (const auto& [key, value] : node_.entries) {
    if (key.kind != YamlTree::Kind::scalar) continue;
    if (!valid(key.text))
      mistakes_.note(key.place, "a key of " + name_ + " must be " + std::string(expected));
    else if (value.kind != YamlTree::Kind::scalar || !valid(value.text))
      wrong(value, key.text, expected);
    else
      use(key.text, value.text);
  }
}

void Section::sections(std::string_view expected,
                       const std::function<bool(const std::string&, Section&)>& use) {
  for (const auto& [key, value] : node_.entries) {
    if (key.kind != YamlTree::Kind::scalar) continue;
    Section within(value, full(key.text), mistakes_);
    if (!use(key.text, within))
      mistakes_.note(key.place, "a key of " + name_ + " must be " + std::string(expected));
  }
}

void Section::items(const std::string& key, std::string_view expected,
                    const std::function<void(Section&)>& use) {
  const auto* value = find(key);
  if (value == nullptr || value->kind == YamlTree::Kind::null) return;
  if (value->kind != YamlTree::Kind::list) return wrong(*value, key, expected);
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    Section item(value->items[i], full(key) + "[" + std::to_string(i + 1) + "]", mistakes_);
    use(item);
  }
}

void Section::demand(const std::string& key) {
  if (find(key) == nullptr) mistakes_.note(node_.place, full(key) + " is missing");
}

void Section::refuse_others() {
  for (const auto& [key, value] : node_.entries)
    if (key.kind == YamlTree::Kind::scalar && known_.count(key.text) == 0)
      mistakes_.note(key.place, "unknown key " + full(key.text));
}

void Section::wrong(const YamlTree& value, const std::string& key, std::string_view expected) {
  auto what = full(key) + " must be " + std::string(expected);
  if (value.kind == YamlTree::Kind::scalar) what += ", not \"" + value.text + "\"";
  mistakes_.note(value.place, std::move(what));
}

}  // namespace satchel
