// What one computer does with the device in its port, and what has to come of it at once.
#include <algorithm>
#include <stdexcept>

#include "core/describe.hpp"
#include "histories/play.hpp"

namespace satchel::histories {

void Play::act(Computer& computer) {
  computer.medium()->is_checked = false;
  const auto& state = computer.state();
  if (std::holds_alternative<core::Safe>(state)) return pull(computer);
  if (std::holds_alternative<core::Ready>(state)) {
    const auto kind = draw(20);
    if (kind < 10) return launch(computer);
    if (kind < 13) return merge(computer);
    if (kind < 15) return go_back(computer);
    if (kind < 17) return pull(computer);
    return kind < 18 ? eject(computer) : restart(computer);
  }
  if (computer.guest_runs()) {
    const auto kind = draw(24);
    if (kind < 6) return write(computer);
    if (kind < 10) return eject(computer);
    if (kind < 14) return checkpoint(computer);
    if (kind < 18) return pull(computer);
    if (kind < 21) return merge(computer);
    if (kind < 22) return restart(computer);
    say(title(computer) + "'s guest shuts down");
    return computer.shut_guest_down();
  }
  const auto kind = draw(20);
  if (kind < 5) return pull(computer);
  if (kind < 8) return eject(computer);
  if (kind < 11) return launch(computer);
  if (kind < 14) return merge(computer);
  return kind < 18 ? choose(computer) : restart(computer);
}

void Play::write(Computer& computer) {
  say(title(computer) + "'s guest writes");
  computer.write(static_cast<int>(draw(6)), ++value_);
}

void Play::pull(Computer& computer) {
  say(title(computer) + " loses " + title(*computer.medium()));
  with_power(computer, [&] { computer.pull(); });
  if (computer.medium() != nullptr) return;
  const auto is = core::name(computer.state());
  const auto left = truth_.session_of[number_of(computer)];
  require(is == (left ? "stranded" : "absent"), "after the pull");
}

void Play::eject(Computer& computer) {
  const bool runs = std::holds_alternative<core::Running>(computer.state());
  const auto tip = computer.medium()->tip;
  const bool fails = computer.guest_runs() && chance(5);
  if (fails) computer.fail_next_eject();
  say(title(computer) + " ejects" + (fails ? ", and its guest runs on" : ""));
  with_power(computer, [&] {
    computer.ask(core::EjectAsked{});
    if (!runs) return;
    require(core::name(computer.state()) == (fails ? "running" : "safe") &&
                computer.medium()->tip != tip,
            "after the eject");
    ++counts_[fails ? "ejects that failed late" : "ejects"];
  });
}

void Play::checkpoint(Computer& computer) {
  using End = Computer::CheckpointPlay::End;
  Computer::CheckpointPlay how;
  const auto end = draw(6);
  if (end < 2) how.end = end == 0 ? End::before_the_commit : End::behind_the_commit;
  if (chance(2)) how.meanwhile = std::pair(static_cast<int>(draw(6)), ++value_);
  const auto tip = computer.medium()->tip;
  say(title(computer) + " writes a checkpoint" + (how.meanwhile ? " while its guest writes" : "") +
      (how.end == End::before_the_commit ? ", in vain" : "") +
      (how.end == End::behind_the_commit ? ", and does not know that the device has it" : ""));
  computer.play_checkpoint(how);
  with_power(computer, [&] {
    require(computer.ask(core::CheckpointAsked{}), "the checkpoint was refused");
    require(computer.guest_runs() && core::name(computer.state()) == "running",
            "after the checkpoint");
    require((computer.medium()->tip == tip) == (how.end == End::before_the_commit),
            "what the device has of the checkpoint");
    ++counts_[how.end == End::whole ? "checkpoints" : "checkpoints that failed"];
  });
}

/// To any of the last generations: what it was then, it is again, or nothing has changed.
void Play::go_back(Computer& computer) {
  const auto tip = computer.medium()->tip;
  auto to = tip;
  for (auto steps = 1 + draw(9); steps > 0 && truth_.nodes.at(to).parent; --steps)
    to = *truth_.nodes.at(to).parent;
  const auto seq = truth_.nodes.at(to).seq;
  say(title(computer) + " goes back to generation " + std::to_string(seq.value));
  with_power(computer, [&] { computer.ask(core::RollbackAsked{seq}); });
  const auto& now = truth_.nodes.at(computer.medium()->tip);
  if (now.deed != Deed::back || now.id == tip) return;
  ++counts_["ways back"];
  require(now.view == truth_.nodes.at(to).view, "it went back to something else");
}

/// By a mark that guards something: not that of a session which was just given up here.
bool Play::is_held(std::size_t host, const core::Ready& ready) const {
  const auto& mark = truth_.nodes.at(ready.found.id).mark;
  if (!mark) return false;
  const auto run = truth_.runs.find(*mark);
  const bool given_up = run != truth_.runs.end() && run->second.host == host && run->second.over;
  return ready.found.checked_out || !given_up;
}

void Play::launch(Computer& computer) {
  const auto* ready = std::get_if<core::Ready>(&computer.state());
  const auto* running = std::get_if<core::Running>(&computer.state());
  if (ready == nullptr && (running == nullptr || computer.guest_runs())) return;
  core::LaunchAsked asked;
  if (chance(2)) asked.take_over = core::TakeOver::yes;
  if (chance(2)) asked.this_copy = core::ThisCopy::yes;
  const bool allowed =
      ready == nullptr ||
      ((!is_held(number_of(computer), *ready) || asked.take_over == core::TakeOver::yes) &&
       (!ready->found.lacks || asked.this_copy == core::ThisCopy::yes));
  const bool fails = ready != nullptr && allowed && chance(8);
  if (fails) computer.fail_next_launch();
  say(title(computer) + " launches" +
      (asked.take_over == core::TakeOver::yes ? ", taking over" : "") +
      (asked.this_copy == core::ThisCopy::yes ? ", this copy" : "") + (fails ? ", in vain" : ""));
  bool took = allowed;
  bool whole = false;
  with_power(computer, [&] {
    took = computer.ask(asked);
    whole = true;
  });
  require(took == allowed, allowed ? "the launch was refused" : "the launch was not refused");
  if (!took) ++counts_["launches refused"];
  if (took && whole)
    require(core::name(computer.state()) == (fails ? "ready" : "running"), "after the launch");
}

void Play::merge(Computer& computer) {
  core::UpkeepAsked asked;
  const bool by_itself = chance(2);
  if (!by_itself && chance(4)) asked.although = core::Although::go_on;
  if (chance(3)) asked.what = core::Upkeep::fold;
  const std::string kind = asked.what == core::Upkeep::fold ? "fold" : "merge";
  const auto tip = computer.medium()->tip;
  const bool needed = truth_.is_needed(number_of(computer), tip);
  say(title(computer) + " " + kind + "s" + (by_itself ? " by itself" : "") +
      (asked.although == core::Although::go_on ? " whatever needs it" : ""));
  auto* medium = computer.medium();
  with_power(computer, [&] {
    if (by_itself)
      computer.ask(core::UpkeepDue{asked.what});
    else
      computer.ask(asked);
  });
  if (medium->tip != tip) ++counts_[kind + (by_itself ? "s by themselves" : "s")];
  if (!needed || asked.although == core::Although::go_on) return;
  ++counts_["merges that a session elsewhere forbids"];
  const auto deed = truth_.nodes.at(medium->tip).deed;
  require(medium->tip == tip || (deed != Deed::merge && deed != Deed::fold),
          "what another host's session needs was merged");
}

void Play::choose(Computer& computer) {
  const auto number = number_of(computer);
  const bool stranded = std::holds_alternative<core::Stranded>(computer.state());
  const bool diverged = std::holds_alternative<core::Diverged>(computer.state());
  const auto choice =
      diverged && chance(2) ? core::Choice::continue_device : core::Choice::discard_ours;
  std::optional<Expected> wanted;
  say(title(computer) +
      (choice == core::Choice::discard_ours ? " gives its session up" : " chooses the device's"));
  if (stranded && computer.medium() != nullptr) {
    // The device is read again, without a session.
    const auto given_up = std::exchange(truth_.session_of[number], std::nullopt);
    wanted = truth_.examined(number, computer.medium()->tip);
    truth_.session_of[number] = given_up;
  }
  computer.choosing = true;
  bool took = false;
  with_power(computer, [&] {
    took = computer.ask(core::ChoiceMade{choice});
    computer.choosing = false;
    if (took && wanted) expect(computer, *wanted);
  });
  computer.choosing = false;
  if (took) ++counts_["choices"];
}

void Play::restart(Computer& computer) {
  const auto number = number_of(computer);
  const bool and_forget = chance(8);
  if (and_forget) computer.forget_seen();
  const bool power = chance(2);
  say(title(computer) + (power ? " loses power" : "'s daemon starts anew") +
      (and_forget ? " and forgets what it saw" : ""));
  if (power) {
    if (auto* medium = computer.cut_power()) insert(computer, *medium);
    return;
  }
  std::optional<Expected> wanted;
  if (const auto* medium = computer.medium()) wanted = truth_.examined(number, medium->tip);
  computer.restart_daemon();
  if (wanted) expect(computer, *wanted);
}

/// More commits than a head's history has lines, while a session elsewhere needs the files.
void Play::run_long() {
  auto& first = *computers_[0];
  auto& other = *computers_[1];
  auto* medium = any_free_medium();
  if (medium == nullptr || first.medium() != nullptr || other.medium() != nullptr) return;
  const core::LaunchAsked whatever{core::Requester::person, core::TakeOver::yes, core::Memory::use,
                                   core::ThisCopy::yes};
  insert(first, *medium);
  if (first.medium() != medium) return;
  if (!first.guest_runs() && !first.ask(whatever)) return pull(first);
  if (first.guest_runs()) write(first);
  say(title(first) + " loses " + title(*medium) + ", and " + title(other) + " runs it many times");
  first.pull();
  for (int i = 0; i < 18; ++i) {
    insert(other, *medium);
    if (other.medium() != medium || !(other.guest_runs() || other.ask(whatever))) return;
    if (other.guest_runs()) other.write(static_cast<int>(draw(6)), ++value_);
    if (i % 6 == 5) merge(other);
    other.ask(core::EjectAsked{});
    other.pull();
  }
  insert(other, *medium);
  if (std::holds_alternative<core::Ready>(other.state())) merge(other);
  ++counts_["long histories"];
}

}  // namespace satchel::histories
