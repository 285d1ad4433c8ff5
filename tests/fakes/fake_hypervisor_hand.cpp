// What a test does to the fake hypervisor from outside, and what it may see of it.
#include "fakes/fake_hypervisor.hpp"

namespace satchel::test {

using What = GuestEvent::What;

void FakeHypervisor::tick(DomainId id) {
  auto& machine = known(id, "tick");
  if (machine.state == GuestState::running) ++machine.counter;
}

void FakeHypervisor::guest_shuts_down(DomainId id) {
  active(id, "shut down");
  deactivate(id);
  tell(id, What::stopped_by_guest, "shut down");
}

void FakeHypervisor::somebody_saves(DomainId id) {
  auto& machine = active(id, "save");
  machine.kept.emplace(Machine::Kept{live_xml(machine), machine.overlays, machine.counter});
  deactivate(id);
  tell(id, What::stopped_by_host, "saved");
}

void FakeHypervisor::somebody_starts(DomainId id, const std::vector<Overlay>& on) {
  auto& machine = known(id, "start");
  machine.live = machine.inactive;
  machine.state = GuestState::running;
  machine.counter = 0;
  for (const auto& overlay : on) machine.overlays[overlay.target].push_back(overlay.path);
  tell(id, What::started, "booted");
}

void FakeHypervisor::guest_crashes(DomainId id) {
  active(id, "crash");
  deactivate(id);
  tell(id, What::crashed, "its emulator ended");
}

void FakeHypervisor::disk_fails(DomainId id, std::string reason) {
  active(id, "stop").state = GuestState::paused_by_io_error;
  tell(id, What::paused_by_io_error, std::move(reason));
}

void FakeHypervisor::lose_connection() {
  connected_ = false;
  // libvirt takes back what a connection lent.
  for (auto& [id, machine] : machines_) machine.lent.clear();
  // Whoever waits for a block job learns nothing of it any more; the job itself goes on.
  for (auto& [id, machine] : machines_)
    if (machine.block_job) machine.block_job->change.cancel();
  boost::asio::post(loop_, [this] {
    if (on_change_) on_change_(false);
  });
}

void FakeHypervisor::regain_connection() {
  connected_ = true;
  boost::asio::post(loop_, [this] {
    if (on_change_) on_change_(true);
  });
}

std::uint64_t FakeHypervisor::counter(DomainId id) const { return machines_.at(id).counter; }

std::set<std::string> FakeHypervisor::lent(DomainId id) const {
  std::set<std::string> groups;
  for (const auto& [group, files] : machines_.at(id).lent) groups.insert(group);
  return groups;
}

std::vector<std::string> FakeHypervisor::overlays(DomainId id, const std::string& target) const {
  const auto& all = machines_.at(id).overlays;
  const auto found = all.find(target);
  return found == all.end() ? std::vector<std::string>() : found->second;
}

void FakeHypervisor::fail(Call call, int nth, Remedy remedy) {
  failures_[call][counts_[call] + nth] = remedy;
}

int FakeHypervisor::count(Call call) const {
  const auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

void FakeHypervisor::leave_save(DomainId id, const std::vector<Overlay>& on) {
  auto& machine = known(id, "leave in a save");
  for (const auto& overlay : on) machine.overlays[overlay.target].push_back(overlay.path);
  machine.live = machine.inactive;
  machine.state = GuestState::paused;
  machine.left_in_save = true;
}

void FakeHypervisor::stop_unnoticed(DomainId id) {
  auto& machine = known(id, "stop");
  machine.state = GuestState::paused;
  machine.seems_to_run = true;
}

void FakeHypervisor::finish_left_save(DomainId id, const char* doing) {
  auto& machine = known(id, doing);
  if (!std::exchange(machine.left_in_save, false)) return;
  const auto name = machine.name;
  deactivate(id);
  tell(id, What::stopped_by_host, "saved");
  throw Fault(Remedy::fix_request, Fault::Text{doing, name, "domain is not running", {}});
}

}  // namespace satchel::test
