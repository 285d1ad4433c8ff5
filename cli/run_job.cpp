#include "run_job.hpp"

#include <algorithm>
#include <ostream>

#include "json.hpp"
#include "progress.hpp"
#include "table.hpp"

namespace satchel::cli {

namespace {

/// What a job has left behind comes as clauses, all else as sentences.
void say_lines(ProgressDisplay& display, const std::string& lines) {
  for (std::size_t at = 0; at < lines.size();) {
    const auto end = std::min(lines.find('\n', at), lines.size());
    const auto line = lines.substr(at, end - at);
    display.say((line.ends_with('.') ? "" : "Left out: ") + printable(line));
    at = end + 1;
  }
}

}  // namespace

Task<JobEnd> run_job(Context& context, std::string job, std::string begun) {
  ProgressDisplay display(context.out, context.screen);
  Client::Follower follower;
  if (context.output == Output::people) {
    display.say(begun + ".");
    follower.progress = [&](const JobView& view) { display.show(view); };
    follower.notice = [&](std::string sentence) { display.say(sentence); };
  }
  auto following = context.client.follow(std::move(job), std::move(follower));
  auto end = co_await std::move(following);
  if (end.result == "done") {
    if (context.output == Output::people) say_lines(display, end.message);
    co_return end;
  }
  const auto code = exit_code_of_result(end.result);
  if (code == ExitCode::cancelled)
    throw Refusal(code, end.message.empty() ? "It was cancelled; nothing changed." : end.message);
  throw Refusal(code, end.message.empty() ? "It failed: " + end.result : end.message);
}

void close(Context& context, const std::vector<JobEnd>& ends, bool can_unplug,
           const std::string& sentence) {
  if (context.output == Output::json)
    context.out << json_of(ends, can_unplug);
  else if (!sentence.empty())
    context.out << sentence << '\n';
}

}  // namespace satchel::cli
