#include "core/describe.hpp"

#include <chrono>
#include <cstdio>

#include "core/transitions.hpp"

namespace satchel::core {

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string generation(const Found& found) {
  return "Generation " + std::to_string(found.sequence.value) + ", left by " +
         found.last_host_name + " on " + to_string(found.time) +
         (found.has_memory ? "." : ", shut down.");
}

std::string guest_sentence(const Session& session) {
  switch (session.guest) {
    case Guest::unborn:
      return "The machine is about to start.";
    case Guest::runs:
      return "The machine runs on this computer.";
    case Guest::paused:
      return "The machine is paused on this computer.";
    case Guest::halted:
      return "The machine is paused because a disk failed.";
    case Guest::saved:
      return "The machine is saved on this computer.";
    case Guest::off:
      return "The machine is shut down; its disk changes are on this computer.";
  }
  return "The machine is in an unknown condition.";
}

std::string kept(const Session& session) {
  switch (session.guest) {
    case Guest::saved:
      return "What the machine did is saved on this computer.";
    case Guest::off:
      return "The disk changes of the machine are kept on this computer.";
    case Guest::unborn:
    case Guest::runs:
    case Guest::paused:
    case Guest::halted:
      break;
  }
  if (session.on_copies) return guest_sentence(session);
  return "The machine is held in this computer's memory, paused.";
}

/// What went wrong, where that is not what the rest of the text says.
std::string before(const std::optional<Reason>& trouble) {
  return trouble && !trouble->what.empty() ? trouble->what + " " : std::string();
}

std::string tending_sentence(Upkeep what) {
  switch (what) {
    case Upkeep::merge:
      return "Merging what earlier sessions wrote on the device.";
    case Upkeep::fold:
      return "Merging all changes into the image file on the device.";
    case Upkeep::compact:
      break;
  }
  return "Writing the machine's stored memory anew, in fewer pieces.";
}

std::string upkeep_sentence(const Tending& at) {
  if (at.work.removal) return " It is then ejected.";
  if (at.wanted) return " It is then launched.";
  return at.session ? " " + guest_sentence(*at.session) : std::string();
}

std::string launching_sentence(const Launching& at) {
  switch (at.from) {
    case LaunchFrom::memory:
      return "Resuming the machine.";
    case LaunchFrom::disk:
      return "Booting the machine.";
    case LaunchFrom::session:
    case LaunchFrom::afresh:
      return "Booting the machine again.";
    case LaunchFrom::reattached:
      return "Going on with the machine where the device was pulled.";
  }
  return "Launching.";
}

}  // namespace

std::string held(const CheckedOut& out) {
  if (out.holder == Holder::this_host)
    return "It is checked out since " + to_string(out.time) +
           " by a session of this computer that is no longer here.";
  return "It is checked out by " + out.host_name + " since " + to_string(out.time) +
         ": what was done there is not on the device.";
}

std::string lacking(const Lacking& seen) {
  if (seen.how == Lacking::How::damaged)
    return "Generation " + std::to_string(seen.sequence.value) +
           ", a newer one, is damaged on this device: what was done in it is not to be had from "
           "here.";
  const auto which = "This computer has seen generation " + std::to_string(seen.sequence.value) +
                     ", left by " + seen.host_name + " on " + to_string(seen.time);
  if (seen.how == Lacking::How::older_copy)
    return which + ": this device is an older copy without it.";
  return which + ", which is not in this device's past: they are two copies that went on apart.";
}

std::string detail(const State& state) {
  return std::visit(
      Overloaded{
          [](const Absent&) { return std::string("The device is not plugged in."); },
          [](const Examining& at) {
            return std::string(at.from ? "Going back to an earlier generation."
                                       : "Reading the device.");
          },
          [](const Locked&) { return std::string("The device is encrypted and locked."); },
          [](const Untrusted& at) {
            return "The newest generation was made by a computer that is not trusted here; its "
                   "key's fingerprint is " +
                   at.fingerprint + ".";
          },
          [](const Ready& at) {
            auto out = before(at.trouble);
            out += generation(at.found);
            if (at.found.lacks) out += " " + lacking(*at.found.lacks);
            if (at.found.checked_out) out += " " + held(*at.found.checked_out);
            return out;
          },
          [](const Launching& at) {
            return launching_sentence(at) + (at.work.removal ? " It is then ejected." : "");
          },
          [](const Running& at) { return before(at.trouble) + guest_sentence(at.session); },
          [](const Checkpointing& at) {
            return std::string("Writing a checkpoint to the device while the machine runs.") +
                   (at.work.removal ? " It is then ejected." : "");
          },
          [](const Tending& at) { return tending_sentence(at.what) + upkeep_sentence(at); },
          [](const Ejecting& at) {
            return std::string(at.session && !at.apart
                                   ? "Saving the machine to the device. Do not pull it out yet."
                                   : "Releasing the device.");
          },
          [](const Safe&) { return std::string("The device may be pulled out."); },
          [](const Stranded& at) {
            auto out = before(at.trouble);
            if (at.saving)
              return out + "The device was pulled out; saving the machine on this computer.";
            if (at.exporting) return out + "Writing this computer's session to plain files.";
            return out +
                   (at.idle ? "The machine does not use its device. "
                            : "The device was pulled out. ") +
                   kept(at.session);
          },
          [](const Detached& at) {
            if (at.starting)
              return std::string(
                  "Going on without the device, on what this computer keeps of its disks.");
            return guest_sentence(at.session) +
                   " It does not use its device: what it does stays on this computer.";
          },
          [](const Diverged& at) {
            auto out = before(at.trouble);
            if (at.resolving)
              return out + (at.choice == Choice::export_ours
                                ? "Writing this computer's session to plain files."
                                : "Making this computer's session a machine of its own.");
            const auto how = at.theirs.lacks ? std::optional(at.theirs.lacks->how) : std::nullopt;
            if (how == Lacking::How::damaged)
              out += lacking(*at.theirs.lacks) + " ";
            else
              out += how == Lacking::How::older_copy ? "The device is an older copy: "
                                                     : "The device went on elsewhere: ";
            out += generation(at.theirs);
            if (at.theirs.checked_out) out += " " + held(*at.theirs.checked_out);
            return out + " " + kept(at.ours);
          },
          [](const Failed& at) { return at.reason.what; },
      },
      state);
}

