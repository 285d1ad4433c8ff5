#include "udisks/volumes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "udisks/kernel_facts.hpp"
#include "udisks/udisks_call.hpp"
#include "udisks/udisks_fault.hpp"

namespace satchel {

namespace {

constexpr auto root = "/org/freedesktop/UDisks2";
constexpr std::array<std::string_view, 4> removals = {"filesystem-unmount", "encrypted-lock",
                                                      "drive-eject", "drive-power-off"};

/// Bytes that a label of this filesystem may have: mkfs would refuse a longer one when UDisks2 has
/// wiped the device already (its own dry run knows ext4 and few others).
std::size_t longest_label(const std::string& fs_type) {
  if (fs_type == "ext2" || fs_type == "ext3" || fs_type == "ext4") return 16;
  if (fs_type == "vfat" || fs_type == "exfat") return 11;
  if (fs_type == "xfs") return 12;
  if (fs_type == "ntfs") return 32;
  return 255;
}

Fault in_use(const std::string& doing, const std::string& node, const std::string& by) {
  return Fault(Remedy::retry, Fault::Text{doing, node, "it is in use (" + by + ")",
                                          "Unmount it or lock it, then try again."});
}

}  // namespace

/// While one lives, jobs that UDisks2 announces for the object are of our own making.
class UDisksVolumes::OwnJob {
 public:
  OwnJob(UDisksVolumes& volumes, ObjectPath object)
      : jobs_(volumes.own_jobs_), place_(jobs_.insert(std::move(object))) {}
  ~OwnJob() { jobs_.erase(place_); }
  OwnJob(const OwnJob&) = delete;
  OwnJob& operator=(const OwnJob&) = delete;

 private:
  std::multiset<ObjectPath>& jobs_;
  std::multiset<ObjectPath>::iterator place_;
};

UDisksVolumes::UDisksVolumes(Bus& bus, std::chrono::milliseconds patience)
    : bus_(bus), patience_(patience) {
  // By its well-known name: the bus goes on delivering after UDisks2 was restarted.
  signals_ = bus_.match(
      "type='signal',sender='org.freedesktop.UDisks2',"
      "path_namespace='/org/freedesktop/UDisks2'",
      [this](Message signal) { heard(std::move(signal)); });
}

void UDisksVolumes::listen(std::function<void(RemovalRequest)> on_request) {
  on_request_ = std::move(on_request);
}

void UDisksVolumes::heard(Message signal) {
  ++news_;
  for (auto* timer : waiting_) timer->cancel();
  if (signal.member() != "InterfacesAdded") return;
  signal.read<ObjectPath>();
  const auto interfaces = signal.read<std::map<std::string, Dictionary>>();
  const auto job = interfaces.find("org.freedesktop.UDisks2.Job");
  if (job != interfaces.end()) heard_job(job->second);
}

void UDisksVolumes::heard_job(const Dictionary& job) {
  const auto operation = satchel::find<std::string>(job, "Operation").value_or("");
  if (std::find(removals.begin(), removals.end(), operation) == removals.end()) return;
  const auto user = satchel::find<std::uint32_t>(job, "StartedByUID").value_or(geteuid());
  const auto objects =
      satchel::find<std::vector<ObjectPath>>(job, "Objects").value_or(std::vector<ObjectPath>());
  std::set<std::string> nodes;
  for (const auto& object : objects) {
    if (user == geteuid() && own_jobs_.count(object) != 0) continue;
    for (auto& node : last_seen_.nodes_of(object)) nodes.insert(std::move(node));
  }
  if (!on_request_) return;
  for (const auto& node : nodes) on_request_(RemovalRequest{node, operation});
}

Task<BlockDevices> UDisksVolumes::look(std::string doing, std::string node) {
  try {
    auto asked = bus_.managed_objects(udisks_service, root);
    const auto objects = co_await std::move(asked);
    last_seen_ = BlockDevices(objects);
  } catch (const BusError& error) {
    throw udisks_fault(error, doing, node);
  }
  co_return last_seen_;
}

Task<void> UDisksVolumes::wait_for_news(std::chrono::steady_clock::time_point deadline) {
  boost::asio::steady_timer timer(bus_.executor(), deadline);
  waiting_.insert(&timer);
  // Cancelled by a signal, or the deadline has come: in both cases the asker looks again.
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  waiting_.erase(&timer);
}

Task<std::optional<BlockDevice>> UDisksVolumes::settled(std::string doing, std::string node,
                                                        Wanted wanted) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    const auto before = news_;
    auto looking = look(doing, node);
    const auto devices = co_await std::move(looking);
    std::optional<BlockDevice> device;
    if (const auto* found = devices.find(node)) device = *found;
    const auto size = kernel_size(device ? device->volume.node : node);
    if (device && size == device->volume.size &&
        (wanted == Wanted::device || device->has_filesystem))
      co_return device;
    // A node that the kernel does not have, or has empty, is not worth waiting for.
    if (!size || *size == ByteCount() || std::chrono::steady_clock::now() >= deadline)
      co_return device;
    if (news_ == before) co_await wait_for_news(deadline);
  }
}

