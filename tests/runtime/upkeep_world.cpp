#include "runtime/upkeep_world.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace satchel::test {

UpkeepWorld::UpkeepWorld(int layers, std::function<void(Config&)> adjust) {
  for (auto* host : {&anvil, &bellows}) {
    host->config.merge.layers = 0;
    host->config.generations.keep = 0;
    host->config.fold.cow_limit.amount = 0;
    host->config.merge.while_running = WhileRunning::yes;
    adjust(host->config);
  }
  // While the layers are made nothing is due.
  const auto wanted = anvil.config;
  anvil.config.merge.layers = 0;
  anvil.config.fold.cow_limit.amount = 0;
  anvil.start();
  anvil.plug();
  guest = anvil.machine("traveller");
  anvil.run_machine(guest);
  capsule = anvil.pack("traveller");
  for (int i = 0; i < layers; ++i) {
    if (i > 0) {
      anvil.plug();
      REQUIRE(launch(anvil) == "done");
    }
    // Each layer has a cluster of its own, and one that the next one writes over.
    write(anvil, i, i + 1);
    write(anvil, i + 1, 100 + i);
    anvil.hypervisor.tick(guest);
    REQUIRE(eject(anvil) == "done");
    anvil.pull();
    REQUIRE(anvil.reaches(capsule, "absent"));
  }
  anvil.stop();
  anvil.config = wanted;
}

UpkeepWorld::~UpkeepWorld() {
  CHECK(anvil.breaches == std::vector<std::string>{});
  CHECK(bellows.breaches == std::vector<std::string>{});
}

std::string UpkeepWorld::launch(TestHost& host) {
  LaunchRequest request;
  request.capsule = capsule;
  return host.result([&] { return host.host().launch(request); });
}

std::string UpkeepWorld::eject(TestHost& host, Commands::Layers layers) {
  return host.result([&] { return host.host().eject(capsule, layers); });
}

std::string UpkeepWorld::merge(TestHost& host) {
  return host.result([&] { return host.host().merge(capsule, Commands::WhenNeeded::refuse); });
}

std::string UpkeepWorld::fold(TestHost& host) {
  return host.result([&] { return host.host().fold(capsule, Commands::WhenNeeded::refuse); });
}

void UpkeepWorld::run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system((command + " >/dev/null").c_str()) == 0);
}

void UpkeepWorld::write(TestHost& host, int cluster, int pattern) {
  write_as(host, cluster, "-P " + std::to_string(pattern));
}

void UpkeepWorld::write(TestHost& host, int cluster, const std::string& bytes) {
  const auto file = host.session_directory(capsule) / "to-be-written";
  std::ofstream(file) << bytes;
  write_as(host, cluster, "-s " + file.string());
  std::filesystem::remove(file);
}

void UpkeepWorld::write_as(TestHost& host, int cluster, const std::string& how) {
  const auto overlay = host.session_directory(capsule) / "vda.qcow2";
  run("qemu-io -c 'write " + how + " " + std::to_string(cluster * 64) +
      "k 64k' 'json:{\"driver\":\"qcow2\",\"backing\":null,\"file\":{\"driver\":\"file\","
      "\"filename\":\"" +
      overlay.string() + "\"}}'");
}

std::string UpkeepWorld::read(const format::Head& head) const {
  const auto opened = [&](const std::string& file, const std::string& below) {
    return R"({"driver":"qcow2","file":{"driver":"file","filename":")" +
           (on_device(capsule) / file).string() + R"("},"backing":)" + below + "}";
  };
  // As the head has it: a header may name a layer that was merged since.
  std::string shown = "null";
  for (const auto& file : head.disks.at(0).chain) {
    run("qemu-img check -q 'json:" + opened(file, "null") + "'");
    shown = opened(file, shown);
  }
  const auto raw = scratch.path() / "content.raw";
  run("qemu-img convert -O raw 'json:" + shown + "' " + raw.string());
  std::ifstream in(raw, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string UpkeepWorld::content() const { return read(head(capsule)); }

std::optional<std::string> UpkeepWorld::content_before() const {
  const auto seen = examine(capsule);
  if (!seen.previous) return std::nullopt;
  return read(seen.previous->head);
}

bool UpkeepWorld::comes_to_no_layers(TestHost& host) const {
  const bool come = host.until([&] {
    const auto view = host.capsule(capsule);
    return view && view->layers == 0 && !view->job;
  });
  host.wait_for_jobs();
  return come;
}

std::map<std::uint64_t, std::string> UpkeepWorld::older_contents() const {
  std::map<std::uint64_t, std::string> out;
  const UniqueFd root(::open(device().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const auto& each : format::CapsuleDirectory::open(root.get(), capsule).older())
    out[each.generation.seq.value] = read(each);
  return out;
}

std::vector<std::string> UpkeepWorld::chain_in_journal(TestHost& host) const {
  std::ifstream in(host.session_directory(capsule) / "journal");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto session = read_journal(text);
  REQUIRE(session);
  return session->disks.at(0).chain;
}

RunningWorld::RunningWorld(std::function<void(Config&)> adjust)
    : UpkeepWorld(3, std::move(adjust)), before(content()) {
  // Launched before it ever rests: at rest what is due would be merged at once.
  anvil.config.on_insert = OnInsert::resume;
  anvil.start();
  anvil.plug_only();
  REQUIRE(anvil.until([&] {
    const auto now = anvil.state(capsule);
    return now == "running" || now == "merging";
  }));
}

void RunningWorld::check_that_nothing_is_lost() {
  INFO(anvil.log.all());
  REQUIRE(anvil.reaches(capsule, "running"));
  CHECK(anvil.guest(guest)->state == GuestState::running);
  CHECK(anvil.counter(guest) == 3);
  CHECK(content() == before);
  CHECK(content_before().value_or(before) == before);
}

void RunningWorld::check_that_it_ejects() {
  INFO(anvil.log.all());
  write(anvil, 10, 77);
  CHECK(eject(anvil) == "done");
  CHECK(anvil.state(capsule) == "safe");
  const auto after = content();
  CHECK(after.substr(0, 640 << 10) == before.substr(0, 640 << 10));
  CHECK(after.at(10 * (64 << 10)) == 77);
  CHECK(head(capsule).hibernation);
}

}  // namespace satchel::test
