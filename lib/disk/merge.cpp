#include "disk/merge.hpp"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "disk/qemu_words.hpp"
#include "disk/qmp.hpp"

namespace satchel::disk {

namespace {

using nlohmann::json;

constexpr auto merging = "merge";
constexpr auto layers = "the disk's layers";
constexpr auto job_id = "merge";
constexpr int first_file = 4;  // in the child; 3 is the monitor's socket

Fault failed(std::string why, Remedy remedy) {
  return Fault(remedy, {merging, layers, std::move(why), {}});
}

std::string node_name(std::size_t index) { return "file-" + std::to_string(index); }

/// Past the page cache where the filesystem can: a stick's backlog would stall the host and hide
/// how far the merge is.
bool takes_direct(int fd) {
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  return static_cast<bool>(UniqueFd(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)));
}

/// QEMU's node for one file of the chain; no header has a say in what is below it.
json node(const ChainMerge& merge, std::size_t index) {
  const bool is_base = index == merge.base;
  json file{{"driver", "file"},
            {"filename", "/proc/self/fd/" + std::to_string(first_file + static_cast<int>(index))}};
  if (merge.readers == ChainMerge::Readers::guest) file["locking"] = "off";
  json out{{"driver", "qcow2"}, {"node-name", node_name(index)}, {"read-only", !is_base}};
  out["backing"] = index == 0 ? json(nullptr) : json(node_name(index - 1));
  if (is_base) {
    // What is zero or discarded above takes no room, also where a layer has it written out.
    out["discard"] = file["discard"] = "unmap";
    out["detect-zeroes"] = "unmap";
    if (takes_direct(merge.files[index])) out["cache"] = file["cache"] = {{"direct", true}};
  }
  out["file"] = std::move(file);
  return out;
}

/// The talk with one qemu-storage-daemon: builds the chain, commits, looks how far it is, and has
/// it quit. A failure is kept until it has ended in good order.
class Dialogue {
 public:
  Dialogue(const ChainMerge& merge, const ProgressSink& progress)
      : merge_(merge), progress_(progress) {}

  Qmp& monitor() { return monitor_; }
  const std::optional<Fault>& failure() const { return failure_; }
  bool merged() const { return step_ == Step::quitting && !failure_; }

  void turn() {
    bool answered = false;
    for (const auto& message : monitor_.receive()) {
      if (message.contains("QMP")) ask("qmp_capabilities");
      if (message.value("event", "") == "JOB_STATUS_CHANGE") changed_ = true;
      if (message.contains("error")) fail(message["error"].value("desc", "no reason given"));
      if (message.contains("return")) {
        waiting_ = false;
        answered = true;
        take(message["return"]);
      }
    }
    if (waiting_ || step_ != Step::copying || (answered && !changed_)) return;
    changed_ = false;
    ask("query-jobs");
  }

 private:
  enum class Step { opening, copying, quitting };

  void ask(const std::string& command, const json& arguments = json::object()) {
    waiting_ = true;
    asked_ = command;
    monitor_.send(command, arguments);
  }

  void quit() {
    step_ = Step::quitting;
    ask("quit");
  }

  void fail(const std::string& words) {
    if (!failure_) failure_ = failed(words, remedy_of(words));
    if (step_ != Step::quitting) quit();
  }

  void take(const json& answer) {
    if (step_ == Step::opening) open_next();
    if (step_ == Step::copying && asked_ == "query-jobs") look(answer);
  }

  void open_next() {
    if (opened_ <= merge_.top) {
      ask("blockdev-add", node(merge_, opened_));
      ++opened_;
      return;
    }
    step_ = Step::copying;
    json arguments{{"job-id", job_id},
                   {"device", node_name(merge_.top)},
                   {"base-node", node_name(merge_.base)},
                   {"auto-dismiss", false}};
    if (merge_.bytes_per_second > 0) arguments["speed"] = merge_.bytes_per_second;
    ask("block-commit", arguments);
  }

  void look(const json& jobs) {
    if (!jobs.is_array() || jobs.empty()) return fail("QEMU has lost the job");
    const auto& job = jobs.front();
    const auto status = job.value("status", "");
    if (progress_)
      progress_({"merging disks", ByteCount(job.value("current-progress", std::uint64_t{0})),
                 ByteCount(job.value("total-progress", std::uint64_t{0}))});
    if (status == "concluded") {
      if (job.contains("error")) return fail(job["error"].get<std::string>());
      return quit();
    }
    // All is copied; what is left to do is to end it. The chain's upper files stay as they are.
    if (status == "ready" && !completing_) {
      completing_ = true;
      ask("job-complete", {{"id", job_id}});
    }
  }

  const ChainMerge& merge_;
  const ProgressSink& progress_;
  Qmp monitor_;
  Step step_ = Step::opening;
  std::string asked_;
  std::optional<Fault> failure_;
  std::size_t opened_ = 0;
  bool waiting_ = true;   ///< for an answer, at first for the greeting
  bool changed_ = false;  ///< the job's state has, since it was last looked at
  bool completing_ = false;
};

std::string words_of(const ProcessEnd& end) {
  std::string out;
  for (const char c : end.errors) out += c == '\n' ? ' ' : c;
  while (out.ends_with(' ')) out.pop_back();
  return out.empty() ? "qemu-storage-daemon ended with status " + std::to_string(end.exit_status)
                     : out;
}

}  // namespace

void merge_chain(const ChainMerge& merge, const ProgressSink& progress, std::stop_token stop) {
  if (merge.base >= merge.top || merge.top >= merge.files.size())
    throw failed("its files are not in order", Remedy::report_bug);
  Dialogue dialogue(merge, progress);
  ProcessRun run;
  run.arguments = {"qemu-storage-daemon", "--chardev", "socket,id=monitor,fd=3", "--monitor",
                   "chardev=monitor"};
  run.descriptors.push_back(dialogue.monitor().for_child());
  const auto needed = merge.files.begin() + static_cast<std::ptrdiff_t>(merge.top) + 1;
  run.descriptors.insert(run.descriptors.end(), merge.files.begin(), needed);
  run.talk = {dialogue.monitor().descriptor(), [&dialogue] { dialogue.turn(); }};
  // SIGTERM ends its jobs and closes the files in good order.
  run.stop = std::move(stop);
  const auto end = run_process(run);
  if (dialogue.failure()) throw *dialogue.failure();
  if (dialogue.merged() && end.exit_status == 0) return;
  if (end.stopped) throw failed("it was stopped", Remedy::retry);
  const auto words = words_of(end);
  throw failed(words, remedy_of(words));
}

}  // namespace satchel::disk
