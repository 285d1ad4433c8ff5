// config/dbus/*.xml is the one source of the API: what the living objects say of themselves must be
// the same, member by member.
#include <catch2/catch.hpp>
#include <map>
#include <pugixml.hpp>

#include "bus/faces_world.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

std::string attribute(const pugi::xml_node& node, const char* name) {
  return node.attribute(name).value();
}

/// "in domain s" for each argument, in order.
std::string arguments(const pugi::xml_node& member, const std::string& usual_direction) {
  std::string out;
  for (const auto arg : member.children("arg")) {
    const auto direction = attribute(arg, "direction");
    out += (direction.empty() ? usual_direction : direction) + " " + attribute(arg, "name") + " " +
           attribute(arg, "type") + "; ";
  }
  return out;
}

std::string annotations(const pugi::xml_node& member) {
  std::string out;
  for (const auto each : member.children("annotation"))
    out += attribute(each, "name") + "=" + attribute(each, "value") + "; ";
  return out;
}

/// Every member of an interface: "method Pack" -> its arguments, and so on.
std::map<std::string, std::string> members(const pugi::xml_node& interface) {
  std::map<std::string, std::string> out;
  for (const auto each : interface.children("method"))
    out["method " + attribute(each, "name")] = arguments(each, "in") + annotations(each);
  for (const auto each : interface.children("signal"))
    out["signal " + attribute(each, "name")] = arguments(each, "out") + annotations(each);
  for (const auto each : interface.children("property"))
    out["property " + attribute(each, "name")] =
        attribute(each, "type") + " " + attribute(each, "access") + " " + annotations(each);
  return out;
}

using Members = std::map<std::string, std::string>;

Members members_of(const pugi::xml_document& document, const std::string& interface) {
  const auto node =
      document.child("node").find_child_by_attribute("interface", "name", interface.c_str());
  REQUIRE(node);
  return members(node);
}

Members documented(const std::string& interface) {
  pugi::xml_document document;
  const auto file = std::string(SATCHEL_SOURCE_DIR) + "/config/dbus/" + interface + ".xml";
  REQUIRE(document.load_file(file.c_str()));
  return members_of(document, interface);
}

Members alive(FacesWorld& world, const std::string& path, const std::string& interface) {
  auto reply = world.wait(world.client.call(faces::bus_name, path,
                                            "org.freedesktop.DBus.Introspectable", "Introspect"));
  pugi::xml_document document;
  REQUIRE(document.load_string(reply.read<std::string>().c_str()));
  return members_of(document, interface);
}

}  // namespace

TEST_CASE("the living objects are what the interface files say") {
  FacesWorld world;
  const auto job = world.commands.begin("eject");
  world.commands.listener.changed();
  const std::map<std::string, std::string> paths{{"Manager", root},
                                                 {"Device", device_path},
                                                 {"Capsule", capsule_path},
                                                 {"Job", faces::path_of(job)}};
  for (const auto& [name, path] : paths) {
    const auto interface = "org.satchel.Satchel1." + name;
    CAPTURE(interface);
    const auto wanted = documented(interface);
    CHECK_FALSE(wanted.empty());
    CHECK(alive(world, path, interface) == wanted);
  }
}
