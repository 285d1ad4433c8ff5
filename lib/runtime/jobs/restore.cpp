#include "runtime/jobs/restore.hpp"

#include <exception>
#include <span>
#include <stop_token>
#include <utility>

#include "async/beside.hpp"
#include "hibernation/restore_feed.hpp"
#include "hibernation/save_image.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Streams the hibernation file into libvirt, every block checked before it goes on. Files lane.
ByteCount feed_memory(const Parts& parts, const SavedGuest& from, hibernation::RestoreFeed& feed,
                      const std::string& xml, const ProgressSink& progress, std::stop_token stop) {
  const MemoryFile memory(from.capsule, from.head, fifo_directory(parts, from.head.capsule),
                          parts.cache.get());
  const auto header = hibernation::write_save_header(xml);
  feed.write_header(std::as_bytes(std::span(header.data(), header.size())), stop);
  const auto tags = begin_tags(parts, from.head.capsule, memory.stream_size());
  const auto decoded =
      memory.decode([&](std::span<const std::byte> bytes) { feed.write(bytes, stop); },
                    worker_threads(parts.config), progress, stop, tags.get());
  parts.tags->keep(from.head.capsule, tags);
  const auto& map = from.head.find(from.head.hibernation->map)->digest;
  if (decoded.at_hand.value == 0) from.stick.note_memory_seen(map);
  if (decoded.is_copied) parts.cache->note_whole(map);
  return decoded.read;
}

}  // namespace

Task<ByteCount> restore_guest(Parts& parts, SavedGuest from, std::string xml, JobContext job) {
  hibernation::RestoreFeed feed(fifo_directory(parts, from.head.capsule));
  std::stop_source over;
  const std::stop_callback job_stopped(job.stop, [&over] { over.request_stop(); });
  Beside restoring(parts.loop, parts.hypervisor.restore(from.domain, feed.path().string(), {}),
                   [&over] { over.request_stop(); });
  ByteCount read;
  std::exception_ptr failure;
  try {
    const auto sink = job.meter->begin("reading memory");
    auto feeding = offload(parts.lanes.files, [&] {
      return feed_memory(parts, from, feed, xml, sink, over.get_token());
    });
    read = co_await std::move(feeding);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    const bool libvirt_failed_first = restoring.failure() != nullptr;
    bool ended = false;
    while (!ended) {
      feed.abandon();
      auto waiting = restoring.ended_within(std::chrono::milliseconds(100));
      ended = co_await std::move(waiting);
    }
    std::rethrow_exception(libvirt_failed_first ? restoring.failure() : failure);
  }
  job.meter->name("starting the machine");
  auto ending = restoring.join();
  co_await std::move(ending);
  co_return read;
}

}  // namespace satchel
