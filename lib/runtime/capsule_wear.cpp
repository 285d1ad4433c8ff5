// How much of the memory on a device an eject would write anew although it did not change: what a
// compaction does before, with nobody waiting (docs/decisions/0035-compaction.md).
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "hibernation/alive_cells.hpp"
#include "runtime/beside_reading.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/heads.hpp"
#include "runtime/memory_file.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

const Digest& map_of(const format::Head& head) { return head.find(head.hibernation->map)->digest; }

/// So often after one another: what is written whole of differences may leave their segments worn.
constexpr std::size_t most_rounds = 4;

/// None: the device has no room for it now.
std::optional<ByteCount> worn_with_room(const Parts& parts, const Stick& stick,
                                        const format::Head& head) {
  const auto capsule = format::CapsuleDirectory::open(stick.root()->get(), head.capsule);
  const auto worn = hibernation::worn(memory_map(capsule, head));
  if (capsule.room().free < worn + worn + parts.config.space.keep_free_device) return std::nullopt;
  return worn;
}

std::size_t rounds_of(const format::Head& head) {
  const auto last = std::find_if(head.history.rbegin(), head.history.rend(),
                                 [](const auto& each) { return each.what != what::compact; });
  return static_cast<std::size_t>(last - head.history.rbegin());
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
  std::optional<ByteCount> worn;
  {
    BesideReading reading(parts, "measure", id_, held->insertion(), Readers::Reads::memory);
    try {
      auto measuring = reading.run([&](ByteCount) {
        worn = worn_with_room(parts, *held, head);
        return false;
      });
      const bool whole = co_await std::move(measuring);
      if (!whole || !worn) co_return;
      found.bytes = *worn;
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
  if (rounds_of(head_->head) >= most_rounds) return false;
  const auto insertion = core::device_of(state_);
  const auto held = insertion ? around_.devices.stick(*insertion) : nullptr;
  if (!held || held->distrusts_memory(id_)) return false;
  const auto* running = std::get_if<core::Running>(&state_);
  if (running == nullptr) return true;
  // Beside a machine it is not read at once, but where the check of it has ended.
  return running->session.guest != core::Guest::off && held->has_seen_memory(wear_->map);
}

}  // namespace satchel
