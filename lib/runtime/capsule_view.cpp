// A capsule as the bus shows it, from its state and the newest head.
#include <algorithm>

#include "core/describe.hpp"
#include "machine/description.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/older.hpp"
#include "runtime/sentences.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace {

ByteCount size_of(const format::Head& head, const std::string& path) {
  const auto* object = head.find(path);
  return object == nullptr ? ByteCount() : object->size;
}

void add_head(CapsuleView& view, const format::Head& head, const std::vector<format::Head>& older) {
  view.generation = head.generation.seq;
  view.generation_id = head.generation.id;
  view.last_host = head.generation.host_name;
  view.last_time = head.generation.time;
  if (head.checked_out) view.checked_out_by = head.checked_out->host_name;
  view.has_memory = head.hibernation.has_value();
  if (head.hibernation) {
    view.hibernation_size =
        size_of(head, head.hibernation->pages) + size_of(head, head.hibernation->map);
    if (head.hibernation->segments)
      for (const auto& each : *head.hibernation->segments)
        view.hibernation_size = view.hibernation_size + size_of(head, each);
  }
  const auto sizes = sizes_of(head);
  view.image_size = sizes.images;
  view.cow_size = sizes.cows;
  view.layers_size = sizes.layers;
  view.layers = static_cast<std::uint32_t>(sizes.most_layers);
  const auto kept = restorable(head, older);
  for (const auto& past : head.history)
    view.history.push_back({past.generation.seq, past.generation.id, past.generation.host_name,
                            past.generation.time, past.what,
                            std::ranges::find(kept, past.generation.seq) != kept.end()});
  if (const auto machine = machine::read_json(head.machine_json))
    view.memory_size = machine::memory(*machine);
}

}  // namespace

std::string CapsuleRunner::in_use_beside() const {
  if (!std::holds_alternative<core::Safe>(state_)) return {};
  const auto insertion = core::device_of(state_);
  return insertion ? around_.devices.in_use_beside(*insertion) : std::string();
}

CapsuleView CapsuleRunner::view() const {
  CapsuleView view;
  view.id = id_;
  view.name = name_;
  view.state = core::name(state_);
  view.detail = core::detail(state_);
  view.next_step = core::next_step(state_);
  if (can_go_on_detached())
    view.next_step +=
        " Without its device: satchelctl launch --without-device goes on with what this computer "
        "keeps of its disks.";
  if (has_its_copies())
    view.next_step +=
        " If the device is lost: satchelctl resolve export-ours writes what is here to plain "
        "files.";
  view.can_unplug = core::can_unplug(state_) && !is_unasked();
  if (is_unasked()) {
    view.detail = "What became of its guest on this computer is not known: libvirt could not tell.";
    view.next_step = "See 'satchelctl doctor'. It is asked again when libvirt is back.";
  }
  if (const auto insertion = core::device_of(state_))
    view.device = around_.devices.number_of(*insertion);
  if (const auto others = in_use_beside(); !others.empty()) {
    view.detail = safe_but_in_use_sentence(others);
    view.next_step = "Do not pull the device out before that has ended.";
  }
  view.job = core::job_of(state_);
  if (session_) view.domain = session_->domain_name;
  if (head_) {
    add_head(view, head_->head, older_);
    const auto& config = around_.parts.config;
    view.cow_limit = cow_limit(config, head_->head).value_or(ByteCount());
    for (const auto what : due()) view.due.emplace_back(core::name(what));
  }
  return view;
}

}  // namespace satchel
