// The fake's block jobs: commits of chain files below the topmost one, as the live description
// shows them. They copy nothing: a fake guest has no disks.
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <pugixml.hpp>
#include <sstream>

#include "fakes/fake_hypervisor.hpp"

namespace satchel::test {

namespace {

constexpr auto committing = "merge the layers of";

Fault refusal(const std::string& object, std::string why) {
  return Fault(Remedy::fix_request, Fault::Text{committing, object, std::move(why), {}});
}

/// The elements of a disk that have a `<source>`, topmost first; the first is the disk itself.
std::vector<pugi::xml_node> levels_of(const pugi::xml_document& domain, const std::string& target) {
  std::vector<pugi::xml_node> levels;
  for (const auto& disk : domain.child("domain").child("devices").children("disk"))
    if (target == disk.child("target").attribute("dev").value())
      for (auto level = disk; level.child("source"); level = level.child("backingStore"))
        levels.push_back(level);
  return levels;
}

std::string file_of(const pugi::xml_node& level) {
  return level.child("source").attribute("file").value();
}

/// The description with the files above `base` up to and with `top` taken out of the disk's chain.
std::string shortened(const std::string& xml, const LayerCommit& commit) {
  pugi::xml_document domain;
  domain.load_string(xml.c_str());
  const auto levels = levels_of(domain, commit.target);
  std::size_t top = 0;
  std::size_t base = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (file_of(levels[i]) == commit.top) top = i;
    if (file_of(levels[i]) == commit.base) base = i;
  }
  if (top == 0 || base <= top)
    throw refusal("disk " + commit.target,
                  commit.base + " is not below " + commit.top + ", or that is the topmost file");
  auto above = levels[top - 1];
  above.insert_copy_before(levels[base], levels[top]);
  above.remove_child(levels[top]);
  std::ostringstream out;
  domain.save(out, " ", pugi::format_default | pugi::format_no_declaration);
  return out.str();
}

}  // namespace

Task<void> FakeHypervisor::wait_midway(std::shared_ptr<BlockJob> job,
                                       std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!job->aborted && connected_ && (commits_held_ || std::chrono::steady_clock::now() < end)) {
    job->change.expires_at(commits_held_ ? boost::asio::steady_timer::time_point::max() : end);
    boost::system::error_code woken;
    co_await job->change.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
  if (!connected_)
    throw Fault(Remedy::retry, Fault::Text{"reach", "the hypervisor", "connection lost", {}});
}

Task<void> FakeHypervisor::commit_layers(DomainId id, LayerCommit commit, ProgressSink progress,
                                         std::stop_token stop) {
  enter(Call::commit, id.value.str());
  auto& machine = active(id, committing);
  if (machine.aborted || machine.block_job) throw refusal(machine.name, "another job is active");
  static_cast<void>(shortened(machine.live, commit));
  const auto job = std::make_shared<BlockJob>(loop_);
  machine.block_job = job;
  const std::stop_callback stopping(
      stop, [loop = loop_, job] { boost::asio::post(loop, [job] { job->abort(); }); });
  const auto whole = mebibytes(1);
  if (progress) progress({"merging disk " + commit.target, ByteCount(whole.value / 2), whole});
  const std::uint64_t rate = commit.bytes_per_second;
  auto waiting =
      wait_midway(job, std::chrono::milliseconds(rate == 0 ? 0 : whole.value * 1000 / rate));
  co_await std::move(waiting);
  // The guest may be gone, and even started again, meanwhile.
  const auto there = machines_.find(id);
  if (there != machines_.end() && there->second.block_job == job) there->second.block_job.reset();
  const auto failure = std::exchange(fail_midway_, std::nullopt);
  if (job->aborted || there == machines_.end())
    throw Fault(Remedy::retry,
                Fault::Text{committing, "machine " + id.value.str(), "it was stopped", {}});
  if (failure)
    throw Fault(*failure, Fault::Text{committing, there->second.name, "a planned failure", {}});
  there->second.live = shortened(there->second.live, commit);
  if (progress) progress({"merging disk " + commit.target, whole, whole});
}

Task<void> FakeHypervisor::abort_block_jobs(DomainId id) {
  enter(Call::abort_block_jobs, id.value.str());
  if (const auto there = machines_.find(id); there != machines_.end())
    if (there->second.block_job) std::exchange(there->second.block_job, nullptr)->abort();
  co_return;
}

void FakeHypervisor::let_commits_go() {
  commits_held_ = false;
  for (auto& [id, machine] : machines_)
    if (machine.block_job) machine.block_job->change.cancel();
}

void FakeHypervisor::leave_block_job(DomainId id) {
  active(id, committing).block_job = std::make_shared<BlockJob>(loop_);
}

bool FakeHypervisor::has_block_job(DomainId id) const {
  const auto there = machines_.find(id);
  return there != machines_.end() && there->second.block_job != nullptr;
}

std::vector<std::string> FakeHypervisor::chain(DomainId id, const std::string& target) const {
  pugi::xml_document domain;
  domain.load_string(machines_.at(id).live.c_str());
  std::vector<std::string> files;
  for (const auto& level : levels_of(domain, target)) files.push_back(file_of(level));
  return files;
}

}  // namespace satchel::test
