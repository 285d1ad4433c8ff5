// The API as a client of the bus sees it, over a fake host.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/error_name.hpp"
#include "bus/faces_world.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

/// Every signal of the service, as "member path what" in the order in which it came.
struct Signals {
  explicit Signals(FacesWorld& world)
      : match(world.client.match("type='signal',path_namespace='/org/satchel/Satchel1'",
                                 [this](Message signal) { lines.push_back(line(signal)); })) {
    world.settle();
  }

  static std::string line(Message& signal) {
    auto out = signal.member();
    if (out == "PropertiesChanged") {
      out += " " + signal.path().substr(std::string(root).size());
      const auto changed = signal.read_all<std::string, Dictionary>();
      for (const auto& [name, value] : std::get<1>(changed)) out += " " + name;
    } else {
      out += " " + signal.read<ObjectPath>().value.substr(std::string(root).size());
      if (signal.member() == "JobRemoved") out += " " + signal.read<std::string>();
    }
    return out;
  }

  std::vector<std::string> lines;
  Match match;
};

using Lines = std::vector<std::string>;

std::string error_of(FacesWorld& world, const std::string& path, const std::string& interface,
                     const std::string& method) {
  try {
    world.ask(path, interface, method);
  } catch (const BusError& error) {
    return error.name();
  }
  return "none";
}

}  // namespace

TEST_CASE("a client finds the host's devices and capsules with all they are") {
  FacesWorld world;
  const auto objects = world.objects();
  CHECK(objects.size() == 2);
  const auto& device = objects.at(ObjectPath(device_path)).at("org.satchel.Satchel1.Device");
  CHECK(find<std::string>(device, "Node") == "/dev/sdb1");
  CHECK(find<std::uint64_t>(device, "Size") == std::uint64_t{64} << 20);
  CHECK(find<std::vector<ObjectPath>>(device, "Capsules") == std::vector{ObjectPath(capsule_path)});
  const auto& capsule = objects.at(ObjectPath(capsule_path)).at("org.satchel.Satchel1.Capsule");
  CHECK(find<std::string>(capsule, "State") == "ready");
  CHECK(find<ObjectPath>(capsule, "Device") == ObjectPath(device_path));
  CHECK(find<ObjectPath>(capsule, "Job") == ObjectPath("/"));
  CHECK(find<std::string>(capsule, "GenerationId") == "");
  const auto history = find<std::vector<Structure>>(capsule, "History");
  REQUIRE(history);
  CHECK(history->at(0).fields.at(3).as<std::uint64_t>() == 17);
  CHECK(find<std::string>(world.properties(root, "Manager"), "HostName") == "alpha");
}

TEST_CASE("changes of one turn are one signal that names only what changed") {
  FacesWorld world;
  Signals signals(world);
  world.commands.host.capsules[0].state = "launching";
  world.commands.listener.changed();
  world.commands.host.capsules[0].state = "running";
  world.commands.host.capsules[0].can_unplug = false;
  world.commands.host.sessions = 1;
  world.commands.listener.changed();
  world.settle();
  const auto changed =
      std::string("PropertiesChanged ") + (capsule_path + std::string(root).size());
  CHECK(signals.lines == Lines{changed + " CanUnplug State", "PropertiesChanged  Sessions"});
  world.commands.listener.changed();
  world.settle();
  CHECK(signals.lines.size() == 2);
}

TEST_CASE("what comes and goes is added and removed") {
  FacesWorld world;
  Signals signals(world);
  world.commands.host = HostView();
  world.commands.listener.changed();
  world.settle();
  const std::string capsule = capsule_path + std::string(root).size();
  REQUIRE(signals.lines.size() >= 2);
  CHECK(signals.lines[0] == "InterfacesRemoved " + capsule);
  CHECK(signals.lines[1] == "InterfacesRemoved /device/1");
  signals.lines.clear();
  world.commands.host.devices = small_host().devices;
  world.commands.host.capsules = small_host().capsules;
  world.commands.listener.changed();
  world.settle();
  CHECK(signals.lines == Lines{"InterfacesAdded /device/1", "InterfacesAdded " + capsule});
}

TEST_CASE("a job is there when its path is answered, and its end is told before it goes") {
  FacesWorld world;
  Signals signals(world);
  auto reply =
      world.ask(capsule_path, "Capsule", "Launch",
                Dictionary{{"take_over", true}, {"this_copy", true}, {"without_device", true}});
  const auto path = reply.read<ObjectPath>();
  CHECK(path.value == std::string(root) + "/job/1");
  CHECK(world.commands.asked == Lines{"launch take-over this-copy without-device"});
  const auto job = world.properties(path.value, "Job");
  CHECK(find<std::string>(job, "Operation") == "launch");
  CHECK(find<ObjectPath>(job, "Capsule") == ObjectPath(capsule_path));
  world.ask(path.value, "Job", "Cancel");
  CHECK(world.commands.asked.back() == "cancel 1");
  world.settle();
  CHECK(signals.lines == Lines{"InterfacesAdded /job/1", "PropertiesChanged  ActiveJobs"});

  signals.lines.clear();
  world.commands.host.running_jobs[0].progress = 0.5;
  world.commands.listener.changed();
  world.settle();
  CHECK(signals.lines == Lines{"PropertiesChanged /job/1 Progress"});

  signals.lines.clear();
  world.commands.end(JobId(1), "done", "");
  world.settle();
  CHECK(signals.lines == Lines{"PropertiesChanged  ActiveJobs", "JobRemoved /job/1 done",
                               "InterfacesRemoved /job/1"});
}

