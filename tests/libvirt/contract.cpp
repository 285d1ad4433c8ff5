#include "contract.hpp"

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "save_reader.hpp"

namespace satchel::test {

namespace {

using What = GuestEvent::What;

TinyGuest new_guest(const Subject& subject) {
  TinyGuest guest;
  guest.name = "guest-" + guest.id.value.str().substr(0, 8);
  guest.type = subject.domain_type;
  return guest;
}

std::optional<GuestState> state(const Subject& s, DomainId id) {
  const auto entry = s.loop.run(s.hypervisor.find(id));
  return entry ? std::optional(entry->state) : std::nullopt;
}

bool hears(const Subject& s, DomainId id, What what) {
  return s.loop.until([&] {
    return std::any_of(s.events.begin(), s.events.end(),
                       [&](const auto& e) { return e.id == id && e.what == what; });
  });
}

void define_and_start(const Subject& s, const TinyGuest& guest) {
  s.loop.run(s.hypervisor.define(guest.xml()));
  s.loop.run(s.hypervisor.start(guest.id, guest.xml()));
}

void remove(const Subject& s, const TinyGuest& guest) {
  if (const auto now = state(s, guest.id); now && *now != GuestState::shut_off)
    s.loop.run(s.hypervisor.destroy(guest.id));
  s.loop.run(s.hypervisor.undefine(guest.id));
}

std::string save_through_fifo(const Subject& s, const TinyGuest& guest) {
  SaveReader reader(s.directory + "/save-" + guest.name);
  auto saving = s.loop.begin(s.hypervisor.save(guest.id, s.directory + "/save-" + guest.name));
  REQUIRE(s.loop.until([&] { return reader.stream_ended(); }));
  CHECK_FALSE(Loop::done(saving));
  CHECK(state(s, guest.id) == GuestState::paused);
  auto image = reader.complete();
  s.loop.finish(std::move(saving));
  return image;
}

std::vector<LentFiles> lent_file(const std::string& group, const std::string& path) {
  LentFiles lent{group, {}};
  lent.descriptors.emplace_back(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  std::vector<LentFiles> files;
  files.push_back(std::move(lent));
  return files;
}

}  // namespace

void a_definition_is_kept_until_it_is_removed(Subject s) {
  const auto guest = new_guest(s);
  CHECK_FALSE(state(s, guest.id));
  CHECK_FALSE(s.loop.run(s.hypervisor.describe(guest.name)));
  s.loop.run(s.hypervisor.define(guest.xml()));
  CHECK(state(s, guest.id) == GuestState::shut_off);
  for (const auto& key : {guest.name, guest.id.value.str()}) {
    const auto described = s.loop.run(s.hypervisor.describe(key));
    REQUIRE(described);
    CHECK(described->entry.id == guest.id);
    CHECK(described->entry.persistent);
    CHECK(described->live.empty());
    CHECK(described->inactive.find(guest.name) != std::string::npos);
  }
  const auto all = s.loop.run(s.hypervisor.domains());
  CHECK(std::any_of(all.begin(), all.end(), [&](const auto& e) { return e.id == guest.id; }));
  s.loop.run(s.hypervisor.undefine(guest.id));
  CHECK_FALSE(state(s, guest.id));
  s.loop.run(s.hypervisor.undefine(guest.id));
}

void a_guest_starts_pauses_resumes_and_ends(Subject s) {
  const auto guest = new_guest(s);
  define_and_start(s, guest);
  CHECK(state(s, guest.id) == GuestState::running);
  CHECK(hears(s, guest.id, What::started));
  CHECK_FALSE(s.loop.run(s.hypervisor.describe(guest.name))->live.empty());
  s.loop.run(s.hypervisor.pause(guest.id));
  CHECK(state(s, guest.id) == GuestState::paused);
  CHECK(hears(s, guest.id, What::paused));
  s.loop.run(s.hypervisor.resume(guest.id));
  CHECK(state(s, guest.id) == GuestState::running);
  CHECK(hears(s, guest.id, What::resumed));
  s.loop.run(s.hypervisor.abort_job(guest.id));
  s.loop.run(s.hypervisor.destroy(guest.id));
  CHECK(state(s, guest.id) == GuestState::shut_off);
  CHECK(hears(s, guest.id, What::stopped_by_host));
  s.loop.run(s.hypervisor.undefine(guest.id));
}

void what_makes_no_sense_is_refused(Subject s) {
  const auto guest = new_guest(s);
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.resume(guest.id)), Fault);
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.save(guest.id, s.directory + "/nothing")), Fault);
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.define("<domain/>")), Fault);
  s.loop.run(s.hypervisor.define(guest.xml()));
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.pause(guest.id)), Fault);
  try {
    s.loop.run(s.hypervisor.destroy(guest.id));
    FAIL("a guest that does not run was ended");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::fix_request);
    CHECK(fault.text().object == guest.name);
    CHECK_FALSE(fault.text().why.empty());
  }
  s.loop.run(s.hypervisor.undefine(guest.id));
}

