// The two visitors of the schema for XML: one reads a description from a tree, marking what it
// used, one writes it into a tree. Internal to lib/machine.
#pragma once

#include <pugixml.hpp>
#include <set>
#include <string>

#include "machine/schema.hpp"
#include "machine/sorting.hpp"

namespace satchel::machine {

/// What was used of a tree, by the nodes' and attributes' own addresses.
using Used = std::set<const void*>;

class XmlReader {
 public:
  XmlReader(pugi::xml_node node, Used& used, Mistakes& mistakes)
      : node_(node), used_(used), mistakes_(mistakes) {
    used_.insert(node.internal_object());
  }

  void version(const char*, std::uint64_t) {}
  void text(const char*, const char* path, std::string& value, const Shape& shape);
  void uuid(const char*, const char* path, DomainId& id);
  void accelerator(const char*, const char* path, Accelerator& value);
  void number(const char*, const char* path, Number& value, Range range, Base = Base::decimal);
  /// Understands `unit`; without one the number is KiB (libvirt's own output always has KiB).
  void kib(const char*, const char* path, Number& value);
  void flag(const char*, const char* path, bool& value);
  void state(const char*, const char* path, Switch& value, Spelling spelling);

  template <class T>
  void part(const char*, const char* path, T& value) {
    if (pugi::xml_node inner = down(path)) read(inner, value);
  }
  template <class T>
  void part(const char*, const char* path, std::optional<T>& value) {
    if (pugi::xml_node inner = down(path)) read(inner, value.emplace());
  }
  template <class T>
  void list(const char*, const char* path, std::vector<T>& values, std::size_t most) {
    const std::string steps = path;
    const auto slash = steps.rfind('/');
    const std::string last = slash == std::string::npos ? steps : steps.substr(slash + 1);
    const pugi::xml_node parent =
        slash == std::string::npos ? node_ : down(steps.substr(0, slash).c_str());
    for (pugi::xml_node inner : parent.children(last.c_str())) {
      if (values.size() == most) {
        return complain(inner, "is one of more than " + std::to_string(most) + ", too many");
      }
      read(inner, values.emplace_back());
    }
  }

 private:
  template <class T>
  void read(pugi::xml_node node, T& value) {
    XmlReader reader(node, used_, mistakes_);
    fields(reader, value);
  }

  struct Found {
    bool there = false;
    std::string text, where;
  };
  Found find(const char* path);
  /// The element that the steps lead to, each marked as used; "" is this one.
  pugi::xml_node down(const char* path);
  void complain(const pugi::xml_node& node, std::string what);

  pugi::xml_node node_;
  Used& used_;
  Mistakes& mistakes_;
};

class XmlWriter {
 public:
  explicit XmlWriter(pugi::xml_node node) : node_(node) {}

  void version(const char*, std::uint64_t) {}
  void text(const char*, const char* path, const std::string& value, const Shape&) {
    if (!value.empty()) put(path, value);
  }
  void uuid(const char*, const char* path, const DomainId& id) { put(path, id.value.str()); }
  void accelerator(const char*, const char* path, Accelerator value);
  void number(const char*, const char* path, const Number& value, Range, Base base = Base::decimal);
  void kib(const char*, const char* path, const Number& value);
  void flag(const char*, const char* path, bool value) {
    if (value) make(path);
  }
  void state(const char*, const char* path, Switch value, Spelling spelling);

  template <class T>
  void part(const char*, const char* path, T& value) {
    pugi::xml_node inner = make(path);
    XmlWriter writer(inner);
    fields(writer, value);
    while (inner != node_ && !inner.first_child() && !inner.first_attribute()) {
      pugi::xml_node parent = inner.parent();
      parent.remove_child(inner);
      inner = parent;
    }
  }
  template <class T>
  void part(const char*, const char* path, std::optional<T>& value) {
    if (!value) return;
    XmlWriter writer(make(path));
    fields(writer, *value);
  }
  template <class T>
  void list(const char*, const char* path, std::vector<T>& values, std::size_t) {
    const std::string steps = path;
    const auto slash = steps.rfind('/');
    for (T& value : values) {
      pugi::xml_node parent =
          slash == std::string::npos ? node_ : make(steps.substr(0, slash).c_str());
      XmlWriter writer(
          parent.append_child(slash == std::string::npos ? path : steps.c_str() + slash + 1));
      fields(writer, value);
    }
  }

 private:
  /// The element that the steps lead to, made where it is not there yet.
  pugi::xml_node make(const char* path);
  void put(const char* path, const std::string& value);

  pugi::xml_node node_;
};

}  // namespace satchel::machine
