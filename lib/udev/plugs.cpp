#include "udev/plugs.hpp"

#include <fcntl.h>
#include <libudev.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "base/fault.hpp"
#include "base/handle.hpp"

namespace satchel {

namespace {

struct UnrefDevice {
  void operator()(udev_device* device) const { udev_device_unref(device); }
};
using Device = std::unique_ptr<udev_device, UnrefDevice>;

struct UnrefEnumerate {
  void operator()(udev_enumerate* enumerate) const { udev_enumerate_unref(enumerate); }
};
using Enumerate = std::unique_ptr<udev_enumerate, UnrefEnumerate>;

std::string text(const char* value) { return value ? value : ""; }

std::string property(udev_device* device, const char* key) {
  return text(udev_device_get_property_value(device, key));
}

std::uint64_t number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return end.ec == std::errc() ? value : 0;
}

/// The label as it is on the device: udev writes what is not plain as "\x20", and "_" for it in the
/// property that rules match. What can't be shown stays as udev writes it.
std::string label_of(udev_device* device) {
  const auto encoded = property(device, "ID_FS_LABEL_ENC");
  if (encoded.empty()) return property(device, "ID_FS_LABEL");
  std::string out;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    unsigned value = 0;
    const auto* digits = encoded.data() + i + 2;
    if (encoded.compare(i, 2, "\\x") == 0 && i + 4 <= encoded.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2 && value >= 0x20 &&
        value < 0x7f) {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += encoded[i];
    }
  }
  return out;
}

/// DISKSEQ of the device, or of the disk that a partition is on (older kernels tell only that).
std::uint64_t disk_sequence(udev_device* device) {
  if (const auto own = number(property(device, "DISKSEQ"))) return own;
  // Borrowed from `device`: not ours to release.
  udev_device* disk = udev_device_get_parent_with_subsystem_devtype(device, "block", "disk");
  if (!disk) return 0;
  if (const auto of_disk = number(property(disk, "DISKSEQ"))) return of_disk;
  return number(text(udev_device_get_sysattr_value(disk, "diskseq")));
}

ToldPlugs::News read_news(udev_device* device) {
  ToldPlugs::News news;
  news.action = text(udev_device_get_action(device));
  news.plug.node = text(udev_device_get_devnode(device));
  news.plug.sysfs = text(udev_device_get_syspath(device));
  news.plug.label = label_of(device);
  news.plug.fs_uuid = property(device, "ID_FS_UUID");
  news.plug.fs_type = property(device, "ID_FS_TYPE");
  news.plug.disk_sequence = disk_sequence(device);
  if (const auto before = property(device, "DEVPATH_OLD"); !before.empty())
    news.sysfs_before = "/sys" + before;
  // The rule sets the property anew at each event; the tag would stay with a device whose label
  // has gone (TAGS is what a device ever was).
  if (property(device, "SATCHEL_DEVICE") == "1") news.tag = ToldPlugs::News::Tag::ours;
  return news;
}

Fault cannot_listen(int error) {
  return Fault(Remedy::ask_admin,
               Fault::Text{"listen to", "udev", std::strerror(error),
                           "Check that systemd-udevd runs and that the service may use netlink."});
}

}  // namespace

void UdevPlugs::Unref::operator()(udev* context) const { udev_unref(context); }
void UdevPlugs::Unref::operator()(udev_monitor* monitor) const { udev_monitor_unref(monitor); }

UdevPlugs::UdevPlugs(boost::asio::any_io_executor loop, ByteCount receive_buffer, UniqueFd socket)
    : readable_(std::move(loop)), receive_buffer_(receive_buffer), socket_(std::move(socket)) {}

void UdevPlugs::start(Listener listener) {
  told_.set_listener(std::move(listener));
  udev_.reset(udev_new());
  if (!udev_) throw cannot_listen(errno);
  listen();
  UniqueFd own(dup(udev_monitor_get_fd(monitor_.get())));
  if (!own) throw cannot_listen(errno);
  readable_.assign(own.release());
  enumerate();
  wait();
}

void UdevPlugs::listen() {
  // "udev": events that udevd has finished with. "kernel" would come before the label is known.
  monitor_.reset(udev_monitor_new_from_netlink(udev_.get(), "udev"));
  if (!monitor_) throw cannot_listen(errno);
  const auto most = std::min<std::uint64_t>(receive_buffer_.value, 1U << 30);
  // Allowed to fail: without CAP_NET_ADMIN the buffer is as large as the system's limit.
  udev_monitor_set_receive_buffer_size(monitor_.get(), static_cast<int>(most));
  int failed = udev_monitor_enable_receiving(monitor_.get());
  if (failed < 0) throw cannot_listen(-failed);
  // The library can't be given a socket, but it reads whatever is behind its descriptor: the one
  // that it bound is exchanged, before the filter is attached to it.
  if (socket_ && ::dup3(socket_.get(), udev_monitor_get_fd(monitor_.get()), O_CLOEXEC) < 0)
    throw cannot_listen(errno);
  socket_.reset();
  // Not by tag: the event that ends a device's being ours has no tag any more.
  failed = udev_monitor_filter_add_match_subsystem_devtype(monitor_.get(), "block", nullptr);
  if (failed >= 0) failed = udev_monitor_filter_update(monitor_.get());
  if (failed < 0) throw cannot_listen(-failed);
}

void UdevPlugs::wait() {
  readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (error) return;  // closed: this object is going
                         drain();
                         wait();
                       });
}

void UdevPlugs::drain() {
  bool lost = false;
  for (;;) {
    errno = 0;
    Device device(udev_monitor_receive_device(monitor_.get()));
    if (device) {
      told_.hear(read_news(device.get()));
    } else if (errno == EINTR) {
      continue;
    } else if (errno == ENOBUFS) {
      lost = true;  // the socket goes on giving what it still has
    } else {
      lost |= errno != EAGAIN;
      break;
    }
  }
  if (lost) enumerate();
}

void UdevPlugs::enumerate() {
  Enumerate scan(udev_enumerate_new(udev_.get()));
  if (!scan) throw cannot_listen(errno);
  udev_enumerate_add_match_subsystem(scan.get(), "block");
  // One that udevd has not finished with yet follows as an event.
  udev_enumerate_add_match_is_initialized(scan.get());
  const int failed = udev_enumerate_scan_devices(scan.get());
  if (failed < 0) throw cannot_listen(-failed);

  std::vector<ToldPlugs::News> all;
  udev_list_entry* entry = nullptr;
  udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(scan.get())) {
    // None for a device that went while we were looking.
    Device device(udev_device_new_from_syspath(udev_.get(), udev_list_entry_get_name(entry)));
    if (device) all.push_back(read_news(device.get()));
  }
  told_.hear_all(std::move(all));
}

}  // namespace satchel