TEST_CASE("a job whose end is told while the view still has it does not come back") {
  FacesWorld world;
  Signals signals(world);
  const auto job = world.commands.begin("eject");
  world.commands.listener.changed();
  world.commands.listener.job_ended({job, "cancelled", ""});
  world.commands.listener.changed();
  world.settle();
  CHECK(signals.lines.back() == "InterfacesRemoved /job/1");
  CHECK(world.objects().size() == 2);
}

TEST_CASE("each acting method asks for its own right, and nothing is done without it") {
  struct Row {
    const char* path;
    const char* interface;
    const char* method;
    Action action;
  };
  const std::vector<Row> rows{{device_path, "Device", "Eject", Action::eject},
                              {capsule_path, "Capsule", "Checkpoint", Action::eject}};
  FacesWorld world;
  world.authority.answer = false;
  for (const auto& row : rows) {
    CHECK(error_of(world, row.path, row.interface, row.method) ==
          bus_error_name(Remedy::ask_admin));
    CHECK(world.authority.asked.back() == row.action);
  }
  CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", "Launch", Dictionary()), BusError);
  CHECK(world.authority.asked.back() == Action::launch);
  CHECK(world.authority.last.doing == "launch the machine");
  CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", "Launch", Dictionary{{"take_over", true}}),
                  BusError);
  CHECK(world.authority.last.doing == "take the machine over");
  CHECK(world.authority.last.machine == "debian");
  CHECK(world.authority.last.device == "/dev/sdb1 (SATCHEL)");
  CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", "Eject", Dictionary()), BusError);
  CHECK(world.authority.asked.back() == Action::eject);
  CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", "Verify", Dictionary()), BusError);
  CHECK(world.authority.asked.back() == Action::launch);
  for (const auto* method : {"Remove", "Merge", "Fold", "Sync"}) {
    CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", method, Dictionary()), BusError);
    CHECK(world.authority.asked.back() == Action::manage);
  }
  CHECK_THROWS_AS(world.ask(root, "Manager", "Format", std::string("/dev/sdb1"), Dictionary()),
                  BusError);
  CHECK(world.authority.asked.back() == Action::manage);
  CHECK(world.authority.last.device == "/dev/sdb1");
  CHECK(world.commands.asked.empty());
}

TEST_CASE("what the host refuses is answered with its reason and the next step") {
  FacesWorld world;
  world.commands.refusal.emplace(
      Remedy::free_space, Fault::Text{"checkpoint", "debian", "the device is full", "Make room."});
  try {
    world.ask(capsule_path, "Capsule", "Checkpoint");
    FAIL("it succeeded");
  } catch (const BusError& error) {
    CHECK(error.name() == bus_error_name(Remedy::free_space));
    CHECK(error.message() == "could not checkpoint debian: the device is full. Make room.");
  }
}

TEST_CASE("what may be merged besides, and although it is needed, is said by options") {
  FacesWorld world;
  world.ask(capsule_path, "Capsule", "Eject", Dictionary{{"merge", true}});
  world.ask(capsule_path, "Capsule", "Merge", Dictionary());
  world.ask(capsule_path, "Capsule", "Fold", Dictionary{{"although_needed", true}});
  world.ask(capsule_path, "Capsule", "Verify", Dictionary());
  CHECK(world.commands.asked == Lines{"eject merge", "merge", "fold although-needed", "verify"});
  CHECK_THROWS_AS(world.ask(capsule_path, "Capsule", "Merge", Dictionary{{"force", true}}),
                  BusError);
}

TEST_CASE("wrong options are refused, all at once, before anybody is asked for a password") {
  FacesWorld world;
  try {
    world.ask(capsule_path, "Capsule", "Launch",
              Dictionary{{"take_over", "yes"}, {"tkae_over", true}});
    FAIL("it succeeded");
  } catch (const BusError& error) {
    CHECK(error.remedy() == Remedy::fix_request);
    CHECK_THAT(error.message(),
               Catch::Contains("take_over: must be a boolean; tkae_over: no such"));
  }
  CHECK(world.authority.asked.empty());
}

