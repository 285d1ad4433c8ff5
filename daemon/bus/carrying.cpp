#include "daemon/bus/carrying.hpp"

#include "base/fault.hpp"
#include "daemon/bus/options.hpp"
#include "daemon/bus/paths.hpp"

namespace satchel::faces {

namespace {

CapsuleId capsule_at(const ObjectPath& path) {
  if (const auto capsule = parse_capsule(path)) return *capsule;
  throw Fault(Remedy::fix_request,
              Fault::Text{"find the capsule", path.value, "this is no capsule's path", {}});
}

DeviceNumber device_at(const ObjectPath& path) {
  if (const auto device = parse_device(path)) return *device;
  throw Fault(Remedy::fix_request,
              Fault::Text{"find the device", path.value, "this is no device's path", {}});
}

std::optional<CapsuleId> identity(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto id = Uuid::parse(text);
  if (id && !id->is_nil()) return CapsuleId(*id);
  throw Fault(Remedy::fix_request,
              Fault::Text{"accept the options of", "Import", "capsule: must be a UUID", {}});
}

ExportRequest::Layout layout_named(const std::string& word) {
  if (word == "flat") return ExportRequest::Layout::flat;
  if (word == "chain") return ExportRequest::Layout::chain;
  throw Fault(
      Remedy::fix_request,
      Fault::Text{"accept the options of", "Export", "layout: must be \"flat\" or \"chain\"", {}});
}

}  // namespace

Task<ObjectPath> export_capsule(Requests& requests, Caller caller, ObjectPath capsule,
                                UniqueFd directory, Dictionary given) {
  Options options("Export", std::move(given));
  ExportRequest request;
  request.capsule = capsule_at(capsule);
  request.directory = std::move(directory);
  request.path = options.take("path", std::string());
  const auto layout = options.take("layout", std::string("flat"));
  if (!options.take("memory", true)) request.memory = ExportRequest::Memory::without;
  const auto generation = options.take("generation", std::uint64_t{0});
  if (generation != 0) request.generation = Sequence(generation);
  if (options.take("ours", false)) request.of = ExportRequest::Of::session;
  options.finish();
  request.layout = layout_named(layout);
  co_await requests.authorise(caller, Action::manage, "export the machine",
                              requests.about(request.capsule));
  co_return requests.started(requests.commands().export_to(std::move(request)));
}

Task<ObjectPath> import_capsule(Requests& requests, Caller caller, UniqueFd directory,
                                ObjectPath device, Dictionary given) {
  Options options("Import", std::move(given));
  ImportRequest request;
  request.directory = std::move(directory);
  request.device = device_at(device);
  request.path = options.take("path", std::string());
  request.name = options.take("name", std::string());
  const auto capsule = options.take("capsule", std::string());
  if (!options.take("memory", true)) request.memory = ImportRequest::Memory::without;
  options.finish();
  request.capsule = identity(capsule);
  co_await requests.authorise(caller, Action::manage, "import the machine",
                              requests.about(request.device, request.name));
  co_return requests.started(requests.commands().import_from(std::move(request)));
}

}  // namespace satchel::faces