std::string next_step(const State& state) {
  const auto of = [](const std::optional<Reason>& trouble, std::string otherwise) {
    return trouble && !trouble->next.empty() ? trouble->next : std::move(otherwise);
  };
  return std::visit(
      Overloaded{
          [](const Absent&) { return std::string("Plug the device in."); },
          [](const Locked&) { return std::string("Unlock it with its passphrase."); },
          [](const Untrusted&) {
            return std::string(
                "Compare the fingerprint with the one that the other computer shows, then let an "
                "administrator trust it.");
          },
          [&](const Ready& at) {
            if (at.found.lacks)
              return std::string(at.found.lacks->how == Lacking::How::damaged
                                     ? "Look at it with satchelctl verify; use a copy of this "
                                       "device that has it whole, or launch this one with this-copy"
                                     : "Use the device that has it, or launch this one with "
                                       "this-copy") +
                     (at.found.checked_out ? " and take-over" : "") +
                     ": it goes on from here, without what came there.";
            if (at.found.checked_out && at.found.checked_out->holder == Holder::this_host)
              return std::string(
                  "Launch it with take-over: it goes on from this generation. What that session "
                  "did "
                  "since is not on this computer any more.");
            if (at.found.checked_out)
              return std::string(
                  "Eject it there first, or launch it here with take-over and give "
                  "up what was done there.");
            return of(at.trouble, "Launch it, or pull the device out.");
          },
          [&](const Running& at) {
            return of(at.trouble, at.session.guest == Guest::off
                                      ? "Eject to check its disks in, or launch it again."
                                      : "Eject before you pull the device out.");
          },
          [](const Tending&) { return std::string("Eject before you pull the device out."); },
          [](const Safe&) { return std::string("Pull the device out."); },
          [&](const Stranded& at) {
            if (job_of(at)) return std::string();
            return of(at.trouble, at.idle ? "Launch it to try the device again."
                                          : "Plug the same device in again to go on.");
          },
          [](const Detached& at) {
            if (at.starting) return std::string();
            return std::string(
                "Plug its device in and eject to take it along, or eject now to have it saved on "
                "this computer.");
          },
          [](const Diverged& at) {
            if (at.resolving) return std::string();
            if (at.theirs.lacks_our_files)
              return std::string(
                  "Plug in the device that the machine was pulled from, or this one again if it is "
                  "that. If what it lacks is lost: satchelctl resolve, keep both, export this "
                  "computer's, or discard this computer's.");
            const std::string three =
                "keep both, export this computer's, or discard this "
                "computer's.";
            if (!at.theirs.checked_out && !at.theirs.lacks)
              return "Choose with satchelctl resolve: continue the device's, " + three;
            return "Choose with satchelctl resolve: " + three +
                   (at.theirs.checked_out ? " The device's can be continued once it was ejected "
                                            "where it is checked out."
                                          : " The device's is not continued as long as it is "
                                            "known to lack something.");
          },
          [](const Failed& at) { return at.reason.next; },
          [](const auto&) { return std::string(); },
      },
      state);
}

bool can_unplug(const State& state) {
  return std::visit(Overloaded{
                        [](const Absent&) { return true; },
                        [](const Ready&) { return true; },
                        [](const Safe&) { return true; },
                        [](const Stranded&) { return true; },
                        [](const Detached&) { return true; },
                        // Nothing of ours was opened for writing in these; only a guest that
                        // outlived a restart of the daemon may still use the device.
                        [](const Locked& at) { return !is_live(at.ours); },
                        [](const Untrusted& at) { return !is_live(at.ours); },
                        [](const Failed& at) { return !is_live(at.ours); },
                        // Keeping both writes the second capsule to the device.
                        [](const Diverged& at) { return !at.resolving && !is_live(at.ours); },
                        [](const auto&) { return false; },
                    },
                    state);
}

std::string to_string(UnixMicros time) {
  using namespace std::chrono;
  const auto when = sys_time<microseconds>(microseconds(time.value));
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<minutes>(when - day));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d UTC", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()));
  return text;
}

}  // namespace satchel::core
