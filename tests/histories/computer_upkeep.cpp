// What a computer commits while its guest runs on: checkpoints, merges and folds.
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "histories/computer.hpp"
#include "histories/files.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/layers.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/jobs/tending.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"

namespace satchel::histories {

namespace fs = std::filesystem;

namespace {

Fault in_vain(const Session& session) {
  return Fault(Remedy::retry,
               Fault::Text{"write a checkpoint of", session.capsule_name, "it was not to be", {}});
}

/// Folds look at the size of a file, and lines are few.
std::vector<tending::Span> written_cows(const tending::Tending& at, const fs::path& place) {
  std::vector<tending::Span> out;
  for (const auto& disk : at.head().disks)
    if (!lines_in(place / disk.chain[1]).empty()) out.push_back({disk.target, 0, 1});
  return out;
}

}  // namespace

/// The guest's writes go to a new overlay.
void Computer::add_overlay(Session& session) {
  auto& disk = session.disks.front();
  const auto directory = fs::path(disk.path).parent_path();
  int number = 1;
  while (fs::exists(directory / ("vda-" + std::to_string(number) + ".qcow2"))) ++number;
  const auto path = (directory / ("vda-" + std::to_string(number) + ".qcow2")).string();
  put(path, shop_.empty_overlay);
  disk.frozen.push_back(std::exchange(disk.path, path));
}

core::Event Computer::checkpoint(JobContext job) {
  using End = CheckpointPlay::End;
  const auto how = std::exchange(checkpoint_, {});
  auto session = *shelf_.find(capsule_);
  auto shipment = prepare_shipment(parts_, *stick_, session, what::checkpoint, false, job);
  const auto mark = shipment.newest.head.checked_out;
  if (!mark || mark->session != session.session) throw in_vain(session);
  shipment.next.checked_out = mark;
  truth_.stands_on(session.session, session.base);
  auto& run = truth_.runs.at(session.session);
  const auto before = session;
  step();
  add_overlay(session);
  shelf_.save(session);
  session_ = session;
  run.taken = run.written;
  step();
  if (how.meanwhile) write(how.meanwhile->first, how.meanwhile->second);
  if (how.end == End::before_the_commit) throw in_vain(session);
  auto layers = ship_layers(parts_, shipment, before, *job.meter, job.stop);
  step();
  auto committed = commit_shipment(parts_, shipment, before, std::move(layers), *job.meter);
  record(committed, Deed::checkpoint, session.session);
  step();
  if (how.end == End::behind_the_commit) throw in_vain(session);
  session.disks.front().frozen.clear();
  session.checkpointed = committed.head.generation.seq;
  session.checkpoint = committed.head.generation.id;
  follow(session, committed.head);
  shelf_.save(session);
  session_ = session;
  truth_.checkpointed(session.session, committed.head.generation.id);
  step();
  tidy(parts_, shipment, ByteCount(), std::chrono::milliseconds(0));
  head_ = std::move(committed);
  step();
  note(Noting::as_ours);
  return done(job.id, core_session(session, guest()), core::DeviceUse::kept);
}

void Computer::merge(tending::Tending& at, const std::vector<tending::Span>& spans,
                     core::Upkeep what, bool insisted, const JobContext& job) {
  const auto by = at.order.session ? std::optional(at.order.session->session) : std::nullopt;
  const auto deed = what == core::Upkeep::fold ? Deed::fold : Deed::merge;
  const auto before = at.head().generation.id;
  tending::begin(at, spans, what);
  if (at.head().generation.id != before) record(at.newest, deed, by, insisted);
  tending::give_up_older(at, spans);
  step();
  const auto place = medium_path(medium_->number) / "satchel" / capsule_.value.str();
  for (const auto& span : spans) {
    const auto& chain = at.disk(span.target).chain;
    for (auto i = span.base + 1; i <= span.top; ++i) {
      for (const auto& [key, value] : lines_in(place / chain[i]))
        append(place / chain[span.base], std::to_string(key) + " " + std::to_string(value) + "\n");
      step();
    }
  }
  if (what == core::Upkeep::fold)
    tending::commit_folded(at, spans, job);
  else
    tending::commit_merged(at, spans, job);
  record(at.newest, deed, by, insisted);
  step();
  tending::keep_up(at, what == core::Upkeep::fold ? what::fold : what::merge);
  if (!at.order.session) return;
  session_ = at.order.session;
  truth_.stands_on(*by, session_->base);
}

core::Event Computer::tend(JobContext job, core::StartUpkeep how) {
  TendOrder order;
  order.stick = stick_;
  order.capsule = capsule_;
  order.what = how.what;
  order.although = how.although;
  if (mistake_ == Mistake::need_forgotten) order.although = core::Although::go_on;
  if (core::session_of(state_) != nullptr) order.session = shelf_.find(capsule_);
  auto at = tending::open(parts_, std::move(order));
  const bool insisted =
      how.although == core::Although::go_on && truth_.is_needed(number_, at.head().generation.id);
  std::vector<format::Head> kept;
  if (how.by == core::Requester::policy && how.what == core::Upkeep::merge)
    kept = kept_among(at.capsule.older(), at.head(), parts_.config.generations.keep);
  if (const auto spans = tending::layers_of(at.head(), kept); !spans.empty())
    merge(at, spans, core::Upkeep::merge, insisted, job);
  if (how.what == core::Upkeep::fold) {
    const auto place = medium_path(medium_->number) / "satchel" / capsule_.value.str();
    if (const auto spans = written_cows(at, place); !spans.empty())
      merge(at, spans, core::Upkeep::fold, insisted, job);
  }
  head_ = std::move(at.newest);
  step();
  note(Noting::if_newer);
  if (!truth_.lacking(number_, medium_->tip)) truth_.goes_on(number_, medium_->tip);
  std::optional<core::Session> session;
  if (core::session_of(state_) != nullptr) session = core_session(*session_, guest());
  return done(job.id, std::move(session), core::DeviceUse::kept);
}

}  // namespace satchel::histories