void a_saved_guest_is_gone_only_after_the_second_open(Subject s) {
  const auto guest = new_guest(s);
  define_and_start(s, guest);
  const auto image = save_through_fifo(s, guest);
  CHECK(state(s, guest.id) == GuestState::shut_off);
  CHECK(hears(s, guest.id, What::stopped_by_host));
  CHECK(image.substr(0, 16) == "LibvirtQemudSave");
  const auto path = s.directory + "/restore-" + guest.name;
  write_whole(path, image);
  s.loop.run(s.hypervisor.restore(guest.id, path, {}));
  CHECK(state(s, guest.id) == GuestState::paused);
  s.loop.run(s.hypervisor.resume(guest.id));
  CHECK(state(s, guest.id) == GuestState::running);
  remove(s, guest);
}

void a_refused_save_leaves_the_guest_as_it_was(Subject s) {
  const auto guest = new_guest(s);
  define_and_start(s, guest);
  for (const auto before : {GuestState::running, GuestState::paused}) {
    const auto path = s.directory + "/refused-" + guest.name;
    SaveReader reader(path);
    auto saving = s.loop.begin(s.hypervisor.save(guest.id, path));
    REQUIRE(s.loop.until([&] { return reader.stream_ended(); }));
    reader.refuse();
    CHECK_THROWS_AS(s.loop.finish(std::move(saving)), Fault);
    CHECK(state(s, guest.id) == before);
    if (before == GuestState::running) s.loop.run(s.hypervisor.pause(guest.id));
  }
  remove(s, guest);
}

void a_session_leaves_the_persistent_definition_alone(Subject s) {
  auto original = new_guest(s);
  TinyDisk own;
  own.path = s.directory + "/original.qcow2";
  original.disks = own.xml();
  s.loop.run(s.hypervisor.define(original.xml()));
  const auto inactive = [&] { return s.loop.run(s.hypervisor.describe(original.name))->inactive; };
  const auto before = inactive();
  auto session = original;
  session.disks.clear();
  s.loop.run(s.hypervisor.start(session.id, session.xml()));
  CHECK(inactive() == before);
  const auto path = s.directory + "/session-" + session.name;
  write_whole(path, save_through_fifo(s, session));
  CHECK(inactive() == before);
  s.loop.run(s.hypervisor.restore(session.id, path, {}));
  CHECK(inactive() == before);
  s.loop.run(s.hypervisor.destroy(session.id));
  CHECK(inactive() == before);
  // Without a definition, a session leaves nothing behind.
  s.loop.run(s.hypervisor.restore(session.id, path, {}));
  s.loop.run(s.hypervisor.undefine(session.id));
  CHECK_FALSE(s.loop.run(s.hypervisor.find(session.id))->persistent);
  s.loop.run(s.hypervisor.destroy(session.id));
  CHECK_FALSE(state(s, session.id));
}

void files_are_lent_for_one_start(Subject s) {
  auto guest = new_guest(s);
  const auto file = s.directory + "/" + guest.name + ".raw";
  write_whole(file, boot_disk('A'));
  TinyDisk disk;
  disk.path = "/nowhere/disk";
  disk.group = "base";
  disk.format = "raw";
  guest.disks = disk.xml();
  s.loop.run(s.hypervisor.define(guest.xml()));
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.start(guest.id, guest.xml())), Fault);
  s.loop.run(s.hypervisor.lend(guest.id, lent_file("base", file)));
  s.loop.run(s.hypervisor.start(guest.id, guest.xml()));
  CHECK(state(s, guest.id) == GuestState::running);
  const auto path = s.directory + "/lent-" + guest.name;
  write_whole(path, save_through_fifo(s, guest));
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.restore(guest.id, path, {})), Fault);
  s.loop.run(s.hypervisor.lend(guest.id, lent_file("base", file)));
  s.loop.run(s.hypervisor.restore(guest.id, path, {}));
  CHECK(state(s, guest.id) == GuestState::paused);
  remove(s, guest);
}

