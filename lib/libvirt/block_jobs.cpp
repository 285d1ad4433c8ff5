// Merging chain files of a live guest, and ending what an earlier process left at work.
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "libvirt/domain.hpp"
#include "libvirt/hypervisor.hpp"
#include "libvirt/xml.hpp"

namespace satchel {

namespace {

constexpr auto merging = "merge the layers of";
constexpr auto between_looks = std::chrono::milliseconds(200);

Fault failed(Remedy remedy, const LayerCommit& commit, DomainId id, std::string why) {
  return Fault(
      remedy,
      Fault::Text{
          merging, "disk " + commit.target + " of machine " + id.value.str(), std::move(why), {}});
}

/// One commit under way, as the loop knows it.
struct Watched {
  explicit Watched(const boost::asio::any_io_executor& loop) : beat(loop) {}
  boost::asio::steady_timer beat;
  std::optional<BlockJobEnd> end;
  bool stop_asked = false;
};

/// For how long nothing has come of a commit.
class Stall {
 public:
  void look(ByteCount done) {
    if (done == done_) return;
    done_ = done;
    since_ = std::chrono::steady_clock::now();
  }
  void begin_anew() { since_ = std::chrono::steady_clock::now(); }
  bool is_longer_than(std::chrono::milliseconds limit) const {
    return std::chrono::steady_clock::now() - since_ > limit;
  }

