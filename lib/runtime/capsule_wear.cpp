// How much of the memory on a device an eject would write anew although it did not change: what a
// compaction does before, with nobody waiting (docs/decisions/0035-compaction.md).
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "hibernation/alive_cells.hpp"
#include "runtime/beside_reading.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/memory_file.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

const Digest& map_of(const format::Head& head) { return head.find(head.hibernation->map)->digest; }

/// None where the device has no room for it.
ByteCount worn_with_room(const Parts& parts, const Stick& stick, const format::Head& head) {
  const auto capsule = format::CapsuleDirectory::open(stick.root()->get(), head.capsule);
  const auto worn = hibernation::worn(memory_map(capsule, head));
  const auto wanted = worn + worn + parts.config.space.keep_free_device;
  return capsule.room().free < wanted ? ByteCount() : worn;
}

}  // namespace

void CapsuleRunner::look_at_wear() {
  auto& parts = around_.parts;
  if (parts.config.compact.size.value == 0 || !head_ || !has_pages(head_->head)) return;
  const bool is_at_hand =
      std::holds_alternative<core::Ready>(state_) || std::holds_alternative<core::Running>(state_);
  if (!is_at_hand || (wear_ && wear_->map == map_of(head_->head))) return;
  if (parts.readers->is_doing("measure", id_)) return;
  const auto held = around_.devices.stick(*core::device_of(state_));
  if (!held || !held->is_open()) return;
  asio::co_spawn(parts.loop, measure_wear(held, head_->head), asio::detached);
}

Task<void> CapsuleRunner::measure_wear(std::shared_ptr<Stick> held, format::Head head) {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  Wear found{map_of(head), {}};
  {
    BesideReading reading(parts, "measure", id_, held->insertion(), Readers::Reads::memory);
    try {
      auto measuring = reading.run([&](ByteCount) {
        found.bytes = worn_with_room(parts, *held, head);
        return false;
      });
      const bool whole = co_await std::move(measuring);
      if (!whole) co_return;
    } catch (const Fault& failure) {
      if (reading.is_stopped() || !held->is_open()) co_return;
      // Whoever needs the memory says what is wrong with it.
      parts.log.debug(std::string(failure.what()) + "; " + name_ + "'s memory is not compacted");
    }
  }
  wear_ = found;
  look_at_upkeep();
  around_.changed();
}

bool CapsuleRunner::is_worn() const {
  const auto& config = around_.parts.config;
  if (!wear_ || config.compact.size.value == 0 || wear_->bytes < config.compact.size) return false;
  if (!head_ || !has_pages(head_->head) || wear_->map != map_of(head_->head)) return false;
  // Whatever the map says: there is no second one before something was written.
  if (head_->head.history.back().what == "compact") return false;
  if (!std::holds_alternative<core::Running>(state_)) return true;
  // Beside a machine it is not read at once, but where the check of it has ended.
  const auto held = around_.devices.stick(*core::device_of(state_));
  return held && held->has_seen_memory(wear_->map);
}

}  // namespace satchel
