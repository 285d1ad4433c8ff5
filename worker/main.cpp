// satchel-sync: merges chosen folders of one capsule into folders of one user of this host, as that
// user. Started by satcheld alone; docs/decisions/0012 says why it is a process of its own.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string_view>

#include "base/fault.hpp"
#include "channel.hpp"
#include "owner.hpp"
#include "work.hpp"

using namespace satchel;

int main(int argc, char** argv) {
  // Whoever can say this has libguestfs.
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("satchel-sync %s\n", SATCHEL_VERSION);
    return 0;
  }
  // Its children, QEMU and what libguestfs needs beside it, can be ended together with it.
  ::setpgid(0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  worker::Channel channel;
  try {
    const auto order = channel.order();
    worker::become(order.owner, order.state);
    std::stop_source stop;
    channel.watch(stop);
    const auto locked = worker::lock_state(order.state);
    worker::carry_out(order, channel, stop.get_token());
    return 0;
  } catch (const Fault& fault) {
    channel.tell(fault);
  } catch (const std::exception& failure) {
    channel.tell(
        Fault(Remedy::report_bug, Fault::Text{"sync", "the machine's files", failure.what(), {}}));
  }
  return 1;
}
