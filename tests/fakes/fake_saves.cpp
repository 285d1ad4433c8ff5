// The fake's saves and snapshots, and the overlays over its guests' disks.
#include <unistd.h>

#include "fake_save_image.hpp"
#include "fakes/fake_hypervisor.hpp"
#include "ports/saved_already.hpp"

namespace satchel::test {

namespace {

using What = GuestEvent::What;

constexpr auto saving = "save";

Fault refusal(const char* doing, const std::string& object, std::string why) {
  return Fault(Remedy::fix_request, Fault::Text{doing, object, std::move(why), {}});
}

}  // namespace

Task<bool> FakeHypervisor::give_memory(DomainId id, std::string path, const char* doing) {
  auto& machine = active(id, doing);
  if (machine.aborted || machine.block_job)
    throw refusal(doing, machine.name, "another job is active");
  const auto aborted = std::make_shared<std::atomic<bool>>(false);
  machine.aborted = aborted;
  const bool ran = machine.state == GuestState::running;
  FakeSaveImage image{live_xml(machine), machine.counter, ran, stream_bytes};
  if (ran && doing == saving) {
    machine.state = GuestState::paused;
    tell(id, What::paused, "paused for a save");
  }
  const auto after = std::exchange(after_stream_, AfterStream::finish);
  const FakeSaveHooks hooks{within_stream, at_streams_end, at_header};
  auto writing =
      offload(lanes_.slow, [path, image = std::move(image), after, aborted, hooks = hooks] {
        write_fake_save(path, image, after, *aborted, hooks);
      });
  std::exception_ptr failed;
  try {
    co_await std::move(writing);
  } catch (const Fault&) {
    failed = std::current_exception();
  }
  // It may have been destroyed, and even started again, meanwhile.
  const auto there = machines_.find(id);
  const bool same =
      there != machines_.end() && there->second.aborted == aborted && !there->second.live.empty();
  if (there != machines_.end() && there->second.aborted == aborted) there->second.aborted.reset();
  if (!same) throw refusal(doing, "machine " + id.value.str(), "domain is not running");
  if (!failed) co_return ran;
  if (disks_lost_) {
    there->second.state = GuestState::paused;
    there->second.is_stuck = true;
  } else if (ran && doing == saving) {
    there->second.state = GuestState::running;
    tell(id, What::resumed);
  }
  std::rethrow_exception(failed);
}

Task<void> FakeHypervisor::save(DomainId id, std::string path) {
  try {
    enter(Call::save, id.value.str());
  } catch (const Fault& planned) {
    // That there is a choice to be made is what a failure is planned with that means this.
    if (planned.remedy() == Remedy::choose) throw SavedAlready(planned);
    throw;
  }
  if (active(id, saving).is_stuck)
    throw SavedAlready(refusal(saving, id.value.str(), "it was paused due to previous migration"));
  auto giving = give_memory(id, std::move(path), saving);
  co_await std::move(giving);
  deactivate(id);
  tell(id, What::stopped_by_host, "saved");
}

Task<void> FakeHypervisor::snapshot(DomainId id, std::string path, std::vector<Overlay> overlays) {
  constexpr auto doing = "make a snapshot of";
  enter(Call::snapshot, id.value.str());
  const auto& machine = active(id, doing);
  if (machine.state != GuestState::running) throw refusal(doing, machine.name, "it does not run");
  require_disks(machine, overlays, doing);
  auto giving = give_memory(id, std::move(path), doing);
  co_await std::move(giving);
  enter(Call::overlay, id.value.str());
  for (const auto& overlay : overlays)
    machines_.at(id).overlays[overlay.target].push_back(overlay.path);
}

void FakeHypervisor::require_disks(const Machine& machine, const std::vector<Overlay>& overlays,
                                   const char* doing) {
  for (const auto& overlay : overlays) {
    const auto named =
        machine.live.find("<target dev='" + overlay.target + "'") != std::string::npos ||
        machine.live.find("<target dev=\"" + overlay.target + "\"") != std::string::npos;
    if (!named || ::access(overlay.path.c_str(), F_OK) != 0)
      throw refusal(doing, machine.name,
                    "there is no disk " + overlay.target + " or no file " + overlay.path);
  }
}

Task<void> FakeHypervisor::overlay_disks(DomainId id, std::vector<Overlay> overlays) {
  enter(Call::overlay, id.value.str());
  constexpr auto doing = "put overlays over the disks of";
  auto& machine = active(id, doing);
  require_disks(machine, overlays, doing);
  for (const auto& overlay : overlays) machine.overlays[overlay.target].push_back(overlay.path);
  co_return;
}

Task<void> FakeHypervisor::merge_overlays(DomainId id, std::vector<std::string> targets) {
  enter(Call::merge, id.value.str());
  auto& machine = active(id, "merge the overlay of");
  for (const auto& target : targets) {
    auto& stack = machine.overlays[target];
    if (stack.empty())
      throw refusal("merge the overlay of", machine.name, "disk " + target + " has no overlay");
    stack.pop_back();
  }
  co_return;
}

Task<std::vector<std::string>> FakeHypervisor::merge_snapshots(DomainId id, std::string target,
                                                               std::string, std::stop_token) {
  enter(Call::merge_snapshots, id.value.str());
  auto& stack = active(id, "merge the snapshots of").overlays[target];
  std::vector<std::string> merged;
  while (stack.size() > 2) {
    merged.push_back(stack[stack.size() - 2]);
    stack.erase(stack.end() - 2);
  }
  co_return merged;
}

}  // namespace satchel::test
