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

Task<void> Requests::authorise(Caller caller, Action action, std::string what) {
  const bool allowed = co_await authority_.allows(caller.name, action, caller.interaction);
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
