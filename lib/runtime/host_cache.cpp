// What this computer keeps of machines that were here, dropped when somebody asks for it.
#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"
#include "runtime/memory_cache.hpp"

namespace satchel {

Task<ByteCount> Host::drop_cache(std::optional<CapsuleId> capsule) {
  refuse_while_waiting("drop", "what is kept of machines");
  for (const auto& [id, runner] : capsules_) {
    if (capsule && *capsule != id) continue;
    const auto* session = core::session_of(runner->state());
    if (session != nullptr && session->on_copies && session->guest != core::Guest::off &&
        session->guest != core::Guest::saved)
      throw Fault(Remedy::retry,
                  Fault::Text{"drop what is kept of", runner->view().name,
                              "it runs on what this computer keeps of its disks",
                              "Plug its device in and eject it, or eject it as it is: it is saved "
                              "here, and the copies can be dropped then."});
    // An eject or checkpoint that has begun counts on what is here.
    if (runner->view().job)
      throw Fault(Remedy::retry, Fault::Text{"drop what is kept of", runner->view().name,
                                             "it is " + std::string(core::name(runner->state())),
                                             "Wait until that has ended."});
  }
  parts_.cache->distrust();
  auto dropping = offload(parts_.lanes.files, [this, capsule] {
    return parts_.cache->drop(capsule) + parts_.disks->drop(capsule);
  });
  const auto freed = co_await std::move(dropping);
  for (const auto& [id, runner] : capsules_)
    if (!capsule || *capsule == id) runner->copies_dropped();
  parts_.log.info("What was kept of " + std::string(capsule ? "a machine" : "all machines") +
                  " is dropped: " + to_string(freed));
  co_return freed;
}

}  // namespace satchel