void overlays_go_on_and_off(Subject s) {
  auto guest = new_guest(s);
  TinyDisk disk;
  disk.path = s.directory + "/" + guest.name + ".raw";
  disk.format = "raw";
  write_whole(disk.path, boot_disk('A'));
  guest.disks = disk.xml();
  define_and_start(s, guest);
  std::vector<Hypervisor::Overlay> overlays{{"vda", disk.path + ".overlay"}};
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.overlay_disks(guest.id, overlays)), Fault);
  REQUIRE(std::system(("qemu-img create -q -f qcow2 " + overlays[0].path + " 2M").c_str()) == 0);
  s.loop.run(s.hypervisor.overlay_disks(guest.id, overlays));
  CHECK(state(s, guest.id) == GuestState::running);
  s.loop.run(s.hypervisor.merge_overlays(guest.id, {"vda"}));
  CHECK(state(s, guest.id) == GuestState::running);
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.merge_overlays(guest.id, {"vda"})), Fault);
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.merge_overlays(guest.id, {"vdz"})), Fault);
  remove(s, guest);
}

void a_snapshot_leaves_the_guest_running(Subject s) {
  auto guest = new_guest(s);
  const auto file = s.directory + "/" + guest.name + ".raw";
  write_whole(file, boot_disk('A'));
  TinyDisk disk;
  disk.path = "/nowhere/disk";
  disk.group = "base";
  disk.format = "raw";
  guest.disks = disk.xml();
  s.loop.run(s.hypervisor.define(guest.xml()));
  s.loop.run(s.hypervisor.lend(guest.id, lent_file("base", file)));
  s.loop.run(s.hypervisor.start(guest.id, guest.xml()));
  const auto overlay = [&](int number) {
    auto path = file + "." + std::to_string(number);
    REQUIRE(std::system(("qemu-img create -q -f qcow2 " + path + " 2M").c_str()) == 0);
    return std::vector<Hypervisor::Overlay>{{"vda", std::move(path)}};
  };
  const auto top = [&] { return s.loop.run(s.hypervisor.describe(guest.name))->live; };
  const auto path = s.directory + "/snapshot-" + guest.name;

  // One that is turned away changes nothing.
  const auto refused = overlay(0);
  {
    SaveReader reader(path);
    auto making = s.loop.begin(s.hypervisor.snapshot(guest.id, path, refused));
    REQUIRE(s.loop.until([&] { return reader.stream_ended(); }));
    reader.refuse();
    CHECK_THROWS_AS(s.loop.finish(std::move(making)), Fault);
    CHECK(state(s, guest.id) == GuestState::running);
    CHECK(top().find(refused.front().path) == std::string::npos);
  }
  std::string image;
  for (int number = 1; number <= 3; ++number) {
    const auto overlays = overlay(number);
    SaveReader reader(path);
    auto making = s.loop.begin(s.hypervisor.snapshot(guest.id, path, overlays));
    REQUIRE(s.loop.until([&] { return reader.stream_ended(); }));
    CHECK_FALSE(Loop::done(making));
    image = reader.complete();
    s.loop.finish(std::move(making));
    CHECK(state(s, guest.id) == GuestState::running);
    CHECK(top().find(overlays.front().path) != std::string::npos);
    const auto merged = s.loop.run(s.hypervisor.merge_snapshots(guest.id, "vda", s.directory, {}));
    CHECK(merged.size() == (number < 3 ? 0 : 1));
    for (const auto& each : merged) CHECK(each == file + ".2");
  }
  CHECK(image.substr(0, 16) == "LibvirtQemudSave");
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.snapshot(guest.id, path, {{"vdz", file}})), Fault);
  s.loop.run(s.hypervisor.pause(guest.id));
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.snapshot(guest.id, path, overlay(4))), Fault);
  remove(s, guest);
}

void a_shared_processor_runs_here(Subject s) {
  const auto own = s.loop.run(s.hypervisor.host_cpu(Accelerator::tcg));
  CHECK(own.find("<model") != std::string::npos);
  CHECK(own.find("host-") == std::string::npos);
  const auto obstacle = [&](const std::string& cpu) {
    return s.loop.run(s.hypervisor.cpu_obstacle(cpu, "q35", Accelerator::tcg));
  };
  CHECK_FALSE(obstacle(own));
  const auto alone = s.loop.run(s.hypervisor.shared_cpu({own}, Accelerator::tcg));
  CHECK_FALSE(obstacle(alone));
  // What another host lacks, the shared one has not either.
  auto poorer = own;
  const auto feature = poorer.find("<feature");
  REQUIRE(feature != std::string::npos);
  const auto name_at = poorer.find("name=", feature) + 6;
  const auto name = poorer.substr(name_at, poorer.find_first_of("\"'", name_at) - name_at);
  poorer.erase(feature, poorer.find("/>", feature) + 2 - feature);
  const auto shared = s.loop.run(s.hypervisor.shared_cpu({own, poorer}, Accelerator::tcg));
  INFO(shared << " without " << name);
  CHECK_FALSE(obstacle(shared));
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.shared_cpu({}, Accelerator::tcg)), Fault);
}

}  // namespace satchel::test
