// Somebody at satchelctl: a command runs against the real faces on a private bus, over a fake host.
// Test thread only.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

#include "bus/faces_world.hpp"
#include "commands.hpp"

namespace satchel::test {

using cli::Client;
using cli::Context;
using cli::ExitCode;
using cli::Output;
using cli::Refusal;
using cli::Screen;

struct Desk {
  FacesWorld world;
  Client client{world.io, world.daemon.address()};
  std::istringstream in;
  std::ostringstream out;
  Context context{client, in, out, Screen(), Output::people, Context::Input::none};

  std::optional<ExitCode> code;  ///< how the command ended
  std::string reason;            ///< of the Refusal it ended with

  FakeCommands& host() { return world.commands; }

  /// Starts the command; it goes on while the loop runs.
  void start(Task<ExitCode> command) {
    code.reset();
    boost::asio::co_spawn(world.io, std::move(command),
                          [this](std::exception_ptr error, ExitCode ended) {
                            code = ended;
                            if (!error) return;
                            try {
                              std::rethrow_exception(error);
                            } catch (const Refusal& refusal) {
                              code = refusal.code();
                              reason = refusal.reason();
                            }
                          });
  }
  bool reaches(const std::function<bool()>& condition) { return run_until(world.io, condition); }
  bool asks(std::size_t commands) {
    return reaches([&] { return host().asked.size() >= commands; });
  }
  bool ends() {
    return reaches([&] { return code.has_value(); });
  }
};

}  // namespace satchel::test
