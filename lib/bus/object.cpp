#include "bus/object.hpp"

#include <boost/asio/post.hpp>

#include "bus/vtable.hpp"

namespace satchel {

std::string Interface::joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& each : names) out += each + '\0';
  return out;
}

struct Object::Shown : Changes, std::enable_shared_from_this<Object::Shown> {
  Shown(Bus& bus, std::string at, Place in)
      : connection(bus.connection()), path(std::move(at)), place(in) {}

  void flush() override {
    if (!connection->open()) return;
    for (const auto& [interface, properties] : std::exchange(changed, {})) {
      std::vector<char*> names;
      for (const auto& each : properties) names.push_back(const_cast<char*>(each.c_str()));
      names.push_back(nullptr);
      tell(sd_bus_emit_properties_changed_strv(connection->get(), path.c_str(), interface.c_str(),
                                               names.data()));
    }
    connection->wake();
  }

  void tell(int result) const {
    if (result >= 0) return;
    connection->trouble(bus_error_from_errno(-result, "tell of", path + " on the bus").what());
  }

  const std::shared_ptr<Connection> connection;
  const std::string path;
  const Place place;
  std::vector<std::unique_ptr<RegisteredInterface>> interfaces;
  BusSlot tree;
  std::map<std::string, std::set<std::string>> changed;
};

Object::Object(Bus& bus, std::string path, std::vector<Interface> interfaces, Place place)
    : shown_(std::make_shared<Shown>(bus, std::move(path), place)) {
  auto& connection = *shown_->connection;
  if (!connection.open()) throw bus_error_from_errno(ENOTCONN, "show", shown_->path);
  for (auto& each : interfaces)
    shown_->interfaces.push_back(
        std::make_unique<RegisteredInterface>(connection, shown_->path, std::move(each)));
  if (place == Place::root) {
    sd_bus_slot* slot = nullptr;
    Connection::checked(sd_bus_add_object_manager(connection.get(), &slot, shown_->path.c_str()),
                        "show", shown_->path + " on the bus");
    shown_->tree.reset(slot);
  } else if (place == Place::member) {
    shown_->tell(sd_bus_emit_object_added(connection.get(), shown_->path.c_str()));
  }
  connection.wake();
}

Object::~Object() {
  auto& connection = *shown_->connection;
  if (!connection.open()) return;
  if (shown_->place == Place::member)
    shown_->tell(sd_bus_emit_object_removed(connection.get(), shown_->path.c_str()));
  connection.wake();
}

const std::string& Object::path() const { return shown_->path; }

void Object::changed(const std::string& interface, const std::string& property) {
  if (shown_->changed.empty()) shown_->connection->flush_later(shown_);
  shown_->changed[interface].insert(property);
}

Message Object::new_signal(const std::string& interface, const std::string& signal) const {
  if (!shown_->connection->open()) throw bus_error_from_errno(ENOTCONN, "send", signal);
  sd_bus_message* made = nullptr;
  Connection::checked(
      sd_bus_message_new_signal(shown_->connection->get(), &made, shown_->path.c_str(),
                                interface.c_str(), signal.c_str()),
      "send", signal);
  return Message(made);
}

void Object::send(Message message) const {
  shown_->tell(sd_bus_send(shown_->connection->get(), message.get(), nullptr));
  shown_->connection->wake();
}

void flush_changes(Bus& bus) { bus.connection()->flush_changes(); }

}  // namespace satchel
