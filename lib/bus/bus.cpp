#include "bus/bus.hpp"

#include "bus/connection.hpp"

namespace satchel {

namespace {

constexpr auto bus_service = "org.freedesktop.DBus";
constexpr auto bus_path = "/org/freedesktop/DBus";
constexpr auto properties_interface = "org.freedesktop.DBus.Properties";

// Replies to RequestName (D-Bus specification, "Message Bus Messages").
constexpr std::uint32_t name_is_ours = 1;
constexpr std::uint32_t name_was_ours = 4;
constexpr std::uint32_t do_not_queue = 4;

}  // namespace

Bus::Bus(boost::asio::any_io_executor executor, BusListener listener)
    : connection_(std::make_shared<Connection>(std::move(executor), std::move(listener))) {
  connection_->open_system();
  connection_->start();
}

Bus::Bus(boost::asio::any_io_executor executor, std::string address, BusListener listener)
    : connection_(std::make_shared<Connection>(std::move(executor), std::move(listener))) {
  connection_->open_address(address);
  connection_->start();
}

Bus::~Bus() { connection_->close(); }

const boost::asio::any_io_executor& Bus::executor() const { return connection_->executor(); }

bool Bus::open() const { return connection_->open(); }

Message Bus::new_method_call(const BusCall& call) {
  const auto target = call.interface + "." + call.member + " of " + call.path;
  if (!connection_->open()) throw bus_error_from_errno(ENOTCONN, "call", target);
  sd_bus_message* made = nullptr;
  Connection::checked(sd_bus_message_new_method_call(connection_->get(), &made,
                                                     call.destination.c_str(), call.path.c_str(),
                                                     call.interface.c_str(), call.member.c_str()),
                      "call", target);
  Message message(made);
  Connection::checked(sd_bus_message_set_allow_interactive_authorization(
                          made, call.interaction == Interaction::allowed),
                      "call", target);
  return message;
}

Task<Message> Bus::send(Message call, std::chrono::microseconds timeout) {
  return connection_->send(std::move(call), timeout);
}

Task<Variant> Bus::property(std::string destination, std::string path, std::string interface,
                            std::string name) {
  auto reply = co_await call(std::move(destination), std::move(path), properties_interface, "Get",
                             interface, name);
  co_return reply.read<Variant>();
}

Task<Dictionary> Bus::properties(std::string destination, std::string path, std::string interface) {
  auto reply = co_await call(std::move(destination), std::move(path), properties_interface,
                             "GetAll", interface);
  co_return reply.read<Dictionary>();
}

Task<ManagedObjects> Bus::managed_objects(std::string destination, std::string path) {
  auto reply = co_await call(std::move(destination), std::move(path),
                             "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
  co_return reply.read<ManagedObjects>();
}

Match Bus::match(const std::string& rule, std::function<void(Message)> heard) {
  return connection_->match(rule, std::move(heard));
}

Task<void> Bus::request_name(std::string name) {
  auto reply = co_await call(bus_service, bus_path, bus_service, "RequestName", name, do_not_queue);
  const auto answer = reply.read<std::uint32_t>();
  if (answer != name_is_ours && answer != name_was_ours)
    throw BusError("org.freedesktop.DBus.Error.AddressInUse", "own", "the bus name " + name,
                   "somebody else owns it; is another satcheld running?");
}

Task<std::string> Bus::name_owner(std::string name) {
  try {
    auto reply = co_await call(bus_service, bus_path, bus_service, "GetNameOwner", name);
    co_return reply.read<std::string>();
  } catch (const BusError& error) {
    if (!error.is_absent()) throw;
  }
  co_return std::string();
}

Match Bus::watch_name(const std::string& name, std::function<void(std::string owner)> changed) {
  const auto rule = std::string("type='signal',sender='") + bus_service + "',path='" + bus_path +
                    "',interface='" + bus_service + "',member='NameOwnerChanged',arg0='" + name +
                    "'";
  return match(rule, [changed = std::move(changed)](Message signal) {
    const auto owners = signal.read_all<std::string, std::string, std::string>();
    changed(std::get<2>(owners));
  });
}

}  // namespace satchel
