#include "daemon/bus/requests.hpp"

#include "daemon/bus/paths.hpp"

namespace satchel::faces {

namespace {

const char* name_of(Action action) {
  switch (action) {
    case Action::eject:
      return "eject";
    case Action::launch:
      return "launch";
    case Action::manage:
      return "manage";
    case Action::trust:
      return "trust";
  }
  return "";
}

}  // namespace

Requests::Subject Requests::about(CapsuleId capsule) const {
  for (const auto& each : commands_.view().capsules) {
    if (each.id != capsule) continue;
    return each.device ? about(*each.device, each.name) : Subject(each.name, {});
  }
  return {};
}

Requests::Subject Requests::about(DeviceNumber device, std::string machine) const {
  for (const auto& each : commands_.view().devices) {
    if (each.number != device) continue;
    auto name = each.node;
    if (!each.label.empty()) name += " (" + each.label + ")";
    return Subject(std::move(machine), std::move(name));
  }
  return Subject(std::move(machine), {});
}

Task<void> Requests::authorise(Caller caller, Action action, std::string what, Subject subject) {
  Undertaking wanted{action, what, std::move(subject.machine), std::move(subject.device)};
  auto asking = authority_.allows(caller.name, std::move(wanted), caller.interaction);
  const bool allowed = co_await std::move(asking);
  if (allowed) co_return;
  Fault::Text text;
  text.doing = std::move(what);
  text.why = std::string("you may not (polkit action org.satchel.") + name_of(action) + ")";
  text.next = "Do it as an administrator, or ask one to allow it.";
  throw Fault(Remedy::ask_admin, std::move(text));
}

ObjectPath Requests::started(JobId job) {
  refresh_();
  return ObjectPath(path_of(job));
}

}  // namespace satchel::faces
