// What has to hold after every step of a history.
#include <fcntl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/describe.hpp"
#include "histories/files.hpp"
#include "histories/play.hpp"
#include "runtime/disk_check.hpp"

namespace satchel::histories {

namespace fs = std::filesystem;

namespace {

using How = core::Lacking::How;

std::string in_words(const std::optional<How>& lacks) {
  if (!lacks) return "nothing lacks";
  return *lacks == How::older_copy ? "an older copy" : "another branch";
}

View over(View below, const View& written) {
  for (const auto& [key, value] : written) below[key] = value;
  return below;
}

/// In all overlays of a session, the lowest first.
View written_in(const DiskOverlay& disk) {
  View out;
  auto files = disk.overlays();
  for (auto file = files.rbegin(); file != files.rend(); ++file)
    for (const auto& [key, value] : lines_in(*file)) out[key] = value;
  return out;
}

}  // namespace

void Play::require(bool holds, const std::string& what) const {
  if (!holds) throw std::runtime_error(what);
}

void Play::expect(const Computer& computer, Expected wanted) {
  const auto number = number_of(computer);
  const auto is = std::string(core::name(computer.state()));
  const auto* found = core::found_of(computer.state());
  require(found != nullptr, "it is " + is + " and not " + wanted.state);
  const auto lacks = found->lacks ? std::optional(found->lacks->how) : std::nullopt;
  // A session that goes on may have been checked out anew, on top of what was there.
  if (is == "running") wanted.lacks = truth_.lacking(number, found->id);
  if (lacks != wanted.lacks && wanted.may_be_unknown) {
    const auto& tip = truth_.nodes.at(found->id);
    const auto seen = truth_.nodes.at(*truth_.seen_by[number]).seq;
    require(lacks ? tip.seq < seen : tip.seq >= seen || is == "running", "it says too much");
    ++counts_["copies that nothing tells apart any more"];
    if (!lacks && truth_.on_insert == core::OnInsert::resume && is == "running") wanted.state = is;
    if (!lacks) truth_.goes_on(number, computer.medium()->tip);
    wanted.lacks = lacks;
  }
  if (is == "diverged" && wanted.may_be_diverged) wanted.state = is;
  require(is == wanted.state,
          "it is " + is + " and not " + wanted.state + ": " + core::detail(computer.state()));
  require(lacks == wanted.lacks,
          "it has " + in_words(lacks) + " instead of " + in_words(wanted.lacks));
  ++counts_[is + ", " + in_words(lacks)];
  if (is != "ready") return;
  const auto mark = truth_.mark(number, found->id);
  const auto told = found->checked_out ? std::optional(found->checked_out->session) : std::nullopt;
  require(mark == told, "who has it checked out is not as it is");
  if (mark) ++counts_["ready, checked out elsewhere"];
}

View Play::on_medium(const Medium& medium, const std::vector<std::string>& chain) const {
  const auto capsule = place_of(medium.number) / "satchel" / capsule_.value.str();
  auto there = chain;
  // A layer that the journal's own host merged before its power failed is in the file below.
  std::erase_if(there, [&](const auto& file) { return !fs::exists(capsule / file); });
  return shown_by(capsule, there);
}

void Play::check_digests(const format::CapsuleDirectory& capsule, const format::Head& newest,
                         const format::Head& head, const std::string& what) {
  Config config;
  config.check.disks = DisksChecked::all;
  const auto chains = chains_of(head);
  for (const auto& file : files_to_check(config, DiskUse::whole, newest, chains, &head)) {
    ++counts_["files with the digest that is stated"];
    require(capsule.is_as_stated(file, {}, {}), what + " has " + file.path + " of generation " +
                                                    std::to_string(head.generation.seq.value) +
                                                    " unlike its digest, and would refuse it");
  }
}

void Play::check_media() {
  for (const auto& medium : media_) {
    if (std::exchange(medium->is_checked, true)) continue;
    const UniqueFd root(
        ::open(place_of(medium->number).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto capsule = format::CapsuleDirectory::open(root.get(), capsule_);
    const auto seen = capsule.examine();
    const auto what = "device " + std::to_string(medium->number);
    require(seen.newest.has_value(), what + " has no whole generation");
    if (!seen.problems.empty()) throw std::runtime_error(what + ": " + seen.problems.front());
    const auto& head = seen.newest->head;
    require(head.generation.id == medium->tip, what + " has lost its newest generation");
    const auto& chain = head.disks.front().chain;
    const auto place = place_of(medium->number) / "satchel" / capsule_.value.str();
    require(shown_by(place, chain) == truth_.nodes.at(medium->tip).view,
            what + " shows something else than was written");
    check_digests(capsule, head, head, what);
    for (const auto& older : capsule.older()) {
      ++counts_["older generations on a device"];
      check_digests(capsule, head, older, what);
      require(
          shown_by(place, older.disks.front().chain) == truth_.nodes.at(older.generation.id).view,
          what + " shows something else than was written in generation " +
              std::to_string(older.generation.seq.value));
    }
  }
}

void Play::check_sessions() {
  for (const auto& [id, run] : truth_.runs) {
    if (!run.born || run.over) continue;
    const auto what = "the session of host-" + std::to_string(run.host);
    const auto journal = computers_[run.host]->shelf().find(capsule_);
    require(journal && journal->session == id, what + " has lost its journal");
    const auto written = written_in(journal->disks.front());
    require(written == run.written, what + " has lost what was written");
    for (const auto& medium : media_) {
      if (!truth_.must_hold(run, medium->tip)) continue;
      ++counts_["sessions whose files a device has to have"];
      // The overlays hide what a checkpoint of theirs has left below, of which the journal may not
      // know.
      require(over(on_medium(*medium, journal->disks.front().chain), written) ==
                  over(truth_.nodes.at(run.base).view, written),
              what + " has lost its files on device " + std::to_string(medium->number));
    }
  }
}

}  // namespace satchel::histories
