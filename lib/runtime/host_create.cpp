// Making a capsule without a machine before it, as the host's job.
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "format/text.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/create.hpp"
#include "runtime/known_hosts.hpp"

namespace satchel {

namespace {

Fault refused(const CreateRequest& request, std::string why, std::string next) {
  return Fault(Remedy::fix_request,
               Fault::Text{"create", request.wish.name, std::move(why), std::move(next)});
}

std::optional<disk::ImageFormat> format_in(const CreateRequest& request) {
  if (request.format.empty()) return std::nullopt;
  const auto format = disk::image_format(request.format);
  if (!format)
    throw refused(request, "there is no image format " + request.format,
                  "Formats: raw, qcow2, vmdk, vdi, vhdx.");
  return format;
}

void check(const CreateRequest& request) {
  if (!format::is_name(request.wish.name))
    throw refused(request, "this can't be a capsule's name",
                  "Give up to 255 bytes of text without control characters.");
  const bool sized = request.size.value != 0;
  if (request.disk ? sized : !sized)
    throw refused(request, "it needs either a disk image or the size of an empty disk",
                  "Give one of the two.");
  constexpr auto largest = ByteCount(std::uint64_t{1} << 50);
  if (request.size > largest)
    throw refused(request, "a disk of " + to_string(request.size) + " is too large",
                  "Give at most " + to_string(largest) + ".");
}

}  // namespace

JobId Host::create(CreateRequest request) {
  const auto insertion = insertion_of(request.device);
  check(request);
  format_in(request);
  const auto device = request.device;
  // A job's work can be copied, descriptors can't.
  auto asked = std::make_shared<CreateRequest>(std::move(request));
  return begin({"create", std::nullopt, device}, [this, asked, insertion](JobContext job) {
    return create_job(std::move(job), asked, insertion);
  });
}

Task<void> Host::create_job(JobContext job, std::shared_ptr<CreateRequest> request,
                            core::Insertion insertion) {
  auto mounting = devices_.mounted_stick(insertion);
  CreateOrder order;
  const auto stick = co_await std::move(mounting);
  order.stick = stick;
  order.capsule = CapsuleId(Uuid::random());
  order.wish = request->wish;
  order.disk = std::move(request->disk);
  order.format = format_in(*request);
  order.size = request->size;
  order.cdrom = std::move(request->cdrom);
  const auto capsule = order.capsule;
  auto noting = offload(parts_.lanes.files, [this, stick] { note_hosts(parts_, *stick); });
  co_await std::move(noting);
  auto creating = satchel::create(parts_, std::move(order), job);
  auto created = co_await std::move(creating);
  for (const auto& note : created.notes) {
    parts_.log.info(created.head.head.name + ": " + note);
    board_.remark(job.id, note);
  }
  runner(capsule)->packed(insertion, std::move(created.head), std::nullopt, std::nullopt);
  auto meeting = exchange_cards(parts_, stick);
  co_await std::move(meeting);
  // It may have been pulled within the last step, when nobody knew this capsule yet.
  if (!devices_.stick(insertion)) runner(capsule)->deliver(core::DeviceGone{insertion});
  devices_.look_at_space(insertion);
  if (request->afterwards == CreateRequest::Afterwards::rest) co_return;
  const auto launching = known(capsule)->ask(core::LaunchAsked{});
  board_.follow(job.id, launching);
  auto waiting = board_.wait(launching);
  auto end = co_await std::move(waiting);
  while (end.message.ends_with('.')) end.message.pop_back();
  if (end.result != "done")
    throw Fault(
        Remedy::retry,
        Fault::Text{"launch", request->wish.name,
                    "it was created, but did not start: " + end.message,
                    "It is on the device: try satchelctl launch, or see satchelctl status."});
}

}  // namespace satchel
