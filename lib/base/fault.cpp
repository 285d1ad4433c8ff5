#include "base/fault.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/plain_text.hpp"

namespace satchel {

std::string_view to_string(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry:
      return "retry";
    case Remedy::replug:
      return "replug";
    case Remedy::free_space:
      return "free-space";
    case Remedy::other_device:
      return "other-device";
    case Remedy::fix_config:
      return "fix-config";
    case Remedy::fix_request:
      return "fix-request";
    case Remedy::ask_admin:
      return "ask-admin";
    case Remedy::choose:
      return "choose";
    case Remedy::later_version:
      return "later-version";
    case Remedy::report_bug:
      return "report-bug";
  }
  return "report-bug";
}

namespace {

std::string_view advice(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry:
      return "Try again in a moment.";
    case Remedy::replug:
      return "Plug the device in again and retry.";
    case Remedy::free_space:
      return "Free some space and retry.";
    case Remedy::other_device:
      return "Use another device or filesystem.";
    case Remedy::fix_config:
      return "Correct the configuration and retry.";
    case Remedy::fix_request:
      return "Correct the request and retry.";
    case Remedy::ask_admin:
      return "Ask an administrator of this computer.";
    case Remedy::choose:
      return "Choose how to go on.";
    case Remedy::later_version:
      return "A later version of Satchel is needed for this.";
    case Remedy::report_bug:
      return "Please report this with the journal of satcheld.";
  }
  return {};
}

std::string sentence(const Fault::Text& text) {
  std::string out = "could not " + text.doing;
  if (!text.object.empty()) out += " " + text.object;
  if (!text.why.empty()) out += ": " + text.why;
  return out;
}

/// Names on a device, what QEMU has printed, arguments of calls: not all of it is fit for a line of
/// the journal or for the bus, nor is it short.
Fault::Text plain(Fault::Text text) {
  constexpr std::size_t longest = 4096;
  for (auto* each : {&text.doing, &text.object, &text.why, &text.next})
    *each = plain_text(std::move(*each), longest);
  return text;
}

}  // namespace

Fault::Fault(Remedy remedy, Text text)
    : remedy_(remedy), text_(plain(std::move(text))), message_(sentence(text_)) {}

std::string Fault::next_step() const {
  return text_.next.empty() ? std::string(advice(remedy_)) : text_.next;
}

bool is_disk_error(int error) { return std::ranges::find(disk_errors, error) != disk_errors.end(); }

Fault fault_from_errno(int error, std::string doing, std::string object) {
  auto remedy = is_disk_error(error) ? Remedy::replug : Remedy::report_bug;
  std::string next;
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      remedy = Remedy::free_space;
      break;
    case EUCLEAN:
    case EBADMSG:
      next =
          "The filesystem on it is damaged: unmount it, repair it (fsck.vfat -a, e2fsck -p or what "
          "it has), and plug it in again.";
      break;
    case EACCES:
    case EPERM:
      remedy = Remedy::ask_admin;
      break;
    case EROFS:
      // Linux does that to a filesystem in which it finds errors, such as a power cut leaves.
      next =
          "Its filesystem is mounted read-only, which the kernel does when it finds errors in it: "
          "unmount it, repair it (fsck.vfat -a, e2fsck -p or what it has), and plug it in again.";
      [[fallthrough]];
    case EFBIG:
      remedy = Remedy::other_device;
      break;
    default:
      break;
  }
  return Fault(remedy, Fault::Text{std::move(doing), std::move(object),
                                   std::generic_category().message(error), std::move(next)});
}

}  // namespace satchel
