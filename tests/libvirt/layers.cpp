#include "layers.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <pugixml.hpp>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "save_reader.hpp"

namespace satchel::test {

namespace {

const std::vector<std::string> names{"overlay", "layer-3", "layer-2", "cow", "image"};

std::string shell(const std::string& command) {
  ProcessRun run;
  run.arguments = {"sh", "-c", command};
  const auto end = run_process(run);
  INFO(command << ": " << end.errors);
  REQUIRE(end.exit_status == 0);
  return end.output;
}

std::string chain_xml() {
  std::string before;
  std::string after;
  for (const auto& name : names) {
    if (name != names.front()) {
      before += "<backingStore type='file'><format type='qcow2'/>";
      after += "</backingStore>";
    }
    before += "<source file='/nowhere/" + name + "' fdgroup='" + name + "'/>";
  }
  return "<disk type='file' device='disk'><driver name='qemu' type='qcow2' error_policy='stop' "
         "discard='unmap'/>" +
         before + "<backingStore/>" + after + "<target dev='vda' bus='virtio'/></disk>";
}

}  // namespace

LayeredGuest::LayeredGuest(Subject subject)
    : subject_(subject), directory_(subject.directory + "/" + guest_.id.value.str().substr(0, 8)) {
  guest_.name = "layered-" + guest_.id.value.str().substr(0, 8);
  guest_.type = subject.domain_type;
  guest_.disks = chain_xml();
  std::filesystem::create_directory(directory_);
  write_whole(directory_ + "/raw", boot_disk('L'));
  shell("cd " + directory_ +
        " && truncate -s 16M raw && qemu-img convert -f raw -O qcow2 raw image.qcow2");
  make("cow", "image", "-c 'write -q -P 1 4M 1M'");
  make("layer-2", "cow", "-c 'write -q -P 2 5M 1M' -c 'write -q -z 4M 128k'");
  make("layer-3", "layer-2", "-c 'write -q -P 3 8M 2M' -c 'discard -q 5M 128k'");
  make("overlay", "layer-3", "");
}

LayeredGuest::~LayeredGuest() {
  try {
    const auto now = subject_.loop.run(subject_.hypervisor.find(guest_.id));
    if (now && now->state != GuestState::shut_off)
      subject_.loop.run(subject_.hypervisor.destroy(guest_.id));
    subject_.loop.run(subject_.hypervisor.undefine(guest_.id));
  } catch (const std::exception& failure) {
    WARN(failure.what());
  }
}

void LayeredGuest::make(const std::string& name, const std::string& below,
                        const std::string& commands) {
  shell("cd " + directory_ + " && qemu-img create -q -f qcow2 -b " + below + ".qcow2 -F qcow2 " +
        name + ".qcow2 16M");
  if (!commands.empty())
    shell("cd " + directory_ + " && qemu-io -f qcow2 -d unmap " + commands + " " + name + ".qcow2");
}

void LayeredGuest::lend() {
  std::vector<LentFiles> files;
  for (const auto& name : names) {
    LentFiles lent{name, {}};
    const bool written = name == "cow" || name == "image";
    if (name != "overlay")
      lent.descriptors.emplace_back(::open(file(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (written || name == "overlay")
      lent.descriptors.emplace_back(::open(file(name).c_str(), O_RDWR | O_CLOEXEC));
    files.push_back(std::move(lent));
  }
  subject_.loop.run(subject_.hypervisor.lend(guest_.id, std::move(files)));
}

void LayeredGuest::start() {
  subject_.loop.run(subject_.hypervisor.define(guest_.xml()));
  lend();
  subject_.loop.run(subject_.hypervisor.start(guest_.id, guest_.xml()));
}

LayerCommit LayeredGuest::commit(const std::string& base, const std::string& top) const {
  return {"vda", "/nowhere/" + base, "/nowhere/" + top, 0};
}

Task<void> LayeredGuest::merging(LayerCommit commit, std::stop_token stop) {
  return subject_.hypervisor.commit_layers(
      guest_.id, std::move(commit), [this](const Progress&) { ++looks_; }, std::move(stop));
}

std::string LayeredGuest::chain() const {
  const auto described = subject_.loop.run(subject_.hypervisor.describe(guest_.name));
  REQUIRE(described);
  pugi::xml_document domain;
  domain.load_string(described->live.c_str());
  std::string out;
  for (auto level = domain.child("domain").child("devices").child("disk"); level.child("source");
       level = level.child("backingStore"))
    out += (out.empty() ? "" : " ") +
           std::string(level.child("source").attribute("file").value()).substr(9);
  return out;
}

std::string LayeredGuest::content(const std::string& name) const {
  return shell(
      "qemu-img convert -U -O raw \"json:{'driver':'qcow2','file':{'driver':'file',"
      "'filename':'" +
      file(name) + "'}}\" " + directory_ + "/content && b2sum < " + directory_ + "/content");
}

void layers_are_merged_below_the_topmost_file(Subject s) {
  LayeredGuest layered(s);
  layered.start();
  const auto id = layered.guest().id;
  CHECK(layered.chain() == "overlay layer-3 layer-2 cow image");
  for (const auto& [base, top] : {std::pair("cow", "overlay"), std::pair("layer-3", "cow"),
                                  std::pair("cow", "nothing"), std::pair("nothing", "cow")})
    CHECK_THROWS_AS(s.loop.run(layered.merging(layered.commit(base, top))), Fault);
  CHECK(layered.chain() == "overlay layer-3 layer-2 cow image");

  s.loop.run(layered.merging(layered.commit("cow", "layer-3")));
  CHECK(layered.chain() == "overlay cow image");
  CHECK(s.loop.run(s.hypervisor.find(id))->state == GuestState::running);

  // A paused guest's too, at any rate, and all of it at once.
  LayeredGuest paused(s);
  paused.start();
  s.loop.run(s.hypervisor.pause(paused.guest().id));
  auto fold = paused.commit("image", "layer-3");
  fold.bytes_per_second = 64 << 20;
  s.loop.run(paused.merging(fold));
  CHECK(paused.chain() == "overlay image");
  CHECK(s.loop.run(s.hypervisor.find(paused.guest().id))->state == GuestState::paused);
}

namespace {

/// So slow that it is never at its end before the test is.
LayerCommit slow_merge(const LayeredGuest& layered) {
  auto commit = layered.commit("cow", "layer-3");
  commit.bytes_per_second = 64 << 10;
  return commit;
}

void can_be_saved(const Subject& s, const LayeredGuest& layered) {
  const auto path = s.directory + "/" + layered.guest().name + ".save";
  SaveReader reader(path);
  auto saving = s.loop.begin(s.hypervisor.save(layered.guest().id, path));
  REQUIRE(s.loop.until([&] { return reader.stream_ended() || Loop::done(saving); }));
  reader.complete();
  s.loop.finish(std::move(saving));
}

void ends_as_stopped(const Subject& s, std::future<void> merging) {
  try {
    s.loop.finish(std::move(merging));
    FAIL("it was not stopped");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(fault.text().why == "it was stopped");
  }
}

}  // namespace

void a_merge_is_stopped_and_its_chain_stays(Subject s) {
  LayeredGuest layered(s);
  layered.start();
  std::stop_source stop;
  auto merging = s.loop.begin(layered.merging(slow_merge(layered), stop.get_token()));
  REQUIRE(s.loop.until([&] { return layered.looks() > 0; }));
  // Nothing else that concerns the disks begins meanwhile.
  CHECK_THROWS_AS(s.loop.run(s.hypervisor.save(layered.guest().id, s.directory + "/no")), Fault);
  stop.request_stop();
  ends_as_stopped(s, std::move(merging));
  CHECK(layered.chain() == "overlay layer-3 layer-2 cow image");
  can_be_saved(s, layered);
}

void what_an_earlier_merge_left_at_work_is_ended(Subject s) {
  LayeredGuest layered(s);
  s.loop.run(s.hypervisor.abort_block_jobs(layered.guest().id));
  layered.start();
  s.loop.run(s.hypervisor.abort_block_jobs(layered.guest().id));
  auto merging = s.loop.begin(layered.merging(slow_merge(layered)));
  REQUIRE(s.loop.until([&] { return layered.looks() > 0; }));
  s.loop.run(s.hypervisor.abort_block_jobs(layered.guest().id));
  can_be_saved(s, layered);
  ends_as_stopped(s, std::move(merging));
}

}  // namespace satchel::test
