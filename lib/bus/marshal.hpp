// How each C++ type is written to and read from a message, and its D-Bus signature. Included by
// message.hpp; nobody else needs it.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "bus/message.hpp"

namespace satchel {

/// Types whose value sd-bus copies as it stands.
template <class T, char code>
struct BasicMarshal {
  static std::string signature() { return std::string(1, code); }
  static void append(Message& message, T value) { message.append_basic(code, &value); }
  static T read(Message& message) {
    T value{};
    message.read_basic(code, &value);
    return value;
  }
};

template <>
struct Marshal<std::uint8_t> : BasicMarshal<std::uint8_t, 'y'> {};
template <>
struct Marshal<std::int16_t> : BasicMarshal<std::int16_t, 'n'> {};
template <>
struct Marshal<std::uint16_t> : BasicMarshal<std::uint16_t, 'q'> {};
template <>
struct Marshal<std::int32_t> : BasicMarshal<std::int32_t, 'i'> {};
template <>
struct Marshal<std::uint32_t> : BasicMarshal<std::uint32_t, 'u'> {};
template <>
struct Marshal<std::int64_t> : BasicMarshal<std::int64_t, 'x'> {};
template <>
struct Marshal<std::uint64_t> : BasicMarshal<std::uint64_t, 't'> {};
template <>
struct Marshal<double> : BasicMarshal<double, 'd'> {};

template <>
struct Marshal<bool> {
  static std::string signature() { return "b"; }
  static void append(Message& message, bool value) {
    const int wide = value ? 1 : 0;
    message.append_basic('b', &wide);
  }
  static bool read(Message& message) {
    int wide = 0;
    message.read_basic('b', &wide);
    return wide != 0;
  }
};

template <>
struct Marshal<std::string> {
  static std::string signature() { return "s"; }
  static void append(Message& message, const std::string& value) {
    message.append_basic('s', value.c_str());
  }
  static std::string read(Message& message) {
    const char* text = nullptr;
    message.read_basic('s', &text);
    return text;
  }
};

/// Literals may be appended as they are.
template <std::size_t n>
struct Marshal<char[n]> {
  static void append(Message& message, const char* value) { message.append_basic('s', value); }
};

template <>
struct Marshal<ObjectPath> {
  static std::string signature() { return "o"; }
  static void append(Message& message, const ObjectPath& path) {
    message.append_basic('o', path.value.c_str());
  }
  static ObjectPath read(Message& message) {
    const char* text = nullptr;
    message.read_basic('o', &text);
    return ObjectPath(text);
  }
};

/// The message holds a duplicate of what is appended; what is read is the reader's own duplicate.
template <>
struct Marshal<UniqueFd> {
  static std::string signature() { return "h"; }
  static void append(Message& message, const UniqueFd& fd) {
    const int number = fd.get();
    message.append_basic('h', &number);
  }
  static UniqueFd read(Message& message);
};

template <>
struct Marshal<Bytes> {
  static std::string signature() { return "ay"; }
  static void append(Message& message, const Bytes& bytes) { message.append_array(bytes); }
  static Bytes read(Message& message) { return message.read_array(); }
};

template <>
struct Marshal<Variant> {
  static std::string signature() { return "v"; }
  static void append(Message& message, const Variant& value);
  static Variant read(Message& message);
};

template <class T>
struct Marshal<std::vector<T>> {
  static std::string signature() { return "a" + Marshal<T>::signature(); }
  static void append(Message& message, const std::vector<T>& values) {
    message.open_container('a', Marshal<T>::signature());
    for (const auto& each : values) Marshal<T>::append(message, each);
    message.close_container();
  }
  static std::vector<T> read(Message& message) {
    std::vector<T> out;
    message.enter_container('a', Marshal<T>::signature());
    while (message.peek_type().first != 0) out.push_back(Marshal<T>::read(message));
    message.exit_container();
    return out;
  }
};

template <class K, class V>
struct Marshal<std::map<K, V>> {
  static std::string entry() { return Marshal<K>::signature() + Marshal<V>::signature(); }
  static std::string signature() { return "a{" + entry() + "}"; }
  static void append(Message& message, const std::map<K, V>& values) {
    message.open_container('a', "{" + entry() + "}");
    for (const auto& [key, value] : values) {
      message.open_container('e', entry());
      message.append(key, value);
      message.close_container();
    }
    message.close_container();
  }
  static std::map<K, V> read(Message& message) {
    std::map<K, V> out;
    message.enter_container('a', "{" + entry() + "}");
    while (message.enter_container('e', entry())) {
      auto key = message.read<K>();
      out.insert_or_assign(std::move(key), message.read<V>());
      message.exit_container();
    }
    message.exit_container();
    return out;
  }
};

template <class... Ts>
struct Marshal<std::tuple<Ts...>> {
  static std::string fields() { return (Marshal<Ts>::signature() + ... + std::string()); }
  static std::string signature() { return "(" + fields() + ")"; }
  static void append(Message& message, const std::tuple<Ts...>& value) {
    message.open_container('r', fields());
    std::apply([&](const Ts&... each) { message.append(each...); }, value);
    message.close_container();
  }
  static std::tuple<Ts...> read(Message& message) {
    message.enter_container('r', fields());
    auto out = message.read_all<Ts...>();
    message.exit_container();
    return out;
  }
};

}  // namespace satchel
