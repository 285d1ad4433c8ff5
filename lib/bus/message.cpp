#include "bus/message.hpp"

#include <fcntl.h>
#include <systemd/sd-bus.h>

#include <cerrno>

#include "base/plain_text.hpp"
#include "bus/bus_error.hpp"

namespace satchel {

namespace {

std::string text_or_empty(const char* text) { return text ? text : ""; }

}  // namespace

std::string text_of(const Bytes& bytes) {
  std::string out(bytes.begin(), bytes.end());
  out.resize(std::min(out.find('\0'), out.size()));
  return out;
}

Message::Message(const Message& other) : message_(sd_bus_message_ref(other.message_)) {}

Message::~Message() { sd_bus_message_unref(message_); }

Message Message::borrow(sd_bus_message* message) { return Message(sd_bus_message_ref(message)); }

std::string Message::sender() const { return text_or_empty(sd_bus_message_get_sender(message_)); }

std::string Message::path() const { return text_or_empty(sd_bus_message_get_path(message_)); }

std::string Message::interface() const {
  return text_or_empty(sd_bus_message_get_interface(message_));
}

std::string Message::member() const { return text_or_empty(sd_bus_message_get_member(message_)); }

std::string Message::signature() const {
  return text_or_empty(sd_bus_message_get_signature(message_, 1));
}

Interaction Message::interaction() const {
  return sd_bus_message_get_allow_interactive_authorization(message_) > 0 ? Interaction::allowed
                                                                          : Interaction::refused;
}

Message Message::new_method_return() const {
  sd_bus_message* reply = nullptr;
  checked(sd_bus_message_new_method_return(message_, &reply), "answer");
  return Message(reply);
}

int Message::checked(int result, const char* doing) const {
  if (result >= 0) return result;
  auto object = "the message";
  throw bus_error_from_errno(-result, doing, object + (member().empty() ? "" : " " + member()));
}

void Message::append_basic(char type, const void* value) {
  // One text that is not UTF-8 would have whole answers fail, GetManagedObjects among them.
  const auto* text = type == 's' ? static_cast<const char*>(value) : nullptr;
  if (text != nullptr && !is_utf8(text)) return append_basic(type, escaped(text, "\\").c_str());
  checked(sd_bus_message_append_basic(message_, type, value), "write a value of");
}

void Message::append_array(const Bytes& bytes) {
  checked(sd_bus_message_append_array(message_, 'y', bytes.data(), bytes.size()),
          "write a value of");
}

void Message::open_container(char type, const std::string& contents) {
  checked(sd_bus_message_open_container(message_, type, contents.c_str()), "write a value of");
}

void Message::close_container() {
  checked(sd_bus_message_close_container(message_), "write a value of");
}

void Message::read_basic(char type, void* value) {
  // 0 is the end of the array or of the message: the value that was asked for is missing.
  if (checked(sd_bus_message_read_basic(message_, type, value), "read a value of") == 0)
    checked(-ENODATA, "read a value of");
}

Bytes Message::read_array() {
  const void* data = nullptr;
  std::size_t size = 0;
  checked(sd_bus_message_read_array(message_, 'y', &data, &size), "read a value of");
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  return Bytes(bytes, bytes + size);
}

bool Message::enter_container(char type, const std::string& contents) {
  return checked(sd_bus_message_enter_container(message_, type, contents.c_str()),
                 "read a value of") > 0;
}

void Message::exit_container() {
  checked(sd_bus_message_exit_container(message_), "read a value of");
}

std::pair<char, std::string> Message::peek_type() {
  char type = 0;
  const char* contents = nullptr;
  const int more = checked(sd_bus_message_peek_type(message_, &type, &contents), "read");
  return {more > 0 ? type : '\0', text_or_empty(contents)};
}

void Message::skip(const std::string& types) {
  checked(sd_bus_message_skip(message_, types.c_str()), "read a value of");
}

UniqueFd Marshal<UniqueFd>::read(Message& message) {
  int borrowed = -1;
  message.read_basic('h', &borrowed);
  UniqueFd own(fcntl(borrowed, F_DUPFD_CLOEXEC, 3));
  if (!own) throw fault_from_errno(errno, "take over", "a file descriptor from the bus");
  return own;
}

}  // namespace satchel
