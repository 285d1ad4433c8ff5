#include "runtime/jobs/suspension.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/save_image.hpp"
#include "runtime/jobs/memory_destination.hpp"
#include "runtime/jobs/patience.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr auto refusal_interval = std::chrono::milliseconds(100);

/// Takes libvirt's container off the front of what the gate gives.
class QemuStream {
 public:
  QemuStream(hibernation::SaveGate& gate, std::stop_token stop) : gate_(gate), stop_(stop) {}

  /// What libvirt says of the guest.
  struct Container {
    std::string xml;
    hibernation::SavedAs as;
  };
  Container take_container() {
    std::vector<std::byte> header(hibernation::save_header_size);
    fill(header);
    const auto read = hibernation::read_save_header(header);
    if (!read) throw unusable(to_string(read.error()));
    if (read->compression != 0)
      throw Fault(Remedy::fix_config,
                  Fault::Text{"read", "libvirt's save stream", "it is compressed",
                              "Set save_image_format = \"raw\" in libvirt's qemu.conf."});
    if (read->data_length > hibernation::largest_save_xml)
      throw unusable("its description is larger than 4 MiB");
    std::string description(read->data_length, '\0');
    fill(std::as_writable_bytes(std::span(description)));
    // A cookie may follow: what libvirt knew of the processor, which the description says as well.
    description.resize(std::min(description.find('\0'), description.size()));
    return {std::move(description),
            read->was_running ? hibernation::SavedAs::running : hibernation::SavedAs::paused};
  }

  std::size_t read(std::span<std::byte> buffer, std::stop_token stop) {
    return gate_.read(buffer, stop);
  }

 private:
  static Fault unusable(std::string why) {
    return Fault(Remedy::report_bug,
                 Fault::Text{"read", "libvirt's save stream", std::move(why), {}});
  }

  void fill(std::span<std::byte> buffer) {
    while (!buffer.empty()) {
      const auto n = gate_.read(buffer, stop_);
      if (n == 0) throw unusable("it ended within its header");
      buffer = buffer.subspan(n);
    }
  }

  hibernation::SaveGate& gate_;
  std::stop_token stop_;
};

const std::string& map_for_rescue(const hibernation::EncodedPages& encoded) {
  return encoded.stand_in_map.empty() ? encoded.map : encoded.stand_in_map;
}

}  // namespace

Suspension::Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
                       std::stop_token stop, std::shared_ptr<Rescue> rescue)
    : Suspension(parts, domain, directory, stop, std::move(rescue),
                 [&](std::string path) { return parts.hypervisor.save(domain, std::move(path)); }) {
}

Suspension::Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
                       std::stop_token stop, std::shared_ptr<Rescue> copy,
                       std::vector<Hypervisor::Overlay> overlays)
    : Suspension(parts, domain, directory, stop, std::move(copy), [&](std::string path) {
        return parts.hypervisor.snapshot(domain, std::move(path), std::move(overlays));
      }) {}

Suspension::Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
                       std::stop_token stop, std::shared_ptr<Rescue> rescue, const Begin& begin)
    : parts_(parts),
      domain_(domain),
      gate_(std::make_shared<hibernation::SaveGate>(directory)),
      rescue_(std::move(rescue)),
      patience_(std::make_shared<Patience>(parts.loop, reading_)),
      job_stopped_(stop,
                   [source = reading_, kept = rescue_, waiting = patience_]() mutable {
                     if (kept && kept->is_wanted())
                       waiting->begin();
                     else
                       source.request_stop();
                   }),
      save_(parts.loop, begin(gate_->path().string()),
            [reading = reading_, over = over_]() mutable {
              reading.request_stop();
              over.request_stop();
            }) {}

hibernation::EncodedPages Suspension::encode(Rescue* describe_to,
                                             const hibernation::PageSinks& sinks, Sequence number,
                                             hibernation::PageBase base, const Lend& lend,
                                             OwnTags own_tags, const ProgressSink& progress) {
  QemuStream stream(*gate_, reading_.get_token());
  auto container = stream.take_container();
  stands_still_->give();
  if (describe_to) describe_to->describe(std::move(container.xml), container.as);
  if (lend) {
    patience_->be_busy(true);
    base.disks = lend(base.key, reading_.get_token());
    patience_->be_busy(false);
  }
  hibernation::PageEncoderSettings settings{parts_.config.compression.level,
                                            worker_threads(parts_.config), number.value};
  settings.own_tags = own_tags;
  auto encoded = hibernation::encode_pages(
      [&stream, waiting = patience_](std::span<std::byte> buffer, std::stop_token stop) {
        const auto n = stream.read(buffer, stop);
        waiting->note_read(n);
        if (n == 0) waiting->be_busy(true);  // all has come: what is left is ours
        return n;
      },
      sinks, std::move(base), settings, progress, reading_.get_token());
  parts_.log.debug("of the machine's memory " + std::to_string(encoded.known_cells) +
                   " pages are on its device, of which " + std::to_string(encoded.told_by_tag) +
                   " were told by their tags");
  return encoded;
}

