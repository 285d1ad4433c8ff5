#include "libvirt/event_loop.hpp"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <csignal>
#include <mutex>
#include <thread>

#include "libvirt/fault.hpp"

namespace satchel {

namespace {

void ignore_broken_pipes() {
  struct sigaction current {};
  sigaction(SIGPIPE, nullptr, &current);
  if (current.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

void start() {
  ignore_broken_pipes();
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
  if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
    throw_libvirt_fault("start", "libvirt's event loop");
  // Never joined: libvirt has no way to end the loop, and guests' events matter to the last moment.
  std::thread([] {
    // A failed round has reported its error to nobody who could act on it; the next one is tried.
    while (true) static_cast<void>(virEventRunDefaultImpl());
  }).detach();
}

}  // namespace

void need_libvirt_event_loop() {
  static std::once_flag started;
  std::call_once(started, start);
}

}  // namespace satchel
