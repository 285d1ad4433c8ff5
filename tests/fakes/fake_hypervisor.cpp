#include "fake_hypervisor.hpp"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <csignal>

#include "fake_save_image.hpp"

namespace satchel::test {

namespace {

using What = GuestEvent::What;

Fault refusal(const char* doing, const std::string& object, std::string why) {
  return Fault(Remedy::fix_request, Fault::Text{doing, object, std::move(why), {}});
}

/// The text between two marks from a position on; empty when there is none.
std::string between(const std::string& text, const std::string& from, const std::string& to,
                    std::size_t at = 0) {
  auto begin = text.find(from, at);
  if (begin == std::string::npos) return {};
  begin += from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

std::set<std::string> groups_in(const std::string& xml) {
  std::set<std::string> groups;
  for (const std::string quote : {"'", "\""})
    for (auto at = xml.find("fdgroup=" + quote); at != std::string::npos;
         at = xml.find("fdgroup=" + quote, at + 1))
      groups.insert(between(xml, "fdgroup=" + quote, quote, at));
  return groups;
}

}  // namespace

FakeHypervisor::FakeHypervisor(boost::asio::any_io_executor loop, Lanes& lanes)
    : loop_(std::move(loop)), lanes_(lanes) {
  std::signal(SIGPIPE, SIG_IGN);
  abilities.uri = "fake:///";
  abilities.architecture = "x86_64";
  abilities.emulator = "/usr/bin/qemu-system-x86_64";
  abilities.host_cpu = "Fake";
  abilities.machine_types = {"pc", "pc-i440fx-7.2", "q35", "pc-q35-7.2"};
  abilities.free_memory = mebibytes(8192);
  abilities.libvirt_version = 9000000;
  abilities.emulator_version = 7002000;
}

void FakeHypervisor::enter(Call call, const std::string& object) {
  const int number = ++counts_[call];
  if (before) before(call);
  if (!connected_)
    throw Fault(Remedy::retry, Fault::Text{"reach", "the hypervisor", "connection lost", {}});
  if (const auto planned = failures_[call].find(number); planned != failures_[call].end())
    throw Fault(planned->second, Fault::Text{"do as asked with", object, "a planned failure", {}});
}

FakeHypervisor::Machine& FakeHypervisor::known(DomainId id, const char* doing) {
  const auto found = machines_.find(id);
  if (found == machines_.end())
    throw refusal(doing, "machine " + id.value.str(), "there is no such machine");
  return found->second;
}

FakeHypervisor::Machine& FakeHypervisor::active(DomainId id, const char* doing) {
  auto& machine = known(id, doing);
  if (machine.live.empty()) throw refusal(doing, machine.name, "domain is not running");
  return machine;
}

void FakeHypervisor::tell(DomainId id, What what, std::string detail) {
  GuestEvent event{id, what, std::move(detail)};
  boost::asio::post(loop_, [this, event = std::move(event)] {
    if (connected_ && on_event_) on_event_(event);
  });
}

DomainEntry FakeHypervisor::entry(DomainId id, const Machine& machine) const {
  return {id, machine.name, machine.state, !machine.inactive.empty(), machine.kept.has_value()};
}

/// The live description, with each disk's top overlay as its source.
std::string FakeHypervisor::live_xml(const Machine& machine) const {
  auto xml = machine.live;
  for (const auto& [target, stack] : machine.overlays) {
    // As tests write it, and as lib/machine does: there the source stands behind.
    for (const char quote : {'\'', '"'}) {
      const auto disk = xml.find(std::string("<target dev=") + quote + target + quote);
      if (stack.empty() || disk == std::string::npos) continue;
      const auto begin = xml.rfind("<disk", disk);
      const auto mark = xml.find(std::string("<source file=") + quote, begin);
      if (mark == std::string::npos) continue;
      const auto path = mark + std::string_view("<source file='").size();
      xml.replace(path, xml.find(quote, path) - path, stack.back());
    }
  }
  return xml;
}

/// Makes the machine live, with its lent files used up whether that comes about or not.
void FakeHypervisor::activate(DomainId id, const std::string& xml, const char* doing) {
  const auto name = between(xml, "<name>", "</name>");
  if (const auto there = machines_.find(id);
      there != machines_.end() && !there->second.live.empty())
    throw refusal(doing, name, "domain '" + name + "' is already active");
  std::set<std::string> given;
  if (const auto there = machines_.find(id); there != machines_.end()) {
    given = lent(id);
    there->second.lent.clear();
  }
  for (const auto& group : groups_in(xml))
    if (!given.contains(group))
      throw refusal(doing, name,
                    "file descriptor group '" + group + "' was not associated with the domain");
  auto& machine = machines_[id];
  machine.name = name;
  machine.live = xml;
}

void FakeHypervisor::deactivate(DomainId id) {
  auto& machine = machines_.at(id);
  if (machine.aborted) *machine.aborted = true;
  if (machine.block_job) std::exchange(machine.block_job, nullptr)->abort();
  machine.live.clear();
  machine.state = GuestState::shut_off;
  machine.is_stuck = false;
  machine.overlays.clear();
  if (machine.inactive.empty()) machines_.erase(id);
}

void FakeHypervisor::listen(std::function<void(GuestEvent)> on_event) {
  on_event_ = std::move(on_event);
}

void FakeHypervisor::listen_connection(std::function<void(bool)> on_change) {
  on_change_ = std::move(on_change);
}

Task<std::vector<DomainEntry>> FakeHypervisor::domains() {
  enter(Call::list, "machines");
  std::vector<DomainEntry> entries;
  for (const auto& [id, machine] : machines_) entries.push_back(entry(id, machine));
  co_return entries;
}

Task<std::optional<DomainEntry>> FakeHypervisor::find(DomainId id) {
  enter(Call::find, id.value.str());
  std::optional<DomainEntry> found;
  if (const auto there = machines_.find(id); there != machines_.end())
    found = entry(id, there->second);
  if (found && machines_.at(id).seems_to_run) found->state = GuestState::running;
  co_return found;
}

Task<std::optional<DomainXml>> FakeHypervisor::describe(std::string name_or_id) {
  enter(Call::describe, name_or_id);
  std::optional<DomainXml> found;
  const auto uuid = Uuid::parse(name_or_id);
  for (const auto& [id, machine] : machines_)
    if ((uuid && id.value == *uuid) || (!found && machine.name == name_or_id))
      found = DomainXml{entry(id, machine), live_xml(machine), machine.inactive};
  co_return found;
}

Task<HostAbility> FakeHypervisor::ability(Accelerator) {
  enter(Call::ability, "host");
  co_return abilities;
}

Task<bool> FakeHypervisor::works(Accelerator accelerator) {
  enter(Call::works, "host");
  co_return usable.contains(accelerator);
}

Task<std::optional<std::string>> FakeHypervisor::cpu_obstacle(std::string, std::string,
                                                              Accelerator) {
  enter(Call::cpu_obstacle, "host");
  co_return cpu_is_short_of;
}

Task<void> FakeHypervisor::define(std::string xml) {
  enter(Call::define, "machine");
  const auto name = between(xml, "<name>", "</name>");
  const auto uuid = Uuid::parse(between(xml, "<uuid>", "</uuid>"));
  if (!uuid || name.empty()) throw refusal("define", "a machine", "it has no name or no uuid");
  for (const auto& [id, machine] : machines_)
    if ((machine.name == name) != (id.value == *uuid))
      throw refusal("define", name, "the name or the uuid is another machine's");
  auto& machine = machines_[DomainId(*uuid)];
  machine.name = name;
  machine.inactive = xml;
  co_return;
}

Task<void> FakeHypervisor::undefine(DomainId id) {
  enter(Call::undefine, id.value.str());
  if (const auto there = machines_.find(id); there != machines_.end()) {
    there->second.inactive.clear();
    if (there->second.live.empty()) machines_.erase(there);
  }
  co_return;
}

Task<void> FakeHypervisor::lend(DomainId id, std::vector<LentFiles> files) {
  enter(Call::lend, id.value.str());
  auto& machine = known(id, "lend files to");
  for (auto& file : files) {
    if (file.descriptors.empty())
      machine.lent.erase(file.group);
    else
      machine.lent[file.group] = std::move(file.descriptors);
  }
  co_return;
}

Task<void> FakeHypervisor::start(DomainId id, std::string xml) {
  enter(Call::start, id.value.str());
  activate(id, xml, "start");
  auto& machine = machines_.at(id);
  machine.state = GuestState::running;
  machine.counter = 0;
  tell(id, What::resumed);
  tell(id, What::started);
  co_return;
}

Task<std::string> FakeHypervisor::saved_description(DomainId id) {
  enter(Call::saved_description, id.value.str());
  const auto& kept = known(id, "ask about").kept;
  co_return kept ? kept->xml : std::string();
}

Task<void> FakeHypervisor::restore_saved(DomainId id, std::string xml) {
  enter(Call::restore_saved, id.value.str());
  const auto kept = known(id, "restore").kept;
  if (!kept) throw refusal("restore", id.value.str(), "nothing is kept of its memory");
  activate(id, xml, "restore");
  auto& machine = machines_.at(id);
  machine.kept.reset();
  machine.overlays = kept->overlays;
  machine.state = GuestState::paused;
  machine.counter = kept->counter;
  tell(id, What::started);
  co_return;
}

Task<void> FakeHypervisor::drop_saved(DomainId id) {
  enter(Call::drop_saved, id.value.str());
  if (const auto there = machines_.find(id); there != machines_.end()) there->second.kept.reset();
  co_return;
}

Task<void> FakeHypervisor::restore(DomainId id, std::string path, std::string xml) {
  enter(Call::restore, id.value.str());
  auto reading = offload(lanes_.slow, [path] { return read_fake_save(path); });
  auto image = co_await std::move(reading);
  if (!xml.empty()) image.xml = std::move(xml);
  if (between(image.xml, "<uuid>", "</uuid>") != id.value.str())
    throw refusal("restore", "machine " + id.value.str(), "the image is another machine's");
  activate(id, image.xml, "restore");
  auto& machine = machines_.at(id);
  machine.state = GuestState::paused;
  machine.counter = image.counter;
  tell(id, What::started);
  tell(id, What::paused, "restored paused");
}

Task<void> FakeHypervisor::resume(DomainId id) {
  enter(Call::resume, id.value.str());
  finish_left_save(id, "resume");
  auto& machine = active(id, "resume");
  machine.seems_to_run = false;
  if (machine.state == GuestState::running)
    throw refusal("resume", machine.name, "domain is already running");
  machine.state = GuestState::running;
  tell(id, What::resumed);
  co_return;
}

Task<void> FakeHypervisor::pause(DomainId id) {
  enter(Call::pause, id.value.str());
  finish_left_save(id, "pause");
  auto& machine = active(id, "pause");
  if (machine.state == GuestState::running) tell(id, What::paused, "paused");
  machine.state = GuestState::paused;
  co_return;
}

Task<void> FakeHypervisor::destroy(DomainId id) {
  enter(Call::destroy, id.value.str());
  active(id, "end");
  deactivate(id);
  tell(id, What::stopped_by_host, "destroyed");
  co_return;
}

Task<void> FakeHypervisor::abort_job(DomainId id) {
  enter(Call::abort_job, id.value.str());
  auto& machine = active(id, "abort the job of");
  if (machine.aborted) *machine.aborted = true;
  co_return;
}

Task<bool> FakeHypervisor::set_guest_time(DomainId id) {
  enter(Call::set_time, id.value.str());
  active(id, "set the clock of");
  co_return has_agent;
}

}  // namespace satchel::test
