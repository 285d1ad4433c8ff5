#include "runtime/known_hosts.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/host_fault.hpp"
#include "machine/building.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr std::size_t most_known = 256;

std::filesystem::path place_of(const Parts& parts) { return parts.state_directory / "hosts"; }

std::string names_of(const std::vector<format::HostCard>& cards) {
  std::string out;
  for (const auto& card : cards) out += (out.empty() ? "" : ", ") + card.host_name;
  return out;
}

Fault unlike(std::string why) {
  return Fault(Remedy::report_bug,
               Fault::Text{"describe", "this computer's processor", std::move(why), {}});
}

machine::Cpu cpu_in(const std::string& xml) {
  auto cpu = machine::read_cpu(xml);
  if (!cpu) throw unlike(to_string(cpu.error()));
  return std::move(*cpu);
}

/// The oldest of the hosts' newest machine types, if this host has that one.
std::string shared_type(const format::HostCard& own, const std::vector<format::HostCard>& others,
                        const std::vector<std::string>& here) {
  auto out = own.machine_type;
  for (const auto& card : others)
    if (machine::older_type(card.machine_type, out) &&
        std::find(here.begin(), here.end(), card.machine_type) != here.end())
      out = card.machine_type;
  return out;
}

std::vector<format::HostCard> others_like(const format::HostCard& own,
                                          std::vector<format::HostCard> known) {
  std::erase_if(known, [&](const auto& card) {
    return card.host == own.host || card.accelerator != own.accelerator;
  });
  return known;
}

Task<void> leave_ours(Parts& parts, std::shared_ptr<Stick> stick) {
  auto asking = own_card(parts);
  const auto card = co_await std::move(asking);
  auto leaving = offload(parts.lanes.files, [&] {
    format::leave_host_card(stick->root()->get(), card, parts.key);
    note_hosts(parts, *stick);
  });
  co_await std::move(leaving);
}

}  // namespace

Task<format::HostCard> own_card(Parts& parts) {
  auto probing = parts.hypervisor.works(Accelerator::kvm);
  const bool kvm = co_await std::move(probing);
  const auto accelerator = kvm ? Accelerator::kvm : Accelerator::tcg;
  auto asking = parts.hypervisor.ability(accelerator);
  const auto host = co_await std::move(asking);
  auto describing = parts.hypervisor.host_cpu(accelerator);
  const auto cpu = co_await std::move(describing);
  const auto type = machine::newest_q35(host.machine_types);
  if (!type)
    throw Fault(Remedy::fix_config,
                Fault::Text{"describe", "this computer", "its QEMU has no machine of type q35",
                            "Install a newer QEMU (qemu-system-x86)."});
  format::HostCard card;
  card.host = parts.key.public_key().host_id();
  card.host_name = parts.host_name;
  card.time = parts.now();
  card.accelerator = kvm ? "kvm" : "tcg";
  card.machine_type = *type;
  card.cpu = cpu_in(cpu);
  co_return card;
}

Task<void> exchange_cards(Parts& parts, std::shared_ptr<Stick> stick) {
  try {
    auto leaving = leave_ours(parts, stick);
    co_await std::move(leaving);
  } catch (const std::exception& failure) {
    parts.log.warning(std::string("could not exchange host cards: ") + failure.what() +
                      "; new machines may get a processor that only this computer has");
  }
}

void note_hosts(const Parts& parts, const Stick& stick) {
  const auto cards = format::host_cards_on(stick.root()->get());
  if (cards.empty()) return;
  const auto place = place_of(parts);
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST)
    throw host_fault_from_errno(errno, "make", place.string());
  auto known = known_hosts(parts);
  for (const auto& [card, bytes] : cards) {
    if (card.host == parts.key.public_key().host_id()) continue;
    const auto before =
        std::find_if(known.begin(), known.end(),
                     [host = card.host](const auto& each) { return each.host == host; });
    if (before == known.end() ? known.size() >= most_known : before->time >= card.time) continue;
    write_private_file(place / (card.host.value.str() + ".json"), bytes);
    if (before == known.end()) known.push_back(card);
  }
}

std::vector<format::HostCard> known_hosts(const Parts& parts) {
  std::vector<format::HostCard> out;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(place_of(parts), absent)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (auto card = format::read_host_card(bytes)) out.push_back(std::move(*card));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& one, const auto& other) { return one.host < other.host; });
  return out;
}

Task<SharedAbility> shared_ability(Parts& parts) {
  auto describing = own_card(parts);
  const auto own = co_await std::move(describing);
  auto reading = offload(parts.lanes.files, [&] { return others_like(own, known_hosts(parts)); });
  const auto others = co_await std::move(reading);
  const auto accelerator = own.accelerator == "kvm" ? Accelerator::kvm : Accelerator::tcg;
  auto asking = parts.hypervisor.ability(accelerator);
  const auto here = co_await std::move(asking);
  SharedAbility out;
  out.machine_type = shared_type(own, others, here.machine_types);
  std::vector<std::string> cpus{machine::write_cpu(own.cpu)};
  for (const auto& card : others) cpus.push_back(machine::write_cpu(card.cpu));
  std::string why;
  try {
    auto comparing = parts.hypervisor.shared_cpu(cpus, accelerator);
    out.cpu = cpu_in(co_await std::move(comparing));
  } catch (const Fault& failure) {
    if (others.empty()) throw;
    why = failure.text().why;
  }
  if (why.empty()) {
    if (!others.empty())
      out.notes.push_back("its processor is one that this computer and " + names_of(others) +
                          " have");
    co_return out;
  }
  out.notes.push_back("no processor is shared with " + names_of(others) + " (" + why +
                      "): its memory may not resume there");
  cpus.resize(1);
  auto alone = parts.hypervisor.shared_cpu(cpus, accelerator);
  out.cpu = cpu_in(co_await std::move(alone));
  co_return out;
}

}  // namespace satchel