 private:
  ByteCount done_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

/// Listens for the job's end as long as it lives. Loop thread.
class Listening {
 public:
  Listening(std::shared_ptr<Link> link, DomainId id, std::string target,
            std::shared_ptr<Watched> watched)
      : link_(std::move(link)), id_(id), target_(std::move(target)) {
    link_->watch_block_jobs(id_, target_, [watched = std::move(watched)](BlockJobEnd end) {
      watched->end = end;
      watched->beat.cancel();
    });
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  ~Listening() { link_->watch_block_jobs(id_, target_, {}); }

 private:
  std::shared_ptr<Link> link_;
  DomainId id_;
  std::string target_;
};

int begin_commit(virDomainPtr domain, DomainId id, const LayerCommit& commit) {
  const auto names = commit_names(xml_of(domain, 0), commit);
  if (!names) throw failed(Remedy::report_bug, commit, id, to_string(names.error()));
  // Both are always named: without a base, libvirt merges into the very bottom of the chain.
  const int begun = virDomainBlockCommit(
      domain, commit.target.c_str(), names->base.c_str(), names->top.c_str(),
      static_cast<unsigned long>(commit.bytes_per_second), VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES);
  // QEMU leaves its locks on a lent descriptor when it closes it, and is then in its own way.
  if (begun < 0 && libvirt_error_text().ends_with(" lock"))
    throw Fault(Remedy::retry,
                Fault::Text{merging, virDomainGetName(domain),
                            "QEMU has merged or begun to merge into a file of disk " +
                                commit.target + " since this guest was started, and does so once",
                            "It can be merged when the machine is ejected, or the next time it is "
                            "launched."});
  return begun;
}

/// None when libvirt knows of no job on the disk.
std::optional<Progress> look_at(virDomainPtr domain, const std::string& target) {
  virDomainBlockJobInfo info{};
  const int known = virDomainGetBlockJobInfo(domain, target.c_str(), &info, 0);
  if (known < 0) throw_libvirt_fault(merging, domain);
  if (known == 0) return std::nullopt;
  return Progress{"merging disk " + target, ByteCount(info.cur), ByteCount(info.end)};
}

/// The end of a job of which no event came: a libvirtd that restarted meanwhile tells of none.
BlockJobEnd end_by_chain(virDomainPtr domain, const LayerCommit& commit) {
  return commit_names(xml_of(domain, 0), commit) ? BlockJobEnd::failed : BlockJobEnd::completed;
}

/// Asks for the end of the job on a disk; true when there was none.
bool ask_for_end(virDomainPtr domain, const std::string& target) {
  virDomainBlockJobInfo info{};
  const int known = virDomainGetBlockJobInfo(domain, target.c_str(), &info, 0);
  if (known < 0) throw_libvirt_fault("end the block jobs of", domain);
  if (known == 0) return true;
  // Refused where it is ending already.
  if (virDomainBlockJobAbort(domain, target.c_str(), VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC) < 0 &&
      libvirt_error_code() != VIR_ERR_OPERATION_INVALID)
    throw_libvirt_fault("end the block jobs of", domain);
  return false;
}

/// True when no disk of the guest has a job any more, or there is no guest.
bool ask_for_ends(Link& link, DomainId id) {
  const auto connection = link.connection();
  const DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
  if (!domain && libvirt_error_code() == VIR_ERR_NO_DOMAIN) return true;
  if (!domain) throw_libvirt_fault("look up", "machine " + id.value.str());
  bool none = true;
  try {
    if (virDomainIsActive(domain.get()) != 1) return true;
    for (const auto& target : disk_targets(xml_of(domain.get(), 0)))
      if (!ask_for_end(domain.get(), target)) none = false;
  } catch (const Fault&) {
    // It may have ended between two questions.
    if (virDomainIsActive(domain.get()) == 1) throw;
    return true;
  }
  return none;
}

}  // namespace

Task<void> LibvirtHypervisor::commit_layers(DomainId id, LayerCommit commit, ProgressSink progress,
                                            std::stop_token stop) {
  const auto link = link_;
  const auto watched = std::make_shared<Watched>(link->loop());
  const Listening listening(link, id, commit.target, watched);
  const std::stop_callback stopping(stop, [loop = link->loop(), watched] {
    boost::asio::post(loop, [watched] {
      watched->stop_asked = true;
      watched->beat.cancel();
    });
  });
  auto beginning = act(lanes_.slow, link, id, merging, [id, commit](virDomainPtr domain) {
    return begin_commit(domain, id, commit);
  });
  co_await std::move(beginning);
  bool stop_passed_on = false;
  bool stalled = false;
  Stall stall;
  int times_gone = 0;
  while (!watched->end) {
    if (!watched->stop_asked || stop_passed_on) {
      watched->beat.expires_after(between_looks);
      boost::system::error_code woken;
      co_await watched->beat.async_wait(
          boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    }
    if (watched->end) break;
    if (watched->stop_asked && !stop_passed_on) {
      auto ending = act(lanes_.quick, link, id, merging, [target = commit.target](virDomainPtr it) {
        ask_for_end(it, target);
        return 0;
      });
      co_await std::move(ending);
      stop_passed_on = true;
      stall.begin_anew();
      continue;
    }
    auto looking = offload(lanes_.quick, [link, id, target = commit.target] {
      const auto connection = link->connection();
      return look_at(lookup(connection, id, merging).get(), target);
    });
    const auto now = co_await std::move(looking);
    if (now && progress) progress(*now);
    if (now) stall.look(now->done);
    if (now && stall.is_longer_than(longest_stall)) {
      // What libvirt does not end for so long is not waited for any more.
      if (stop_passed_on) throw failed(Remedy::retry, commit, id, "libvirt does not end it");
      stalled = watched->stop_asked = true;
      continue;
    }
    // Its event is on its way, or will never come.
    if (now || ++times_gone < 3) continue;
    auto judging = offload(lanes_.quick, [link, id, commit] {
      const auto connection = link->connection();
      return end_by_chain(lookup(connection, id, merging).get(), commit);
    });
    const auto end = co_await std::move(judging);
    if (!watched->end) watched->end = end;
  }
  if (*watched->end == BlockJobEnd::completed) co_return;
  if (stalled) throw failed(Remedy::retry, commit, id, "it came no further, and was stopped");
  if (watched->stop_asked || *watched->end == BlockJobEnd::cancelled)
    throw failed(Remedy::retry, commit, id, "it was stopped");
  throw failed(Remedy::retry, commit, id,
               "QEMU could not read or write one of its files; libvirt's log has the reason");
}

Task<std::vector<std::string>> LibvirtHypervisor::merge_snapshots(DomainId id, std::string target,
                                                                  std::string directory,
                                                                  std::stop_token stop) {
  const auto link = link_;
  auto looking = offload(lanes_.quick, [link, id, target, directory] {
    const auto connection = link->connection();
    return files_below(xml_of(lookup(connection, id, merging).get(), 0), target, directory);
  });
  auto files = co_await std::move(looking);
  if (files.size() < 2) co_return std::vector<std::string>{};
  auto commit = commit_layers(id, {target, files.back(), files.front()}, {}, std::move(stop));
  co_await std::move(commit);
  files.pop_back();
  co_return files;
}

Task<void> LibvirtHypervisor::abort_block_jobs(DomainId id) {
  const auto link = link_;
  boost::asio::steady_timer beat(link->loop());
  bool none = false;
  while (!none) {
    auto asking = offload(lanes_.quick, [link, id] { return ask_for_ends(*link, id); });
    none = co_await std::move(asking);
    if (none) break;
    beat.expires_after(std::chrono::milliseconds(50));
    co_await beat.async_wait(boost::asio::use_awaitable);
  }
}

}  // namespace satchel