TEST_CASE("the manager packs, formats and diagnoses, and says what it can't do yet") {
  FacesWorld world;
  world.ask(root, "Manager", "Pack", std::string("vm"), ObjectPath(device_path),
            Dictionary{{"name", "mine"}});
  world.ask(root, "Manager", "Format", std::string("/dev/sdc"), Dictionary());
  world.ask(root, "Manager", "Probe", std::string("/dev/sdb1"), Dictionary());
  CHECK(world.commands.asked ==
        Lines{"pack vm 1 mine", "format /dev/sdc ext4 SATCHEL", "probe /dev/sdb1"});
  CHECK_THROWS_AS(
      world.ask(root, "Manager", "Pack", std::string("vm"), ObjectPath("/x"), Dictionary()),
      BusError);
  auto reply = world.ask(root, "Manager", "Diagnose", Dictionary{{"measure", true}});
  using Findings = std::vector<std::tuple<std::string, std::string, std::string, std::string>>;
  CHECK(reply.read<Findings>() == Findings{{"kvm", "bad", "It fails.", "Fix."}});
  CHECK(world.commands.measured == Commands::Measure::devices);
  try {
    world.ask(root, "Manager", "Distrust", std::string("abc"));
    FAIL("it succeeded");
  } catch (const BusError& error) {
    CHECK(error.name() == "org.satchel.Satchel1.Error.NotSupported");
  }
}

TEST_CASE("a new machine is asked for by devices and descriptors, and every mistake is named") {
  FacesWorld world;
  std::map<std::string, UniqueFd> files;
  files.emplace("cdrom", UniqueFd(::dup(0)));
  const Dictionary options{{"size", std::uint64_t{1} << 30},
                           {"cpus", std::uint32_t{3}},
                           {"disk_bus", "sata"},
                           {"firmware", "efi"},
                           {"devices", std::vector<std::string>{"rng"}}};
  world.ask(root, "Manager", "Create", "fresh", ObjectPath(device_path), files, options);
  CHECK(world.commands.asked == Lines{"create fresh 1  1073741824 cdrom"});
  CHECK(world.authority.asked == std::vector{Action::manage});
  using machine::Wish;
  CHECK(world.commands.created.cpus == 3);
  CHECK(world.commands.created.disk_bus == "sata");
  CHECK(world.commands.created.firmware == Wish::Kind::efi);
  CHECK(world.commands.created.rng == Wish::Drives::yes);
  CHECK(world.commands.created.balloon == Wish::Drives::no);
  CHECK(world.commands.created.medium == Wish::Medium::cd);
  const Dictionary wrong{{"cpus", "many"},
                         {"clock", "sundial"},
                         {"devices", std::vector<std::string>{"warp"}},
                         {"frobnicate", true}};
  files.emplace("floppy", UniqueFd(::dup(0)));
  try {
    world.ask(root, "Manager", "Create", "fresh", ObjectPath(device_path), files, wrong);
    FAIL("it was accepted");
  } catch (const BusError& error) {
    for (const char* word : {"cpus", "clock", "warp", "floppy", "frobnicate"}) {
      INFO(word);
      CHECK(std::string(error.what()).find(word) != std::string::npos);
    }
  }
  CHECK(world.commands.asked.size() == 1);
}

TEST_CASE("a passphrase reaches the host through the descriptor") {
  FacesWorld world;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  REQUIRE(::write(writer.get(), "open sesame", 11) == 11);
  writer.reset();
  world.ask(device_path, "Device", "Unlock", reader);
  CHECK(world.commands.passphrase == "open sesame");
}

TEST_CASE("a host whose bus is gone goes on without being shown") {
  FacesWorld world;
  world.daemon.kill();
  REQUIRE(run_until(world.io, [&] { return !world.server.open(); }));
  world.commands.host.capsules[0].state = "running";
  world.commands.host.devices.clear();
  world.commands.listener.changed();
  world.commands.listener.job_ended({JobId(1), "done", ""});
  turn(world.io);
}

TEST_CASE("an export and an import are asked for with a directory and options") {
  FacesWorld world;
  const UniqueFd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Dictionary options;
  options["path"] = std::string("/home/ann/out");
  options["layout"] = std::string("chain");
  options["memory"] = false;
  options["generation"] = std::uint64_t{7};
  world.ask(root, "Manager", "Export", ObjectPath(capsule_path), directory, options);
  CHECK(world.commands.asked.back() == "export to /home/ann/out chain without memory 7");
  options.erase("layout");
  options.erase("generation");
  options["name"] = std::string("web");
  world.ask(root, "Manager", "Import", directory, ObjectPath(device_path), options);
  CHECK(world.commands.asked.back() == "import from /home/ann/out 1 web without memory");
  CHECK(world.authority.asked == std::vector(2, Action::manage));
}

TEST_CASE("an export or import that is asked for wrongly reaches nobody") {
  FacesWorld world;
  const UniqueFd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto refused = [&](const Dictionary& options, const char* capsule) {
    try {
      world.ask(root, "Manager", "Export", ObjectPath(capsule), directory, options);
    } catch (const BusError& error) {
      return error.name();
    }
    return std::string("none");
  };
  Dictionary sideways;
  sideways["layout"] = std::string("sideways");
  Dictionary unknown;
  unknown["compress"] = true;
  Dictionary mistyped;
  mistyped["generation"] = std::string("7");
  for (const auto& options : {sideways, unknown, mistyped})
    CHECK(refused(options, capsule_path) == "org.satchel.Satchel1.Error.BadRequest");
  CHECK(refused({}, device_path) == "org.satchel.Satchel1.Error.BadRequest");
  CHECK(world.commands.asked.empty());
}
