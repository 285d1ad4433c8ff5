// What every face needs to carry out a request: the commands, and who may give them. Owned by
// BusFaces, outlives every request; loop thread only.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "bus/object.hpp"
#include "ports/authority.hpp"
#include "runtime/commands.hpp"

namespace satchel::faces {

class Requests {
 public:
  /// `refresh` brings the objects on the bus up to date with Commands::view().
  Requests(Commands& commands, Authority& authority, std::function<void()> refresh)
      : commands_(commands), authority_(authority), refresh_(std::move(refresh)) {}

  Commands& commands() { return commands_; }

  /// What a request is about, by the names that people know.
  class Subject {
   public:
    Subject() = default;
    Subject(std::string of_machine, std::string on_device)
        : machine(std::move(of_machine)), device(std::move(on_device)) {}
    std::string machine;
    std::string device;
  };
  Subject about(CapsuleId capsule) const;
  Subject about(DeviceNumber device, std::string machine = {}) const;

  /// Returns when the caller may; throws Fault (ask_admin) when he may not.
  /// `what`, "eject the machine", is for whoever is asked for a password, and for the error.
  Task<void> authorise(Caller caller, Action action, std::string what, Subject subject);

  /// The answer to a request that started a job: its path, once the object is there to be seen.
  ObjectPath started(JobId job);

 private:
  Commands& commands_;
  Authority& authority_;
  std::function<void()> refresh_;
};

}  // namespace satchel::faces
