// satchelctl: asks satcheld over the bus, for people and for programs.
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

#include "arguments.hpp"
#include "json.hpp"

namespace {

using namespace satchel;
using namespace satchel::cli;

ExitCode run(const Invocation& invocation) {
  boost::asio::io_context loop;
  Client client(loop);
  const auto input = isatty(STDIN_FILENO) == 1 ? Context::Input::person : Context::Input::none;
  Context context{client, std::cin, std::cout, Screen::of(STDOUT_FILENO), invocation.output, input};
  auto code = ExitCode::failed;
  std::exception_ptr failure;
  boost::asio::co_spawn(loop, invocation.command(context),
                        [&](std::exception_ptr error, ExitCode ended) {
                          failure = error;
                          code = ended;
                          loop.stop();
                        });
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return code;
}

int refuse(const Refusal& refusal, Output output) {
  if (output == Output::json) std::cout << json_of(refusal);
  std::cout.flush();
  const int width = Screen::of(STDERR_FILENO).width;
  std::istringstream lines("satchelctl: " + refusal.reason());
  for (std::string line; std::getline(lines, line);) {
    const auto indent = std::min(line.find_first_not_of(' '), line.size());
    const auto at = static_cast<int>(indent);
    std::cerr << line.substr(0, indent)
              << wrapped(printable(line.substr(indent)), width, at, at + 2) << '\n';
  }
  if (!refusal.next().empty())
    std::cerr << "  " << wrapped(printable(refusal.next()), width, 2, 2) << '\n';
  return static_cast<int>(refusal.code());
}

}  // namespace

int said(ExitCode code) {
  if (std::cout.flush()) return static_cast<int>(code);
  std::cerr << "satchelctl: could not write the output\n";
  return static_cast<int>(ExitCode::failed);
}

int main(int argc, char** argv) {
  Invocation invocation;
  try {
    invocation = parse_arguments(argc, argv);
    if (invocation.text.empty()) return said(run(invocation));
    std::cout << invocation.text;
    return said(ExitCode::done);
  } catch (const Refusal& refusal) {
    return refuse(refusal, invocation.output);
  } catch (const BusError& error) {
    return refuse(Refusal(error), invocation.output);
  } catch (const Fault& fault) {
    return refuse(Refusal(fault), invocation.output);
  } catch (const std::exception& error) {
    return refuse(Refusal(ExitCode::failed, error.what(), "Please report this."),
                  invocation.output);
  }
}
