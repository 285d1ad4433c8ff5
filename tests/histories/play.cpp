#include "histories/play.hpp"

#include <fcntl.h>

#include <algorithm>
#include <stdexcept>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "histories/files.hpp"
#include "runtime/heads.hpp"

namespace satchel::histories {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_media = 3;
constexpr std::size_t most_backups = 2;

void copy_tree(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

}  // namespace

Play::Play(Workshop& shop, std::uint64_t seed, Mistake mistake)
    : shop_(shop),
      seed_(seed),
      random_(seed),
      world_(shop.place / ("world-" + std::to_string(seed))),
      capsule_(Uuid::random()) {
  fs::create_directories(world_);
  const auto hosts = 2 + draw(3);
  truth_.session_of.resize(hosts);
  truth_.seen_by.resize(hosts);
  truth_.unrun_by.resize(hosts);
  truth_.on_insert = chance(3) ? core::OnInsert::resume : core::OnInsert::ask;
  for (std::size_t i = 0; i < hosts; ++i)
    computers_.push_back(std::make_unique<Computer>(shop, world_, i, capsule_, truth_, mistake));
}

Play::~Play() {
  std::error_code left;
  fs::remove_all(world_, left);
}

std::optional<std::string> Play::run() {
  try {
    pack();
    const auto steps = 13 + draw(16);
    const auto long_at = seed_ % 20 == 0 ? draw(4) : steps;
    for (std::size_t i = 0; i < steps; ++i) {
      if (i == long_at) run_long();
      step();
      check_media();
      check_sessions();
    }
    for (const auto& medium : media_) medium->is_checked = false;
    check_media();
    return std::nullopt;
  } catch (const std::exception& wrong) {
    auto out = "seed " + std::to_string(seed_) + ": " + wrong.what() + "\n";
    for (const auto& each : steps_) out += "  " + each + "\n";
    return out;
  }
}

std::size_t Play::draw(std::size_t below) {
  return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
}

std::size_t Play::number_of(const Computer& computer) const {
  for (std::size_t i = 0; i < computers_.size(); ++i)
    if (computers_[i].get() == &computer) return i;
  throw std::logic_error("not one of this history's computers");
}

std::string Play::title(const Computer& computer) const {
  return "host-" + std::to_string(number_of(computer));
}

std::string Play::title(const Medium& medium) { return "device " + std::to_string(medium.number); }

Medium* Play::any_free_medium() {
  std::vector<Medium*> free;
  for (const auto& medium : media_)
    if (!medium->host) free.push_back(medium.get());
  return free.empty() ? nullptr : free[draw(free.size())];
}

fs::path Play::place_of(std::size_t medium) const {
  return computers_.front()->medium_path(medium);
}

void Play::pack() {
  const auto place = place_of(0);
  fs::create_directories(place);
  const UniqueFd root(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto capsule = format::CapsuleDirectory::create(root.get(), capsule_);
  const auto& key = shop_.keys.front();
  auto head = first_head(capsule_, "traveller",
                         {key.public_key().host_id(), "host-0", UnixMicros(1)}, "pack");
  head.machine_json = "{}";
  format::Disk disk{"vda", mebibytes(1), {}};
  for (const auto* name : {"vda/image.qcow2", "vda/cow.qcow2"}) {
    add_object(head, store_bytes(capsule, shop_.empty_overlay, name));
    disk.chain.emplace_back(name);
  }
  head.disks.push_back(std::move(disk));
  capsule.commit(head, key);
  truth_.committed(head, Deed::pack, {}, false);
  media_.push_back(std::make_unique<Medium>(Medium{0, head.generation.id, {}}));
}

void Play::step() {
  const auto kind = draw(20);
  if (kind < 2) return copy();
  if (kind < 4) return restore();
  auto& computer = any_computer();
  if (computer.medium() != nullptr) return act(computer);
  auto* medium = any_free_medium();
  if (medium != nullptr && !chance(4)) return insert(computer, *medium);
  if (core::session_of(computer.state()) != nullptr && chance(3)) return choose(computer);
  restart(computer);
}

void Play::with_power(Computer& computer, const std::function<void()>& what) {
  if (chance(6)) computer.cut_power_after(1 + static_cast<int>(draw(4)));
  try {
    what();
    computer.cut_power_after(0);
    return;
  } catch (const PowerCut&) {
    ++counts_["power cuts within a job"];
    say("  its power fails meanwhile");
  }
  if (auto* medium = computer.cut_power()) insert(computer, *medium);
}

void Play::insert(Computer& computer, Medium& medium) {
  say(title(computer) + " gets " + title(medium));
  const auto wanted = truth_.examined(number_of(computer), medium.tip);
  bool whole = false;
  with_power(computer, [&] {
    computer.plug(medium);
    whole = true;
  });
  if (whole) expect(computer, wanted);
}

void Play::copy() {
  const auto& from = *media_[draw(media_.size())];
  Medium* to = any_free_medium();
  if (media_.size() < most_media) {
    media_.push_back(std::make_unique<Medium>(Medium{media_.size(), from.tip, {}}));
    to = media_.back().get();
  }
  if (to == nullptr || to == &from) return;
  say(title(from) + " is copied to " + title(*to));
  copy_tree(place_of(from.number), place_of(to->number));
  to->tip = from.tip;
  to->is_checked = false;
}

void Play::restore() {
  if (backups_.size() < most_backups) {
    const auto& from = *media_[draw(media_.size())];
    backups_.push_back({world_ / ("backup-" + std::to_string(backups_.size())), from.tip});
    say(title(from) + " is backed up");
    return copy_tree(place_of(from.number), backups_.back().place);
  }
  auto* to = any_free_medium();
  if (to == nullptr) return;
  const auto& backup = backups_[draw(backups_.size())];
  say("a backup is restored to " + title(*to));
  copy_tree(backup.place, place_of(to->number));
  to->tip = backup.tip;
  to->is_checked = false;
}

}  // namespace satchel::histories
