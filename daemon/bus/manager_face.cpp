#include "daemon/bus/manager_face.hpp"

#include "daemon/bus/carrying.hpp"
#include "daemon/bus/creation.hpp"
#include "daemon/bus/options.hpp"

namespace satchel::faces {

namespace {

constexpr auto interface_name = "org.satchel.Satchel1.Manager";

DeviceNumber device_at(const ObjectPath& path) {
  if (const auto device = parse_device(path)) return *device;
  throw Fault(Remedy::fix_request,
              Fault::Text{"find the device", path.value, "this is no device's path", {}});
}

Task<ObjectPath> pack(Requests& requests, Caller caller, std::string domain, ObjectPath device,
                      Dictionary given) {
  Options options("Pack", std::move(given));
  PackRequest request;
  request.domain = std::move(domain);
  request.device = device_at(device);
  request.name = options.take("name", std::string());
  options.finish();
  co_await requests.authorise(caller, Action::manage, "pack the machine",
                              requests.about(request.device, request.domain));
  co_return requests.started(requests.commands().pack(request));
}

Task<ObjectPath> create(Requests& requests, Caller caller, std::string name, ObjectPath device,
                        Files files, Dictionary given) {
  auto request = read_creation(std::move(name), std::move(files), std::move(given));
  request.device = device_at(device);
  co_await requests.authorise(caller, Action::manage, "create the capsule",
                              requests.about(request.device, request.wish.name));
  co_return requests.started(requests.commands().create(std::move(request)));
}

Task<ObjectPath> format(Requests& requests, Caller caller, std::string node, Dictionary given) {
  Options options("Format", std::move(given));
  FormatRequest request;
  request.node = std::move(node);
  request.fs_type = options.take("fs", request.fs_type);
  request.label = options.take("label", request.label);
  options.finish();
  co_await requests.authorise(caller, Action::manage, "format the device",
                              Requests::Subject({}, request.node));
  co_return requests.started(requests.commands().format(request));
}

Task<ObjectPath> probe(Requests& requests, Caller caller, std::string node, Dictionary given) {
  Options("Probe", std::move(given)).finish();
  co_await requests.authorise(caller, Action::manage, "probe the device",
                              Requests::Subject({}, node));
  co_return requests.started(requests.commands().probe(std::move(node)));
}

const char* word(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::good:
      return "good";
    case Finding::Verdict::warning:
      return "warning";
    case Finding::Verdict::bad:
      return "bad";
    case Finding::Verdict::unknown:
      return "unknown";
  }
  return "unknown";
}

using FindingLine = std::tuple<std::string, std::string, std::string, std::string>;

Task<std::vector<FindingLine>> diagnose(Requests& requests, Caller caller, Dictionary given) {
  Options options("Diagnose", std::move(given));
  const bool measures = options.take("measure", false);
  options.finish();
  if (measures)
    co_await requests.authorise(caller, Action::manage, "measure the devices", Requests::Subject());
  const auto measure = measures ? Commands::Measure::devices : Commands::Measure::no;
  const auto findings = co_await requests.commands().diagnose(measure);
  std::vector<FindingLine> out;
  for (const auto& each : findings)
    out.emplace_back(each.check, word(each.verdict), each.found, each.remedy);
  co_return out;
}

Task<std::uint64_t> drop_cache(Requests& requests, Caller caller, Dictionary given) {
  Options options("DropCache", std::move(given));
  const auto word = options.take("capsule", std::string());
  options.finish();
  const auto id = Uuid::parse(word);
  if (!word.empty() && (!id || id->is_nil()))
    throw Fault(Remedy::fix_request,
                Fault::Text{"drop what is kept of", word, "a capsule is named by its UUID", {}});
  co_await requests.authorise(caller, Action::manage, "drop what this computer keeps of machines",
                              Requests::Subject());
  const auto capsule = id ? std::optional(CapsuleId(*id)) : std::nullopt;
  const auto freed = co_await requests.commands().drop_cache(capsule);
  co_return freed.value;
}

/// What the API has and this version has not.
template <class T>
Task<T> refuse(std::string doing, std::string object) {
  throw Fault(Remedy::later_version,
              Fault::Text{std::move(doing), std::move(object), "this version can't do it yet", {}});
  co_return T();  // makes it a coroutine
}

void describe_methods(Interface& face, Requests& requests) {
  face.method(
          "Pack", {"domain", "device", "options"}, {"job"},
          [&requests](Caller caller, std::string domain, ObjectPath device, Dictionary options) {
            return pack(requests, std::move(caller), std::move(domain), std::move(device),
                        std::move(options));
          })
      .method("Create", {"name", "device", "files", "options"}, {"job"},
              [&requests](Caller caller, std::string name, ObjectPath device, Files files,
                          Dictionary options) {
                return create(requests, std::move(caller), std::move(name), std::move(device),
                              std::move(files), std::move(options));
              })
      .method("Format", {"node", "options"}, {"job"},
              [&requests](Caller caller, std::string node, Dictionary options) {
                return format(requests, std::move(caller), std::move(node), std::move(options));
              })
      .method("Probe", {"node", "options"}, {"job"},
              [&requests](Caller caller, std::string node, Dictionary options) {
                return probe(requests, std::move(caller), std::move(node), std::move(options));
              })
      .method("Diagnose", {"options"}, {"findings"},
              [&requests](Caller caller, Dictionary options) {
                return diagnose(requests, std::move(caller), std::move(options));
              })
      .method("DropCache", {"options"}, {"bytes"},
              [&requests](Caller caller, Dictionary options) {
                return drop_cache(requests, std::move(caller), std::move(options));
              })
      .method(
          "Import", {"directory", "device", "options"}, {"job"},
          [&requests](Caller caller, UniqueFd directory, ObjectPath device, Dictionary options) {
            return import_capsule(requests, std::move(caller), std::move(directory),
                                  std::move(device), std::move(options));
          })
      .method(
          "Export", {"capsule", "directory", "options"}, {"job"},
          [&requests](Caller caller, ObjectPath capsule, UniqueFd directory, Dictionary options) {
            return export_capsule(requests, std::move(caller), std::move(capsule),
                                  std::move(directory), std::move(options));
          })
      .method("Trust", {"fingerprint", "options"}, {},
              [](Caller, std::string fingerprint, Dictionary) {
                return refuse<void>("trust", std::move(fingerprint));
              })
      .method("Distrust", {"fingerprint"}, {}, [](Caller, std::string fingerprint) {
        return refuse<void>("distrust", std::move(fingerprint));
      });
}

Interface& describe(Shown<HostFacts>& shown, Requests& requests) {
  shown.property("Version", &HostFacts::version, Emits::never_changes)
      .property("HostId", &HostFacts::host_id, Emits::never_changes)
      .property("HostName", &HostFacts::host_name, Emits::never_changes)
      .property("HostFingerprint", &HostFacts::fingerprint, Emits::never_changes)
      .property("Hypervisor", &HostFacts::hypervisor)
      .property("Detail", &HostFacts::detail)
      .property("Sessions", &HostFacts::sessions)
      .property("ActiveJobs", &HostFacts::jobs);
  describe_methods(shown.face(), requests);
  return shown.face().signal<ObjectPath, std::string, std::string>("JobRemoved",
                                                                   {"job", "result", "message"});
}

}  // namespace

HostFacts::HostFacts(const HostView& of)
    : version(of.version),
      host_id(of.host_id),
      host_name(of.host_name),
      fingerprint(of.fingerprint),
      hypervisor(of.hypervisor),
      detail(of.detail),
      sessions(of.sessions),
      jobs(of.jobs) {}

ManagerFace::ManagerFace(Bus& bus, Requests& requests, const HostFacts& view)
    : shown_(interface_name, view),
      object_(bus, root_path, {describe(shown_, requests)}, Place::root) {}

void ManagerFace::job_removed(const JobEnd& end) {
  object_.emit(interface_name, "JobRemoved", ObjectPath(path_of(end.id)), end.result, end.message);
}

}  // namespace satchel::faces
