#include "runtime/devices.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "base/fault.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/sentences.hpp"

namespace satchel {

namespace {

/// gvfs tries every two seconds.
constexpr auto asker_patience = std::chrono::seconds(6);
constexpr auto asker_interval = std::chrono::milliseconds(200);

/// Of less, what is measured is how long it takes to begin.
constexpr auto least_measured = mebibytes(4);

void note_speed(std::uint64_t& speed, ByteCount bytes, std::chrono::milliseconds took) {
  if (bytes < least_measured || took.count() <= 0) return;
  speed = bytes.value * 1000 / static_cast<std::uint64_t>(took.count());
}

Fault locked(const std::string& node) {
  return Fault(Remedy::later_version,
               Fault::Text{"use", node, "it is encrypted, and this version can't unlock it",
                           "Use a device without encryption. 'satchelctl format' makes one of this "
                           "one and destroys what is on it."});
}

Fault internal(const std::string& node) {
  return Fault(Remedy::other_device,
               Fault::Text{"use", node, "UDisks2 takes it for a part of this computer itself",
                           "If it is one that can be unplugged, tell UDisks2 by a udev rule for it "
                           "with ENV{UDISKS_SYSTEM}=\"0\"; else take its label away."});
}

}  // namespace

LettingGo letting_go(const Config& config, core::Requester by) {
  if (by == core::Requester::desktop)
    return LettingGo{PowerOff::no, LettingGo::Unmount::by_asker_first};
  return LettingGo{config.eject.power_off, LettingGo::Unmount::at_once};
}

Devices::Devices(Parts& parts, Hooks hooks) : parts_(parts), hooks_(std::move(hooks)) {}

void Devices::start() {
  parts_.volumes.listen([this](const RemovalRequest& request) { removal_requested(request); });
  parts_.plugs.start({[this](const Plug& plug) { present(plug); },
                      [this](const std::string& node) { absent(node); }});
}

void Devices::present(const Plug& plug) {
  if (const auto known = at(plug.node)) {
    const auto& old = find(*known)->plug;
    if (old.fs_uuid == plug.fs_uuid && old.disk_sequence == plug.disk_sequence) return;
    absent(plug.node);
  }
  const core::Insertion insertion(++insertions_);
  Entry entry{plug, {}, std::nullopt, {}, nullptr, {}};
  entry.view.number = DeviceNumber(static_cast<std::uint32_t>(insertion.value));
  entry.view.node = plug.node;
  entry.view.label = plug.label;
  entry.view.fs_type = plug.fs_type;
  entry.view.fs_uuid = plug.fs_uuid;
  entry.view.encrypted = plug.fs_type == "crypto_LUKS";
  entry.view.can_unplug = false;  // it is about to be mounted
  entries_.emplace(insertion, std::move(entry));
  parts_.log.info(plug.node + " is there (" + plug.label + ", " + plug.fs_type + ")");
  entries_.at(insertion).arriving.emplace(parts_.loop, arrive(insertion));
  hooks_.changed();
}

void Devices::absent(const std::string& node) {
  const auto insertion = at(node);
  if (!insertion) return;
  auto entry = std::move(entries_.extract(*insertion).mapped());
  if (entry.stick) entry.stick->close();
  parts_.log.info(node + " is gone");
  hooks_.gone(*insertion);
  hooks_.changed();
}

void Devices::removal_requested(const RemovalRequest& request) {
  const auto insertion = at(request.node);
  if (!insertion || !find(*insertion)->stick || !find(*insertion)->stick->is_open()) return;
  hooks_.removal_wanted(request, find(*insertion)->view.number);
}

Task<void> Devices::arrive(core::Insertion insertion) {
  auto looking = look(insertion);
  co_await std::move(looking);
  if (auto* entry = find(insertion)) entry->view.can_unplug = true;
  hooks_.changed();
}

Task<void> Devices::looked_at(core::Insertion insertion) {
  const auto* entry = find(insertion);
  if (entry == nullptr) co_return;
  auto arriving = *entry->arriving;
  auto waiting = arriving.settled();
  co_await std::move(waiting);
}

Task<void> Devices::look(core::Insertion insertion) {
  // It may have gone again before this began.
  if (find(insertion) == nullptr) co_return;
  std::optional<Fault> refusal;
  try {
    auto taking = take_in(insertion);
    co_await std::move(taking);
  } catch (const Fault& failure) {
    refusal = failure;
  }
  auto* entry = find(insertion);
  if (entry == nullptr) co_return;
  entry->refusal = refusal;
  entry->view.detail = refusal ? refusal_sentence(*refusal) : std::string();
  if (!refusal) co_return;
  parts_.log.warning(std::string(refusal->what()) + "; it is left alone. " + refusal->next_step());
  // Somebody else has it mounted and in use there.
  if (refusal->remedy() != Remedy::retry) co_return;
  try {
    auto looking = look_beside(insertion);
    co_await std::move(looking);
  } catch (const Fault& failure) {
    parts_.log.debug(std::string(failure.what()) + "; whether it is mounted is not known");
  }
  entry = find(insertion);
  if (entry != nullptr && !entry->mounted_beside.empty())
    boost::asio::co_spawn(parts_.loop, watch_beside(insertion), boost::asio::detached);
}

Task<void> Devices::take_in(core::Insertion insertion) {
  const auto node = find(insertion)->plug.node;
  auto finding = parts_.volumes.find(node);
  const auto volume = co_await std::move(finding);
  auto* entry = find(insertion);
  if (entry == nullptr) co_return;
  if (!volume)
    throw Fault(Remedy::replug, Fault::Text{"use", node, "UDisks2 does not know it", {}});
  entry->view.size = volume->size;
  entry->view.model = volume->model;
  entry->view.removable = volume->removable;
  entry->view.read_only = volume->read_only;
  entry->drive = volume->drive;
  hooks_.changed();
  if (volume->is_internal()) throw internal(node);
  if (entry->view.encrypted) throw locked(node);
  auto stick = std::make_shared<Stick>(insertion, entry->plug.disk_sequence, *volume);
  auto opening = open_up(stick);
  const auto [capsules, free] = co_await std::move(opening);
  entry = find(insertion);
  if (entry == nullptr) co_return;
  entry->stick = stick;
  entry->view.mount_point = stick->mount_point();
  entry->mounted_beside.clear();
  entry->view.free = free;
  entry->capsules = capsules;
  parts_.log.info(node + " is mounted on " + stick->mount_point() + " and holds " +
                  std::to_string(capsules.size()) +
                  (capsules.size() == 1 ? " capsule" : " capsules"));
  for (const auto& capsule : capsules) hooks_.capsule_seen(insertion, capsule);
}

Task<Devices::Content> Devices::open_up(std::shared_ptr<Stick> stick) {
  std::optional<Fault> unusable;
  try {
    auto opening = stick->open(parts_.volumes, parts_.lanes.files);
    co_await std::move(opening);
    auto listing = offload(parts_.lanes.files, [stick] {
      return Content{format::CapsuleDirectory::list(stick->root()->get()), stick->free_space()};
    });
    auto content = co_await std::move(listing);
    co_return content;
  } catch (const Fault& failure) {
    unusable = failure;
  }
  stick->close();
  // Refused, it may be pulled at any time: what was mounted for this alone is in nobody's use.
  // (Where this service may not write, others have mounted it meanwhile.)
  if (stick->volume().mount_points.empty() && find(stick->insertion()) != nullptr &&
      unusable->remedy() != Remedy::ask_admin) {
    try {
      auto unmounting = parts_.volumes.unmount(stick->volume().node);
      co_await std::move(unmounting);
    } catch (const Fault& failure) {
      parts_.log.warning(std::string(failure.what()) + "; it stays mounted");
    }
  }
  throw *unusable;
}

Task<std::shared_ptr<Stick>> Devices::mounted_stick(core::Insertion insertion) {
  auto looking = looked_at(insertion);
  co_await std::move(looking);
  // What kept it from being used may be over. Of several who ask, one tries.
  if (auto* entry = find(insertion); entry != nullptr && !entry->stick) {
    if (entry->arriving->has_ended()) entry->arriving.emplace(parts_.loop, arrive(insertion));
    auto looking_again = looked_at(insertion);
    co_await std::move(looking_again);
  }
  const auto found = stick(insertion);
  if (const auto* entry = find(insertion); !found && entry != nullptr && entry->refusal)
    throw *entry->refusal;
  if (!found) throw Fault(Remedy::replug, Fault::Text{"use", "the device", "it is gone", {}});
  if (!found->is_open()) {
    auto opening = found->open(parts_.volumes, parts_.lanes.files);
    co_await std::move(opening);
    if (auto* entry = find(insertion)) {
      entry->view.mount_point = found->mount_point();
      entry->mounted_beside.clear();
    }
    hooks_.changed();
  }
  co_return found;
}

Task<void> Devices::unmount(std::string node, LettingGo::Unmount how) {
  if (how == LettingGo::Unmount::by_asker_first) {
    const auto deadline = std::chrono::steady_clock::now() + asker_patience;
    boost::asio::steady_timer again(parts_.loop);
    while (std::chrono::steady_clock::now() < deadline) {
      auto finding = parts_.volumes.find(node);
      const auto volume = co_await std::move(finding);
      if (!volume || volume->mount_points.empty()) co_return;
      again.expires_after(asker_interval);
      co_await again.async_wait(boost::asio::use_awaitable);
    }
  }
  auto unmounting = parts_.volumes.unmount(node);
  co_await std::move(unmounting);
}

Task<core::DeviceUse> Devices::release(core::Insertion insertion, std::optional<CapsuleId> asking,
                                       LettingGo how) {
  // What only reads it gives way.
  auto ending = parts_.readers->end_on(insertion);
  co_await std::move(ending);
  const auto held = stick(insertion);
  if (!held || !held->is_open()) co_return core::DeviceUse::released;
  if (hooks_.in_use(insertion, asking)) co_return core::DeviceUse::kept;
  const auto node = held->volume().node;
  held->close();
  std::exception_ptr failure;
  try {
    auto unmounting = unmount(node, how.unmount);
    co_await std::move(unmounting);
  } catch (const Fault&) {
    failure = std::current_exception();
  }
  if (failure) {
    if (find(insertion) != nullptr) {
      auto opening = held->open(parts_.volumes, parts_.lanes.files);
      co_await std::move(opening);
    }
    std::rethrow_exception(failure);
  }
  if (auto* entry = find(insertion)) entry->view.mount_point.clear();
  auto letting_go = let_go_of_drive(insertion, how.power_off);
  co_await std::move(letting_go);
  hooks_.released(insertion);
  hooks_.changed();
  co_return core::DeviceUse::released;
}

void Devices::look_at_space(core::Insertion insertion) {
  boost::asio::co_spawn(parts_.loop, measure_space(insertion), boost::asio::detached);
}

Task<void> Devices::measure_space(core::Insertion insertion) {
  const auto held = stick(insertion);
  if (!held || !held->is_open()) co_return;
  try {
    auto measuring = offload(parts_.lanes.files, [held] { return held->free_space(); });
    const auto free = co_await std::move(measuring);
    if (auto* entry = find(insertion)) entry->view.free = free;
  } catch (const Fault& failure) {
    parts_.log.debug(std::string(failure.what()) + "; showing what was free before");
  }
  hooks_.changed();
}

void Devices::note_write(core::Insertion insertion, ByteCount bytes,
                         std::chrono::milliseconds took) {
  if (auto* entry = find(insertion)) note_speed(entry->view.write_speed, bytes, took);
}

void Devices::note_read(core::Insertion insertion, ByteCount bytes,
                        std::chrono::milliseconds took) {
  if (auto* entry = find(insertion)) note_speed(entry->view.read_speed, bytes, took);
}

}  // namespace satchel
