#include "runtime/host_world.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <fstream>

namespace satchel::test {

namespace fs = std::filesystem;

bool TestLoop::until(const std::function<bool()>& condition, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

void TestLoop::settle() {
  while (io.poll_one() > 0) {
  }
}

Scratch::Scratch() {
  std::string pattern = (fs::temp_directory_path() / "satchel-runtime-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code left;
  fs::remove_all(path_, left);
}

void KeptLog::write(const LogLine& line) {
  const std::lock_guard lock(mutex_);
  lines_.push_back(line.text);
}

bool KeptLog::says(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

long KeptLog::times(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  return std::count_if(lines_.begin(), lines_.end(),
                       [&](const auto& line) { return line.find(text) != std::string::npos; });
}

std::string KeptLog::all() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& line : lines_) out += line + "\n";
  return out;
}

TestHost::TestHost(TestLoop& loop, fs::path home, std::string name, fs::path devices)
    : loop_(loop),
      home_((fs::create_directories(home / "run"), std::move(home))),
      devices_(std::move(devices)),
      key_(HostKey::load_or_create(home_ / "host.key")),
      shelf_(home_),
      hypervisor(loop.io.get_executor(), lanes_),
      volumes(devices_),
      name_(std::move(name)) {
  config.on_insert = OnInsert::ask;
  config.space.keep_free_host = ByteCount(0);
  config.space.keep_free_device = ByteCount(0);
  config.eject.power_off = PowerOff::no;
  config.compression.threads = 1;
}

void TestHost::start() {
  parts_ = std::make_unique<Parts>(
      Parts{loop_.io.get_executor(), lanes_, hypervisor, volumes, plugs, authority_, log_, key_,
            shelf_, config, name_, home_, home_ / "run", [] { return UnixMicros(1'000'000); }});
  parts_->pause_before_retry = pause_before_retry;
  if (!sync_worker.empty())
    parts_->sync_command = [this](const auto&, const auto&) { return sync_worker; };
  host_ = std::make_unique<Host>(*parts_, "0");
  ViewListener listener;
  listener.changed = [this] { watch(); };
  listener.job_ended = [this](const JobEnd& end) {
    for (const auto& known : ends)
      if (known.id == end.id) breaches.push_back("a job ended twice");
    for (const auto& running : host_->view().running_jobs)
      if (running.id == end.id) breaches.push_back("a job that has ended is still shown");
    ends.push_back(end);
  };
  host_->listen(std::move(listener));
  if (!await(host_->has_to_wait())) return await(host_->start());
  auto wait_and_start = [](Host& host) -> Task<void> {
    auto waiting = host.wait_for_libvirt();
    co_await std::move(waiting);
    auto starting = host.start();
    co_await std::move(starting);
  };
  boost::asio::co_spawn(loop_.io, wait_and_start(*host_), boost::asio::detached);
}

void TestHost::stop() {
  if (!host_) return;
  await(host_->settle());
  wait_for_jobs();
  loop_.settle();
  hypervisor.listen({});
  hypervisor.listen_connection({});
  volumes.listen({});
  plugs.stop();
  host_->listen({});
  // Kept to the end: its last coroutines may still look at it.
  former_.emplace_back(std::move(parts_), std::move(host_));
  ends.clear();
  progress_.clear();
}

void TestHost::watch() {
  const auto& view = host_->view();
  for (const auto& job : view.running_jobs) {
    auto& before = progress_[job.id];
    if (job.progress < before) breaches.push_back("the progress of a job fell");
    before = job.progress;
    for (const auto& device : view.devices)
      if (device.number == job.device && device.can_unplug)
        breaches.push_back(device.node + " is said to be free during " + job.operation);
    for (const auto& capsule : view.capsules)
      if (capsule.device && capsule.device == job.device && capsule.can_unplug)
        breaches.push_back(capsule.name + " is said to be free during " + job.operation);
  }
}

DomainId TestHost::machine(const std::string& name, int disks) {
  const DomainId id(Uuid::random());
  std::string devices;
  for (int i = 0; i < disks; ++i) {
    const std::string target = std::string("vd") + static_cast<char>('a' + i);
    const auto disk = home_ / (name + (i == 0 ? "" : "-" + target) + ".raw");
    std::ofstream(disk, std::ios::binary) << std::string(1 << 20, 'd');
    devices += "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" +
               disk.string() + "'/><backingStore/><target dev='" + target +
               "' bus='virtio'/><address type='pci' domain='0x0000' bus='0x00' slot='0x0" +
               std::to_string(4 + i) + "' function='0x0'/></disk>";
  }
  await(hypervisor.define("<domain type='qemu'><name>" + name + "</name><uuid>" + id.value.str() +
                          "</uuid><memory unit='KiB'>65536</memory><vcpu>1</vcpu>"
                          "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
                          "<devices>" +
                          devices + "</devices></domain>"));
  return id;
}

void TestHost::run_machine(DomainId id) {
  const auto found = await(hypervisor.describe(id.value.str()));
  await(hypervisor.start(id, found->inactive));
  loop_.settle();
}

void TestHost::plug_only(const std::string& node, const std::string& fs_uuid) {
  Volume volume;
  volume.node = node;
  volume.label = "SATCHEL";
  volume.fs_type = fs_type;
  volume.fs_uuid = fs_uuid;
  volume.removable = true;
  volume.drive = drive;
  volume.system = internal;
  if (!mounted_on.empty()) volume.mount_points.push_back(mounted_on);
  volumes.add(volume);
  Plug plug;
  plug.node = node;
  plug.label = "SATCHEL";
  plug.fs_type = fs_type;
  plug.fs_uuid = fs_uuid;
  plug.sysfs = sysfs_of(node);
  plugs.plug(plug);
}

std::filesystem::path TestHost::sysfs_of(const std::string& node) const {
  return home_ / "sys" / std::filesystem::path(node).filename();
}

void TestHost::kernel_counts(std::uint64_t completed, std::uint64_t in_flight,
                             const std::string& node) {
  std::filesystem::create_directories(sysfs_of(node));
  std::ofstream(sysfs_of(node) / "stat") << completed << " 0 0 0 0 0 0 0 " << in_flight << " 0 0\n";
}

void TestHost::plug(const std::string& node, const std::string& fs_uuid) {
  plug_only(node, fs_uuid);
  await_plugged(node);
  if (host_) wait_for_jobs();
}

void TestHost::await_plugged(const std::string& node) {
  if (!host_) return;
  REQUIRE(until([&] {
    const auto& devices = host_->view().devices;
    return std::any_of(devices.begin(), devices.end(), [&](const auto& each) {
      return each.node == node && !each.mount_point.empty();
    });
  }));
}

void TestHost::pull(const std::string& node) {
  volumes.pull(node);
  plugs.unplug(node);
}

JobEnd TestHost::end_of(JobId job) {
  const auto found = [&] {
    return std::find_if(ends.begin(), ends.end(), [&](const auto& end) { return end.id == job; });
  };
  const bool ended = loop_.until([&] { return found() != ends.end(); });
  if (!ended) FAIL("a job of " + name_ + " did not end:\n" + log_.all());
  auto end = *found();
  loop_.settle();
  return end;
}

std::string TestHost::result(const std::function<JobId()>& begin) {
  const auto end = end_of(begin());
  return end.result == "done" ? end.result : end.result + ": " + end.message;
}

CapsuleId TestHost::pack(const std::string& name) {
  const auto before = host_->view().capsules;
  PackRequest request;
  request.domain = name;
  request.device = device();
  const auto packed = result([&] { return host_->pack(request); });
  INFO(log_.all());
  REQUIRE(packed == "done");
  for (const auto& each : host_->view().capsules)
    if (std::none_of(before.begin(), before.end(),
                     [&](const auto& old) { return old.id == each.id; }))
      return each.id;
  FAIL("the pack made no capsule");
  return {};
}

bool TestHost::reaches(CapsuleId id, const std::string& wanted) {
  if (until([&] { return state(id) == wanted; })) return true;
  UNSCOPED_INFO("it is " + state(id) + ":\n" + log_.all());
  return false;
}

void TestHost::wait_for_jobs() {
  const bool ended = until([&] {
    loop_.settle();
    return host_->view().running_jobs.empty();
  });
  INFO(log_.all());
  REQUIRE(ended);
}

std::optional<CapsuleView> TestHost::capsule(CapsuleId id) const {
  for (const auto& each : host_->view().capsules)
    if (each.id == id) return each;
  return std::nullopt;
}

std::string TestHost::state(CapsuleId id) const {
  const auto found = capsule(id);
  return found ? found->state : "absent";
}

std::string TestHost::detail(CapsuleId id) const {
  const auto found = capsule(id);
  return found ? found->detail : "";
}

std::optional<DomainEntry> TestHost::guest(DomainId id) { return await(hypervisor.find(id)); }

fs::path TestHost::session_directory(CapsuleId id) const { return shelf_.directory(id); }

bool TestHost::has_session(CapsuleId id) const { return fs::exists(session_directory(id)); }

HostWorld::HostWorld()
    : anvil(loop, scratch.path() / "anvil", "anvil", scratch.path()),
      bellows(loop, scratch.path() / "bellows", "bellows", scratch.path()) {}

HostWorld::~HostWorld() {
  // Nothing runs the loop after this.
  for (auto* host : {&anvil, &bellows}) {
    try {
      host->stop();
    } catch (...) {
      WARN("a host could not be stopped:\n" + host->log.all());
    }
  }
}

fs::path HostWorld::device(const std::string& node) const { return anvil.volumes.content(node); }

fs::path HostWorld::on_device(CapsuleId capsule) const {
  return device() / "satchel" / capsule.value.str();
}

format::Examination HostWorld::examine(CapsuleId capsule) const {
  const UniqueFd root(::open(device().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return format::CapsuleDirectory::open(root.get(), capsule).examine();
}

format::Head HostWorld::head(CapsuleId capsule) const {
  auto seen = examine(capsule);
  REQUIRE(seen.newest);
  CHECK(seen.problems.empty());
  return seen.newest->head;
}

}  // namespace satchel::test
