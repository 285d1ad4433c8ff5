// A host of the test's own: a view that the test writes, commands that are written down, and an
// authority that says what the test wants. Test thread only.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "ports/authority.hpp"
#include "runtime/commands.hpp"

namespace satchel::test {

class FakeCommands : public Commands {
 public:
  HostView host;
  ViewListener listener;
  std::vector<std::string> asked;  ///< "launch UUID take-over"
  std::string passphrase;          ///< what unlock read
  std::optional<Fault> refusal;    ///< thrown by every command
  Measure measured = Measure::no;
  machine::Wish created;

  /// Begins a job and shows it, as a runtime does.
  JobId begin(std::string operation, std::optional<CapsuleId> capsule = {}) {
    if (refusal) throw *refusal;
    JobView job;
    job.id = JobId(++last_job_);
    job.operation = std::move(operation);
    job.capsule = capsule;
    host.running_jobs.push_back(job);
    host.jobs = static_cast<std::uint32_t>(host.running_jobs.size());
    return job.id;
  }
  void end(JobId id, std::string result, std::string message) {
    std::erase_if(host.running_jobs, [&](const JobView& each) { return each.id == id; });
    host.jobs = static_cast<std::uint32_t>(host.running_jobs.size());
    listener.changed();
    listener.job_ended({id, std::move(result), std::move(message)});
  }

  const HostView& view() const override { return host; }
  void listen(ViewListener to) override { listener = std::move(to); }
  JobId pack(PackRequest request) override {
    note("pack " + request.domain + " " + std::to_string(request.device.value) + " " +
         request.name);
    return begin("pack");
  }
  JobId create(CreateRequest request) override {
    note("create " + request.wish.name + " " + std::to_string(request.device.value) + " " +
         request.format + " " + std::to_string(request.size.value) + (request.disk ? " disk" : "") +
         (request.cdrom ? " cdrom" : ""));
    created = std::move(request.wish);
    return begin("create");
  }
  JobId format(FormatRequest request) override {
    note("format " + request.node + " " + request.fs_type + " " + request.label);
    return begin("format");
  }
  JobId launch(LaunchRequest request) override {
    note(std::string("launch") +
         (request.when_checked_out == LaunchRequest::CheckedOut::take_over ? " take-over" : "") +
         (request.when_lacking == LaunchRequest::Lacking::this_copy ? " this-copy" : "") +
         (request.device == LaunchRequest::Device::without ? " without-device" : "") +
         (request.memory == LaunchRequest::Memory::start_fresh ? " fresh" : ""));
    return begin("launch", request.capsule);
  }
  JobId eject(CapsuleId capsule, Layers layers, Occasion occasion) override {
    return plain(occasion == Occasion::shutdown ? "eject shutdown"
                 : layers == Layers::merge      ? "eject merge"
                                                : "eject",
                 capsule);
  }
  JobId eject_device(DeviceNumber device) override {
    note("eject device " + std::to_string(device.value));
    return begin("eject");
  }
  JobId checkpoint(CapsuleId capsule) override { return plain("checkpoint", capsule); }
  JobId unlock(DeviceNumber, UniqueFd from) override {
    char text[64];
    const auto size = ::read(from.get(), text, sizeof text);
    passphrase.assign(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    return begin("unlock");
  }
  JobId resolve(CapsuleId capsule, std::string choice) override {
    return plain("resolve " + choice, capsule);
  }
  JobId merge(CapsuleId capsule, WhenNeeded when_needed) override {
    return plain(when_needed == WhenNeeded::go_on ? "merge although-needed" : "merge", capsule);
  }
  JobId fold(CapsuleId capsule, WhenNeeded when_needed) override {
    return plain(when_needed == WhenNeeded::go_on ? "fold although-needed" : "fold", capsule);
  }
  JobId compact(CapsuleId capsule, WhenNeeded when_needed) override {
    return plain(when_needed == WhenNeeded::go_on ? "compact although-needed" : "compact", capsule);
  }
  JobId sync(SyncRequest request) override {
    return plain(request.extent == sync::Extent::dry_run ? "dry sync" : "sync", request.capsule);
  }
  std::string sync_report(CapsuleId, sync::Extent) const override { return "{}"; }
  JobId probe(std::string node) override {
    note("probe " + node);
    return begin("probe");
  }
  JobId verify(CapsuleId capsule) override { return plain("verify", capsule); }
  std::string verify_report(CapsuleId) const override { return "{}"; }
  JobId rollback(CapsuleId capsule, Sequence generation, WhenNeeded) override {
    return plain("rollback " + std::to_string(generation.value), capsule);
  }
  JobId remove(CapsuleId capsule) override { return plain("remove", capsule); }
  JobId export_to(ExportRequest request) override {
    note("export to " + request.path +
         (request.layout == ExportRequest::Layout::chain ? " chain" : " flat") +
         (request.memory == ExportRequest::Memory::without ? " without memory" : "") +
         (request.generation ? " " + std::to_string(request.generation->value) : ""));
    return begin("export", request.capsule);
  }
  JobId import_from(ImportRequest request) override {
    note("import from " + request.path + " " + std::to_string(request.device.value) + " " +
         request.name + (request.capsule ? " as " + request.capsule->value.str() : "") +
         (request.memory == ImportRequest::Memory::without ? " without memory" : ""));
    return begin("import");
  }
  void cancel(JobId job) override { note("cancel " + std::to_string(job.value)); }
  Task<std::vector<Finding>> diagnose(Measure measure) override {
    measured = measure;
    co_return std::vector<Finding>(1, Finding{"kvm", Finding::Verdict::bad, "It fails.", "Fix."});
  }

  Task<ByteCount> drop_cache(std::optional<CapsuleId> capsule) override {
    note("drop cache of " + (capsule ? capsule->value.str() : std::string("all")));
    co_return mebibytes(3);
  }

 private:
  void note(std::string what) { asked.push_back(std::move(what)); }
  JobId plain(std::string what, CapsuleId capsule) {
    note(what);
    return begin(what, capsule);
  }

  std::uint64_t last_job_ = 0;
};

class FakeAuthority : public Authority {
 public:
  bool answer = true;
  std::vector<Action> asked;
  Undertaking last;

  Task<bool> allows(std::string, Undertaking wanted, Interaction) override {
    asked.push_back(wanted.action);
    last = std::move(wanted);
    co_return answer;
  }
  Task<bool> is_there() override { co_return true; }
};

}  // namespace satchel::test
