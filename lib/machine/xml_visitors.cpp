#include "machine/xml_visitors.hpp"

#include <cstdio>

#include "ports/hypervisor.hpp"

namespace satchel::machine {

namespace {

/// Splits "a/b/@c" into its elements "a/b" and the attribute "c" (empty when there is none).
std::pair<std::string, std::string> split(const char* path) {
  std::string steps = path;
  const auto at = steps.find('@');
  if (at == std::string::npos) return {steps == "." ? "" : steps, ""};
  std::string attribute = steps.substr(at + 1);
  steps.resize(at == 0 ? 0 : at - 1);
  return {steps, attribute};
}

/// Calls `visit(step)` for each element name of "a/b/c".
template <class F>
void each_step(const std::string& path, F visit) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    visit(path.substr(begin, end - begin));
    begin = end + 1;
  }
}

/// Decimal, or hexadecimal with 0x; none for anything else.
Number parse_number(const std::string& text) {
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const std::string digits = hex ? text.substr(2) : text;
  const char* allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
  if (digits.empty() || digits.size() > (hex ? 15u : 18u) ||
      digits.find_first_not_of(allowed) != std::string::npos) {
    return std::nullopt;
  }
  return std::stoull(digits, nullptr, hex ? 16 : 10);
}

Number unit_bytes(const std::string& unit) {
  if (unit.empty() || unit == "KiB" || unit == "k") return 1ull << 10;
  if (unit == "b" || unit == "bytes") return 1;
  if (unit == "MiB" || unit == "M") return 1ull << 20;
  if (unit == "GiB" || unit == "G") return 1ull << 30;
  if (unit == "TiB" || unit == "T") return 1ull << 40;
  return std::nullopt;
}

const char* spell(Switch value, Spelling spelling) {
  const bool on = value == Switch::on;
  switch (spelling) {
    case Spelling::on_off:
      return on ? "on" : "off";
    case Spelling::yes_no:
      return on ? "yes" : "no";
    case Spelling::up_down:
      return on ? "up" : "down";
  }
  return "";
}

}  // namespace

std::string place_of(const pugi::xml_node& node) {
  if (!node.parent() || node.parent().type() == pugi::node_document) return node.name();
  std::string place = place_of(node.parent()) + "/" + node.name();
  int before = 0;
  for (auto other = node.previous_sibling(node.name()); other;
       other = other.previous_sibling(node.name())) {
    ++before;
  }
  if (before > 0 || node.next_sibling(node.name())) {
    place += "[" + std::to_string(before + 1) + "]";
  }
  return place;
}

pugi::xml_node XmlReader::down(const char* path) {
  pugi::xml_node node = node_;
  each_step(path, [&](const std::string& step) {
    node = node.child(step.c_str());
    if (node) used_.insert(node.internal_object());
  });
  return node;
}

XmlReader::Found XmlReader::find(const char* path) {
  const auto [steps, attribute] = split(path);
  const pugi::xml_node node = down(steps.c_str());
  if (!node) return {};
  if (attribute.empty()) {
    const std::string text = node.child_value();
    return {!text.empty(), text, place_of(node)};
  }
  const pugi::xml_attribute found = node.attribute(attribute.c_str());
  if (!found) return {};
  used_.insert(found.internal_object());
  return {true, found.value(), place_of(node) + "/@" + attribute};
}

void XmlReader::complain(const pugi::xml_node& node, std::string what) {
  mistakes_.push_back({place_of(node), std::move(what)});
}

void XmlReader::text(const char*, const char* path, std::string& value, const Shape& shape) {
  const Found found = find(path);
  if (!found.there) return;
  if (!shape.fits(found.text)) {
    mistakes_.push_back(
        {found.where, "\"" + found.text + "\" can't travel: it must be " + shape.expects()});
    return;
  }
  value = found.text;
}

void XmlReader::uuid(const char*, const char* path, DomainId& id) {
  const auto parsed = Uuid::parse(find(path).text);
  if (!parsed) return complain(node_, "has no UUID");
  id = DomainId(*parsed);
}

void XmlReader::accelerator(const char*, const char* path, Accelerator& value) {
  const Found found = find(path);
  if (found.text != "kvm" && found.text != "qemu") {
    return complain(node_,
                    "is of type \"" + found.text + "\"; only QEMU machines (kvm, qemu) can travel");
  }
  value = found.text == "kvm" ? Accelerator::kvm : Accelerator::tcg;
}

void XmlReader::number(const char*, const char* path, Number& value, Range range, Base) {
  const Found found = find(path);
  if (!found.there) return;
  const Number parsed = parse_number(found.text);
  if (!parsed || *parsed < range.least || *parsed > range.most) {
    mistakes_.push_back({found.where, "\"" + found.text + "\" must be a number from " +
                                          std::to_string(range.least) + " to " +
                                          std::to_string(range.most)});
    return;
  }
  value = parsed;
}

void XmlReader::kib(const char* name, const char* path, Number& value) {
  Number given;
  number(name, path, given, range::kib);
  if (!given) return;
  const pugi::xml_attribute unit = down(split(path).first.c_str()).attribute("unit");
  if (unit) used_.insert(unit.internal_object());
  const Number bytes = unit_bytes(unit.value());
  if (!bytes) return complain(node_, std::string("has an unknown unit \"") + unit.value() + "\"");
  value = *given <= range::kib.most / *bytes * 1024 ? *given * *bytes / 1024 : range::kib.most;
}

void XmlReader::flag(const char*, const char* path, bool& value) { value = bool(down(path)); }

void XmlReader::state(const char*, const char* path, Switch& value, Spelling spelling) {
  const Found found = find(path);
  if (!found.there) return;
  for (Switch candidate : {Switch::on, Switch::off}) {
    if (found.text == spell(candidate, spelling)) {
      value = candidate;
      return;
    }
  }
  mistakes_.push_back({found.where, "\"" + found.text + "\" must be " +
                                        spell(Switch::on, spelling) + " or " +
                                        spell(Switch::off, spelling)});
}

pugi::xml_node XmlWriter::make(const char* path) {
  pugi::xml_node node = node_;
  each_step(path, [&](const std::string& step) {
    const pugi::xml_node child = node.child(step.c_str());
    node = child ? child : node.append_child(step.c_str());
  });
  return node;
}

void XmlWriter::put(const char* path, const std::string& value) {
  const auto [steps, attribute] = split(path);
  pugi::xml_node node = make(steps.c_str());
  if (attribute.empty()) {
    node.text().set(value.c_str());
  } else {
    node.append_attribute(attribute.c_str()).set_value(value.c_str());
  }
}

void XmlWriter::accelerator(const char*, const char* path, Accelerator value) {
  put(path, value == Accelerator::kvm ? "kvm" : "qemu");
}

void XmlWriter::number(const char*, const char* path, const Number& value, Range, Base base) {
  if (!value) return;
  if (base == Base::decimal) return put(path, std::to_string(*value));
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(*value));
  put(path, text);
}

void XmlWriter::kib(const char*, const char* path, const Number& value) {
  if (!value) return;
  put(path, std::to_string(*value));
  make(split(path).first.c_str()).append_attribute("unit").set_value("KiB");
}

void XmlWriter::state(const char*, const char* path, Switch value, Spelling spelling) {
  if (value != Switch::unset) put(path, spell(value, spelling));
}

}  // namespace satchel::machine