Task<std::optional<Volume>> UDisksVolumes::find(std::string node) {
  auto settling = settled("look at", node, Wanted::device);
  auto device = co_await std::move(settling);
  if (!device) co_return std::nullopt;
  co_return std::move(device->volume);
}

Task<std::vector<Volume>> UDisksVolumes::all() {
  auto looking = look("list", "the storage devices");
  const auto devices = co_await std::move(looking);
  std::vector<Volume> out;
  for (const auto& device : devices.all()) out.push_back(device.volume);
  co_return out;
}

Task<void> UDisksVolumes::unmount(std::string node) {
  const std::string doing = "unmount";
  auto looking = look(doing, node);
  const auto devices = co_await std::move(looking);
  const auto* device = devices.find(node);
  if (!device || !device->has_filesystem) co_return;  // gone, or nothing that could be mounted
  const OwnJob own(*this, device->path);
  try {
    auto calling = bus_.call(udisks_call(device->path, "Filesystem", "Unmount"), unattended());
    co_await std::move(calling);
  } catch (const BusError& error) {
    if (udisks_error(error) != "NotMounted") throw udisks_fault(error, doing, node);
  }
}

Task<bool> UDisksVolumes::power_off(std::string node) {
  const std::string doing = "power off";
  auto looking = look(doing, node);
  const auto devices = co_await std::move(looking);
  const auto* device = devices.find(node);
  if (!device || device->drive.value.empty() || !device->can_power_off) co_return false;
  const OwnJob own(*this, device->drive);
  try {
    auto calling = bus_.call(udisks_call(device->drive, "Drive", "PowerOff"), unattended());
    co_await std::move(calling);
  } catch (const BusError& error) {
    if (udisks_error(error) == "NotSupported") co_return false;
    throw udisks_fault(error, doing, node);
  }
  co_return true;
}

Task<ObjectPath> UDisksVolumes::unused(std::string doing, std::string node) {
  auto settling = settled(doing, node, Wanted::device);
  const auto device = co_await std::move(settling);
  if (!device) throw no_such_device(doing, node);
  if (const auto use = last_seen_.use_of(*device)) throw in_use(doing, node, *use);
  if (const auto point = kernel_mount(device->volume.number)) throw in_use(doing, node, *point);
  if (device->volume.read_only)
    throw Fault(Remedy::other_device, Fault::Text{doing, node, "it is read-only", {}});
  co_return device->path;
}

Task<UniqueFd> UDisksVolumes::open(std::string node) {
  const std::string doing = "open";
  auto freeing = unused(doing, node);
  const auto path = co_await std::move(freeing);
  auto options = unattended();
  options["flags"] = std::int32_t{O_DIRECT | O_EXCL};
  try {
    auto calling = bus_.call(udisks_call(path, "Block", "OpenDevice"), std::string("rw"), options);
    auto reply = co_await std::move(calling);
    co_return reply.read<UniqueFd>();
  } catch (const BusError& error) {
    throw udisks_fault(error, doing, node);
  }
}

Task<void> UDisksVolumes::format(std::string node, std::string fs_type, std::string label) {
  const std::string doing = "format";
  if (const auto most = longest_label(fs_type); label.size() > most)
    throw Fault(Remedy::fix_request,
                Fault::Text{doing, node, "the label '" + label + "' is too long for " + fs_type,
                            "Choose one of at most " + std::to_string(most) + " bytes."});
  auto freeing = unused(doing, node);
  const auto path = co_await std::move(freeing);

  auto options = unattended();
  options["label"] = std::move(label);
  options["update-partition-type"] = true;
  options["dry-run-first"] = true;  // what mkfs would refuse is refused before anything is wiped
  try {
    auto calling = bus_.call(udisks_call(path, "Block", "Format"), fs_type, options);
    co_await std::move(calling);
  } catch (const BusError& error) {
    throw udisks_fault(error, doing, node);
  }
}

}  // namespace satchel
