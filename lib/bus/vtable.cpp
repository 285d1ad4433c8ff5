#include "bus/vtable.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/error_name.hpp"

namespace satchel {

namespace {

sd_bus_vtable entry(char type, std::uint64_t flags) {
  sd_bus_vtable out{};
  out.type = static_cast<unsigned char>(type);
  out.flags = flags;
  return out;
}

template <class List>
auto find_named(const List& list, const char* name) {
  return std::find_if(list.begin(), list.end(),
                      [&](const auto& each) { return each.name == name; });
}

Message error_reply(const Message& request, const Fault& fault) {
  const auto name = bus_error_name(fault.remedy());
  const auto text = bus_error_message(fault);
  const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name.c_str(), text.c_str());
  sd_bus_message* reply = nullptr;
  Connection::checked(sd_bus_message_new_method_error(request.get(), &reply, &error), "answer",
                      request.member());
  return Message(reply);
}

Fault as_fault(const Message& request, const std::exception& error) {
  if (const auto* fault = dynamic_cast<const Fault*>(&error)) return *fault;
  return Fault(Remedy::report_bug, Fault::Text{"do", request.member(), error.what(), {}});
}

/// Answers one request, whatever becomes of the object meanwhile.
Task<void> serve(std::shared_ptr<Connection> connection, Message request,
                 std::shared_ptr<const Interface::Method> method) {
  Message reply;
  try {
    auto work = method->serve(request);
    reply = co_await std::move(work);
  } catch (const std::exception& error) {
    reply = error_reply(request, as_fault(request, error));
  }
  // The asker is gone with the bus, or does not want to know.
  if (!connection->open() || sd_bus_message_get_expect_reply(request.get()) == 0) co_return;
  const int result = sd_bus_send(connection->get(), reply.get(), nullptr);
  if (result < 0)
    connection->trouble(
        bus_error_from_errno(-result, "answer", request.member() + " of " + request.path()).what());
  connection->wake();
}

}  // namespace

RegisteredInterface::RegisteredInterface(Connection& connection, const std::string& path,
                                         Interface interface)
    : connection_(connection.weak_from_this()),
      description_(std::make_shared<const Interface>(std::move(interface))) {
  fill_table();
  sd_bus_slot* slot = nullptr;
  Connection::checked(sd_bus_add_object_vtable(connection.get(), &slot, path.c_str(),
                                               description_->name().c_str(), table_.data(), this),
                      "show", path + " on the bus");
  slot_.reset(slot);
}

void RegisteredInterface::fill_table() {
  auto start = entry(_SD_BUS_VTABLE_START, 0);
  start.x.start.element_size = sizeof(sd_bus_vtable);
  start.x.start.features = _SD_BUS_VTABLE_PARAM_NAMES;
  start.x.start.vtable_format_reference = &sd_bus_object_vtable_format;
  table_.push_back(start);
  for (const auto& each : description_->methods()) {
    // Who may do what is decided by each method, through polkit.
    auto method = entry(_SD_BUS_VTABLE_METHOD, SD_BUS_VTABLE_UNPRIVILEGED);
    method.x.method.member = each.name.c_str();
    method.x.method.signature = each.in.c_str();
    method.x.method.result = each.out.c_str();
    method.x.method.handler = on_method;
    method.x.method.names = each.arguments.c_str();
    table_.push_back(method);
  }
  for (const auto& each : description_->properties()) {
    auto property = entry(_SD_BUS_VTABLE_PROPERTY, each.emits == Emits::change
                                                       ? SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
                                                       : SD_BUS_VTABLE_PROPERTY_CONST);
    property.x.property.member = each.name.c_str();
    property.x.property.signature = each.signature.c_str();
    property.x.property.get = on_property;
    table_.push_back(property);
  }
  for (const auto& each : description_->signals()) {
    auto signal = entry(_SD_BUS_VTABLE_SIGNAL, 0);
    signal.x.signal.member = each.name.c_str();
    signal.x.signal.signature = each.signature.c_str();
    signal.x.signal.names = each.arguments.c_str();
    table_.push_back(signal);
  }
  table_.push_back(entry(_SD_BUS_VTABLE_END, 0));
}

int RegisteredInterface::on_method(sd_bus_message* message, void* userdata, sd_bus_error*) {
  const auto& self = *static_cast<const RegisteredInterface*>(userdata);
  const auto connection = self.connection_.lock();
  const auto method = find_named(self.description_->methods(), sd_bus_message_get_member(message));
  if (!connection || method == self.description_->methods().end()) return 0;
  boost::asio::co_spawn(
      connection->executor(),
      serve(connection, Message::borrow(message),
            std::shared_ptr<const Interface::Method>(self.description_, &*method)),
      boost::asio::detached);
  return 1;
}

int RegisteredInterface::on_property(sd_bus*, const char*, const char*, const char* property,
                                     sd_bus_message* reply, void* userdata, sd_bus_error* error) {
  const auto& self = *static_cast<const RegisteredInterface*>(userdata);
  const auto found = find_named(self.description_->properties(), property);
  if (found == self.description_->properties().end()) return -ENOENT;
  try {
    auto message = Message::borrow(reply);
    found->append(message);
    return 0;
  } catch (const std::exception& thrown) {
    return sd_bus_error_set(error, SD_BUS_ERROR_FAILED, thrown.what());
  }
}

}  // namespace satchel
