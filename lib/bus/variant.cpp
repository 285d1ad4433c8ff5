// Variants: the one place where a type is found out only when the message is there.
#include <cerrno>

#include "bus/bus_error.hpp"
#include "bus/message.hpp"

namespace satchel {

namespace {

Variant read_any(Message& message);

Structure read_structure(Message& message, const std::string& contents) {
  Structure out;
  message.enter_container('r', contents);
  while (message.peek_type().first != 0) out.fields.push_back(read_any(message));
  message.exit_container();
  return out;
}

std::vector<Structure> read_structures(Message& message, const std::string& contents) {
  std::vector<Structure> out;
  message.enter_container('a', contents);
  while (message.peek_type().first != 0)
    out.push_back(read_structure(message, contents.substr(1, contents.size() - 2)));
  message.exit_container();
  return out;
}

Variant read_array(Message& message, const std::string& contents) {
  if (contents == "s") return message.read<std::vector<std::string>>();
  if (contents == "o") return message.read<std::vector<ObjectPath>>();
  if (contents == "y") return message.read<Bytes>();
  if (contents == "ay") return message.read<std::vector<Bytes>>();
  if (contents == "{sv}") return message.read<Dictionary>();
  if (contents.starts_with('(')) return read_structures(message, contents);
  message.skip("a" + contents);
  return {};
}

/// The next value, whatever it is.
Variant read_any(Message& message) {
  const auto [type, contents] = message.peek_type();
  switch (type) {
    case 'b':
      return message.read<bool>();
    case 'y':
      return message.read<std::uint8_t>();
    case 'n':
      return message.read<std::int16_t>();
    case 'q':
      return message.read<std::uint16_t>();
    case 'i':
      return message.read<std::int32_t>();
    case 'u':
      return message.read<std::uint32_t>();
    case 'x':
      return message.read<std::int64_t>();
    case 't':
      return message.read<std::uint64_t>();
    case 'd':
      return message.read<double>();
    case 's':
      return message.read<std::string>();
    case 'o':
      return message.read<ObjectPath>();
    case 'v':
      return message.read<Variant>();
    case 'r':
      return read_structure(message, contents);
    case 'a':
      return read_array(message, contents);
    default:
      break;
  }
  message.skip(std::string(1, type));
  return {};
}

template <class T>
void append_as(Message& message, const T& value) {
  message.open_container('v', Marshal<T>::signature());
  Marshal<T>::append(message, value);
  message.close_container();
}

[[noreturn]] void refuse() {
  throw bus_error_from_errno(EINVAL, "write", "a variant that holds nothing or a structure");
}

struct Appender {
  Message& message;
  void operator()(std::monostate) const { refuse(); }
  void operator()(const Structure&) const { refuse(); }
  void operator()(const std::vector<Structure>&) const { refuse(); }
  template <class T>
  void operator()(const T& value) const {
    append_as(message, value);
  }
};

}  // namespace

void Marshal<Variant>::append(Message& message, const Variant& value) {
  std::visit(Appender{message}, static_cast<const VariantAlternatives&>(value));
}

Variant Marshal<Variant>::read(Message& message) {
  const auto contents = message.peek_type().second;
  message.enter_container('v', contents);
  auto out = read_any(message);
  message.exit_container();
  return out;
}

}  // namespace satchel
