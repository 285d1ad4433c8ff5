// The whole API on a private bus over a fake host, and a client that calls it. Test thread only.
#pragma once

#include "bus/fake_commands.hpp"
#include "bus/private_bus.hpp"
#include "daemon/bus/bus_faces.hpp"

namespace satchel::test {

inline constexpr auto root = "/org/satchel/Satchel1";
inline constexpr auto device_path = "/org/satchel/Satchel1/device/1";
inline constexpr auto capsule_path =
    "/org/satchel/Satchel1/capsule/0b0e1c5e_9d3f_4d6b_8e0c_2f6f4d1b7a10";

inline CapsuleId capsule_id() {
  return CapsuleId(*Uuid::parse("0b0e1c5e-9d3f-4d6b-8e0c-2f6f4d1b7a10"));
}

/// One device with one capsule.
inline HostView small_host() {
  HostView host;
  host.version = "0.1.0";
  host.host_name = "alpha";
  DeviceView device;
  device.number = DeviceNumber(1);
  device.node = "/dev/sdb1";
  device.label = "SATCHEL";
  device.size = mebibytes(64);
  host.devices.push_back(device);
  CapsuleView capsule;
  capsule.id = capsule_id();
  capsule.name = "debian";
  capsule.state = "ready";
  capsule.device = DeviceNumber(1);
  capsule.generation = Sequence(3);
  capsule.history.push_back(
      {Sequence(3), GenerationId(Uuid::random()), "alpha", UnixMicros(17), "eject"});
  host.capsules.push_back(capsule);
  return host;
}

struct FacesWorld {
  PrivateBus daemon;
  boost::asio::io_context io;
  Bus server{io.get_executor(), daemon.address(), {}};
  Bus client{io.get_executor(), daemon.address(), {}};
  FakeCommands commands;
  FakeAuthority authority;
  std::unique_ptr<BusFaces> faces;

  FacesWorld() {
    commands.host = small_host();
    faces = std::make_unique<BusFaces>(server, commands, authority);
    auto own = [](Bus& bus) -> Task<void> { co_await bus.request_name(faces::bus_name); };
    run(io, own(server));
  }

  template <class T>
  T wait(Task<T> task) {
    std::optional<T> out;
    auto store = [](Task<T> from, std::optional<T>& into) -> Task<void> {
      into = co_await std::move(from);
    };
    run(io, store(std::move(task), out));
    return std::move(*out);
  }

  /// Calls a method of interface org.satchel.Satchel1.<interface>.
  template <class... Args>
  Message ask(const std::string& path, const std::string& interface, const std::string& method,
              const Args&... args) {
    return wait(
        client.call(faces::bus_name, path, "org.satchel.Satchel1." + interface, method, args...));
  }
  Dictionary properties(const std::string& path, const std::string& interface) {
    return wait(client.properties(faces::bus_name, path, "org.satchel.Satchel1." + interface));
  }
  ManagedObjects objects() { return wait(client.managed_objects(faces::bus_name, root)); }
  /// All that was sent to the client before now has been heard after this.
  void settle() {
    turn(io);
    ask_peer();
  }

 private:
  void ask_peer() { wait(client.call(faces::bus_name, root, "org.freedesktop.DBus.Peer", "Ping")); }
};

}  // namespace satchel::test