template <class T>
Task<T> Suspension::finish(Task<T> shipping) {
  std::exception_ptr failure;
  try {
    auto shipped = co_await std::move(shipping);
    patience_->end();
    co_return std::move(shipped);
  } catch (...) {
    failure = std::current_exception();
  }
  patience_->end();
  // A save that failed by itself is the better reason than our reader's broken stream.
  if (save_.failure()) std::rethrow_exception(save_.failure());
  std::rethrow_exception(failure);
}

void Suspension::stand_in_for_earlier(hibernation::PageSinks& sinks) {
  if (rescue_ && rescue_->needs_stand_in())
    sinks.stand_in = [this](std::span<const std::byte> bytes) { rescue_->write_stand_in(bytes); };
}

Task<Suspension::Shipped> Suspension::ship(format::CapsuleDirectory& capsule, Sequence number,
                                           hibernation::PageBase base, Lend lend,
                                           ProgressSink progress) {
  // Shared: a std::function is copied, the index of what is known is not.
  const auto known = std::make_shared<hibernation::PageBase>(std::move(base));
  auto work = [this, &capsule, number, known, lend = std::move(lend),
               progress = std::move(progress)] {
    MemoryDestination pages(capsule, pages_object(number.value), rescue_.get());
    hibernation::PageSinks sinks;
    sinks.segment = [&pages](std::span<const std::byte> bytes) { pages.write(bytes); };
    if (rescue_ && rescue_->is_kept())
      sinks.borrowed = [this](std::span<const std::byte> bytes) { rescue_->write_borrowed(bytes); };
    stand_in_for_earlier(sinks);
    auto encoded =
        encode(rescue_.get(), sinks, number, std::move(*known), lend, OwnTags::unwanted, progress);
    auto stored = pages.finish(map_for_rescue(encoded));
    return Shipped{std::move(encoded), std::move(stored)};
  };
  auto shipping = finish(offload(parts_.lanes.files, std::move(work)));
  co_return co_await std::move(shipping);
}

Task<hibernation::EncodedPages> Suspension::ship_here(Sequence number, hibernation::PageBase base,
                                                      ProgressSink progress) {
  const auto known = std::make_shared<hibernation::PageBase>(std::move(base));
  auto work = [this, number, known, progress = std::move(progress)] {
    hibernation::PageSinks sinks;
    sinks.segment = [this](std::span<const std::byte> bytes) {
      rescue_->write(bytes);
      rescue_->require();
    };
    stand_in_for_earlier(sinks);
    // The guest runs on, and writes to its disks. Its memory is written again after this.
    auto encoded =
        encode(rescue_.get(), sinks, number, std::move(*known), {}, OwnTags::wanted, progress);
    rescue_->finish(map_for_rescue(encoded));
    rescue_->require();
    return encoded;
  };
  auto shipping = finish(offload(parts_.lanes.files, std::move(work)));
  co_return co_await std::move(shipping);
}

Task<void> Suspension::let_go() {
  // The job's stop counts no more: the device holds the machine. Only a failed save ends the wait.
  auto opened =
      offload(parts_.lanes.files, [gate = gate_, over = over_.get_token()] { gate->open(over); });
  std::exception_ptr failure;
  try {
    co_await std::move(opened);
  } catch (...) {
    failure = std::current_exception();
  }
  auto ending = save_.join();
  co_await std::move(ending);
  if (failure) std::rethrow_exception(failure);
}

Task<Suspension::Left> Suspension::end_guest(std::string name, std::string where) {
  std::string why;
  try {
    auto letting = let_go();
    co_await std::move(letting);
    co_return Left::nothing;
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  const auto told = name + " is " + where + ", but libvirt did not let go of it (" + why + "); ";
  try {
    auto finding = parts_.hypervisor.find(domain_);
    const auto guest = co_await std::move(finding);
    if (guest && guest->state == GuestState::running) {
      parts_.log.warning(told + "it runs on");
      co_return Left::a_guest;
    }
    if (is_alive(guest)) {
      auto ending = parts_.hypervisor.destroy(domain_);
      co_await std::move(ending);
    }
    parts_.log.warning(told + "ended it here");
    co_return Left::nothing;
  } catch (const std::exception& failure) {
    parts_.log.warning(told + failure.what() + "; it is looked for when libvirt is there again");
  }
  co_return Left::nobody_knows;
}

Task<void> Suspension::keep_guest() {
  reading_.request_stop();
  gate_->refuse();
  auto ending = save_.ended_within(refusal_interval);
  bool ended = co_await std::move(ending);
  while (!ended) {
    // libvirt may have been just short of its second open, where a refusal does not reach it.
    gate_->refuse();
    auto waiting = save_.ended_within(refusal_interval);
    ended = co_await std::move(waiting);
  }
}

}  // namespace satchel
