// One D-Bus message: a counted reference to an sd_bus_message, with typed append and read. Copies
// share the message and its read position. Loop thread only. Every function throws BusError when
// sd-bus refuses: wrong type, invalid path, message too long.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "base/handle.hpp"
#include "base/interaction.hpp"
#include "bus/values.hpp"

struct sd_bus_message;

namespace satchel {

template <class T>
struct Marshal;

class Message {
 public:
  Message() = default;
  /// Takes over the caller's reference.
  explicit Message(sd_bus_message* message) : message_(message) {}
  Message(const Message& other);
  Message(Message&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  Message& operator=(Message other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~Message();
  /// A further reference to a message that somebody else owns.
  static Message borrow(sd_bus_message* message);

  sd_bus_message* get() const { return message_; }
  explicit operator bool() const { return message_ != nullptr; }

  // What the header says; empty where it has no such field.
  std::string sender() const;
  std::string path() const;
  std::string interface() const;
  std::string member() const;
  std::string signature() const;
  Interaction interaction() const;

  /// An empty answer to this request, to be filled and sent.
  Message new_method_return() const;

  template <class... Ts>
  void append(const Ts&... values) {
    (Marshal<Ts>::append(*this, values), ...);
  }
  /// The next value of the body.
  template <class T>
  T read() {
    return Marshal<T>::read(*this);
  }
  /// The next values of the body, in order.
  template <class... Ts>
  std::tuple<Ts...> read_all() {
    return std::tuple<Ts...>{Marshal<Ts>::read(*this)...};
  }

  // What Marshal is made of; names and meaning as in sd-bus.
  void append_basic(char type, const void* value);
  void append_array(const Bytes& bytes);
  void open_container(char type, const std::string& contents);
  void close_container();
  void read_basic(char type, void* value);
  Bytes read_array();
  /// False at the end of an array.
  bool enter_container(char type, const std::string& contents);
  void exit_container();
  /// The next value's type and, of a container, what it contains; type 0 at the end.
  std::pair<char, std::string> peek_type();
  void skip(const std::string& types);

 private:
  int checked(int result, const char* doing) const;

  sd_bus_message* message_ = nullptr;
};

}  // namespace satchel

#include "bus/marshal.hpp"
