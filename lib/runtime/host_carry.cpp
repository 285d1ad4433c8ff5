// Export and import: jobs of the host, for neither changes what a capsule's state machine knows
// before its end.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "disk/given_directory.hpp"
#include "format/text.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/export.hpp"
#include "runtime/jobs/import.hpp"

namespace satchel {

namespace {

std::string busy_with(const CapsuleRunner& runner) {
  return "it is " + std::string(core::name(runner.state()));
}

/// Where the machine's generations can be read.
core::Insertion readable_device(const CapsuleRunner& runner) {
  const auto name = runner.view().name;
  if (core::job_of(runner.state()))
    throw Fault(Remedy::retry, Fault::Text{"export", name, busy_with(runner), {}});
  const auto device = core::device_of(runner.state());
  if (!device)
    throw Fault(Remedy::replug,
                Fault::Text{"export", name, busy_with(runner),
                            "Plug its device in: its generations are on that alone. If it is lost, "
                            "satchelctl resolve export-ours writes what this computer has."});
  if (!core::found_of(runner.state()))
    throw Fault(Remedy::other_device, Fault::Text{"export", name, busy_with(runner), {}});
  return *device;
}

/// A session's overlay has no place in a chain of a device's files, and no generation.
void check_plain(const ExportRequest& request, const std::string& name) {
  if (request.layout == ExportRequest::Layout::flat && !request.generation) return;
  throw Fault(Remedy::fix_request,
              Fault::Text{"export", name, "what this computer kept of it is exported flat only",
                          "Leave the layout and the generation out."});
}

bool is_path(std::string_view path) {
  if (!path.starts_with('/') || path.size() >= 4096) return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    if (!format::is_name(path.substr(0, end))) return false;
    path.remove_prefix(end);
  }
  return true;
}

/// What the asker calls the directory; it becomes a part of texts, and nothing is opened by it.
std::string checked_path(const UniqueFd& directory, std::string path) {
  if (path.empty()) {
    char target[4096];
    const auto size = ::readlink(disk::path_of(directory.get()).c_str(), target, sizeof target);
    if (size > 0) path.assign(target, static_cast<std::size_t>(size));
  }
  while (path.ends_with('/')) path.pop_back();
  if (is_path(path)) return path;
  throw Fault(Remedy::fix_request,
              Fault::Text{"use", "the directory",
                          "its path must be absolute, in UTF-8 and without control characters",
                          "Give another directory."});
}

/// Keeps the device mounted while it lives.
class Held {
 public:
  Held(std::multiset<core::Insertion>& all, core::Insertion device)
      : all_(all), place_(all.insert(device)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { all_.erase(place_); }

 private:
  std::multiset<core::Insertion>& all_;
  std::multiset<core::Insertion>::iterator place_;
};

}  // namespace

JobId Host::export_to(ExportRequest request) {
  const auto capsule = known(request.capsule);
  const bool ours = request.of == ExportRequest::Of::session;
  if (ours) check_plain(request, capsule->view().name);
  const auto insertion = ours ? core::Insertion() : readable_device(*capsule);
  ExportOrder order;
  order.capsule = request.capsule;
  const auto path = checked_path(request.directory, std::move(request.path));
  order.to = std::make_shared<disk::GivenDirectory>(std::move(request.directory), path);
  order.layout =
      request.layout == ExportRequest::Layout::chain ? DiskLayout::chain : DiskLayout::flat;
  order.generation.seq = request.generation;
  if (!ours) order.generation.known = core::found_of(capsule->state())->sequence;
  if (request.memory == ExportRequest::Memory::without)
    order.generation.memory = GenerationChoice::Memory::without;
  if (ours) return capsule->ask_export(std::move(order));
  Readers::Reading reading{"export",
                           request.capsule,
                           insertion,
                           {},
                           [this, insertion] { look_at_upkeep(insertion); },
                           Readers::Reads::to_its_end};
  auto ticket = std::make_shared<Readers::Ticket>(*parts_.readers, parts_.loop, std::move(reading));
  return begin({"export", request.capsule, devices_.number_of(insertion)},
               [this, order = std::move(order), insertion, ticket](JobContext job) mutable {
                 return export_job(std::move(job), order, insertion, std::move(ticket));
               });
}

Task<void> Host::export_job(JobContext job, ExportOrder order, core::Insertion insertion,
                            std::shared_ptr<Readers::Ticket> ticket) {
  const auto runner = known(order.capsule);
  std::exception_ptr failure;
  {
    const Held held(held_, insertion);
    try {
      auto mounting = devices_.mounted_stick(insertion);
      order.stick = co_await std::move(mounting);
      auto exporting = export_capsule(parts_, order, job);
      const auto exported = co_await std::move(exporting);
      parts_.log.info(exported.name + " (" + exported.state + ") was exported to " +
                      order.to->shown() + ", " + to_string(exported.written));
    } catch (...) {
      failure = std::current_exception();
    }
  }
  ticket.reset();  // a merge may have waited for it
  // One that had been ejected may be unplugged again.
  if (std::holds_alternative<core::Safe>(runner->state())) {
    order.stick.reset();
    auto letting = let_go_quietly(insertion);
    co_await std::move(letting);
  }
  if (failure) std::rethrow_exception(failure);
}

JobId Host::import_from(ImportRequest request) {
  const auto insertion = insertion_of(request.device);
  if (request.capsule && capsules_.contains(*request.capsule) &&
      !std::holds_alternative<core::Absent>(capsules_.at(*request.capsule)->state()))
    throw Fault(Remedy::fix_request,
                Fault::Text{"import", "capsule " + request.capsule->value.str(),
                            "this computer has it already",
                            "Import it without --uuid: it then gets an identity of its own."});
  ImportOrder order;
  order.capsule = request.capsule.value_or(CapsuleId(Uuid::random()));
  const auto path = checked_path(request.directory, std::move(request.path));
  order.from = std::make_shared<disk::GivenDirectory>(std::move(request.directory), path);
  order.name = std::move(request.name);
  if (request.memory == ImportRequest::Memory::without) order.memory = ImportMemory::without;
  return begin({"import", std::nullopt, request.device},
               [this, order = std::move(order), insertion](JobContext job) {
                 return import_job(std::move(job), order, insertion);
               });
}

Task<void> Host::import_job(JobContext job, ImportOrder order, core::Insertion insertion) {
  const Held held(held_, insertion);
  auto mounting = devices_.mounted_stick(insertion);
  order.stick = co_await std::move(mounting);
  const auto from = order.from->shown();
  auto importing = import_capsule(parts_, std::move(order), job);
  auto imported = co_await std::move(importing);
  const auto name = imported.head.head.name;
  for (const auto& each : imported.left_behind) {
    parts_.log.warning(name + ": " + each);
    board_.remark(job.id, each);
  }
  parts_.log.info(name + " was imported from " + from);
  came_up(insertion, std::move(imported.head));
}

Task<void> Host::let_go_quietly(core::Insertion insertion) {
  try {
    auto releasing = devices_.release(insertion, std::nullopt, LettingGo{});
    co_await std::move(releasing);
  } catch (const Fault& busy) {
    parts_.log.warning(std::string(busy.what()) + "; it stays mounted. " + busy.next_step());
  }
}

}  // namespace satchel
