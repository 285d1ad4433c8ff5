#include "runtime/jobs/suspension.hpp"

#include <chrono>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/save_image.hpp"

namespace satchel {

namespace {

constexpr auto refusal_interval = std::chrono::milliseconds(100);

/// Takes libvirt's container off the front of what the gate gives.
class QemuStream {
 public:
  QemuStream(hibernation::SaveGate& gate, std::stop_token stop) : gate_(gate), stop_(stop) {}

  void skip_container() {
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
    std::vector<std::byte> description(read->data_length);
    fill(description);
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

}  // namespace

Suspension::Suspension(Parts& parts, DomainId domain, const std::filesystem::path& directory,
                       std::stop_token stop)
    : parts_(parts),
      gate_(std::make_shared<hibernation::SaveGate>(directory)),
      job_stopped_(stop, [source = reading_]() mutable { source.request_stop(); }),
      save_(parts.loop, parts.hypervisor.save(domain, gate_->path().string()),
            [reading = reading_, over = over_]() mutable {
              reading.request_stop();
              over.request_stop();
            }) {}

Task<Suspension::Shipped> Suspension::ship(format::CapsuleDirectory& capsule, std::string object,
                                           ProgressSink progress) {
  auto work = [this, &capsule, object = std::move(object), progress = std::move(progress)] {
    QemuStream stream(*gate_, reading_.get_token());
    stream.skip_container();
    auto pages = capsule.create_object(object);
    const hibernation::EncoderSettings settings{parts_.config.compression.level,
                                                worker_threads(parts_.config)};
    auto encoded =
        hibernation::encode([&stream](std::span<std::byte> buffer,
                                      std::stop_token stop) { return stream.read(buffer, stop); },
                            [&pages](std::span<const std::byte> bytes) { pages.write(bytes); },
                            settings, progress, reading_.get_token());
    return Shipped{std::move(encoded), pages.finish()};
  };
  std::exception_ptr failure;
  try {
    auto shipped = offload(parts_.lanes.files, std::move(work));
    co_return co_await std::move(shipped);
  } catch (...) {
    failure = std::current_exception();
  }
  // A save that failed by itself is the better reason than our reader's broken stream.
  if (save_.failure()) std::rethrow_exception(save_.failure());
  std::rethrow_exception(failure);
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
