// The values that cross the bus, as plain types: object paths, variants and dictionaries. No bus is
// needed for any of them; usable from any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satchel {

/// Signature "o". Validity is checked when it is sent.
struct ObjectPath {
  std::string value;
  ObjectPath() = default;
  explicit ObjectPath(std::string path) : value(std::move(path)) {}
  auto operator<=>(const ObjectPath&) const = default;
};

using Bytes = std::vector<std::uint8_t>;

struct Variant;
/// Signature "a{sv}": options, and an interface's properties.
using Dictionary = std::map<std::string, Variant>;

/// Signature "(…)" as it was received, its fields in order. It can't be sent within a variant.
struct Structure {
  std::vector<Variant> fields;
};

using VariantAlternatives =
    std::variant<std::monostate, bool, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                 std::uint32_t, std::int64_t, std::uint64_t, double, std::string, ObjectPath,
                 std::vector<std::string>, std::vector<ObjectPath>, Bytes, std::vector<Bytes>,
                 Dictionary, Structure, std::vector<Structure>>;

/// Signature "v". A received value of a type that is not listed above is std::monostate.
struct Variant : VariantAlternatives {
  using VariantAlternatives::VariantAlternatives;
  Variant() = default;
  Variant(const char* text) : VariantAlternatives(std::string(text)) {}

  /// None when the value is of another type.
  template <class T>
  std::optional<T> as() const {
    const T* held = std::get_if<T>(static_cast<const VariantAlternatives*>(this));
    return held ? std::optional<T>(*held) : std::nullopt;
  }
};

/// The entry of that name, or none when there is no such entry or it is of another type.
template <class T>
std::optional<T> find(const Dictionary& dictionary, const std::string& name) {
  const auto found = dictionary.find(name);
  return found == dictionary.end() ? std::nullopt : found->second.as<T>();
}

/// What ObjectManager's GetManagedObjects answers: path -> interface -> properties.
using ManagedObjects = std::map<ObjectPath, std::map<std::string, Dictionary>>;

/// A byte string that ends in a NUL, as UDisks2 writes paths, as text.
std::string text_of(const Bytes& bytes);

}  // namespace satchel
