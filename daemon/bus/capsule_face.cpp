#include "daemon/bus/capsule_face.hpp"

#include "daemon/bus/options.hpp"

namespace satchel::faces {

namespace {

Task<ObjectPath> launch(Requests& requests, Caller caller, CapsuleId capsule, Dictionary given) {
  Options options("Launch", std::move(given));
  LaunchRequest request;
  request.capsule = capsule;
  if (options.take("take_over", false))
    request.when_checked_out = LaunchRequest::CheckedOut::take_over;
  if (options.take("this_copy", false)) request.when_lacking = LaunchRequest::Lacking::this_copy;
  if (options.take("without_device", false)) request.device = LaunchRequest::Device::without;
  if (options.take("start_fresh", false)) request.memory = LaunchRequest::Memory::start_fresh;
  options.finish();
  const bool takes_over = request.when_checked_out == LaunchRequest::CheckedOut::take_over;
  co_await requests.authorise(caller, Action::launch,
                              takes_over ? "take the machine over" : "launch the machine",
                              requests.about(capsule));
  co_return requests.started(requests.commands().launch(request));
}

/// The commands that need nothing but the capsule.
struct Plain {
  JobId (Commands::*command)(CapsuleId);
  Action action;
  const char* what;
};
constexpr Plain checkpoint{&Commands::checkpoint, Action::eject, "checkpoint the machine"};
constexpr Plain remove_capsule{&Commands::remove, Action::manage, "remove the machine"};

Task<ObjectPath> act(Requests& requests, Caller caller, CapsuleId capsule, Plain plain) {
  co_await requests.authorise(caller, plain.action, plain.what, requests.about(capsule));
  co_return requests.started((requests.commands().*plain.command)(capsule));
}

Task<ObjectPath> eject(Requests& requests, Caller caller, CapsuleId capsule, Dictionary given) {
  Options options("Eject", std::move(given));
  const auto layers =
      options.take("merge", false) ? Commands::Layers::merge : Commands::Layers::leave;
  const auto occasion =
      options.take("shutdown", false) ? Commands::Occasion::shutdown : Commands::Occasion::asked;
  options.finish();
  co_await requests.authorise(caller, Action::eject, "eject the machine", requests.about(capsule));
  co_return requests.started(requests.commands().eject(capsule, layers, occasion));
}

Commands::WhenNeeded when_needed(const char* method, Dictionary given) {
  Options options(method, std::move(given));
  const auto out = options.take("although_needed", false) ? Commands::WhenNeeded::go_on
                                                          : Commands::WhenNeeded::refuse;
  options.finish();
  return out;
}

/// The commands that change how a generation is stored.
struct Merging {
  JobId (Commands::*command)(CapsuleId, Commands::WhenNeeded);
  const char* method;
  const char* what;
};
constexpr Merging merge{&Commands::merge, "Merge", "merge the machine's layers"};
constexpr Merging fold{&Commands::fold, "Fold", "fold the machine's disks"};
constexpr Merging compact{&Commands::compact, "Compact", "compact the machine's memory"};

Task<ObjectPath> change(Requests& requests, Caller caller, CapsuleId capsule, Merging what,
                        Dictionary given) {
  const auto needed = when_needed(what.method, std::move(given));
  co_await requests.authorise(caller, Action::manage, what.what, requests.about(capsule));
  co_return requests.started((requests.commands().*what.command)(capsule, needed));
}

/// A method that takes options, of which none is known yet.
Task<ObjectPath> act_without(const char* method, Requests& requests, Caller caller,
                             CapsuleId capsule, Plain plain, Dictionary given) {
  const Options options(method, std::move(given));
  options.finish();
  co_return co_await act(requests, caller, capsule, plain);
}

Task<ObjectPath> sync_files(Requests& requests, Caller caller, CapsuleId capsule,
                            Dictionary given) {
  Options options("Sync", std::move(given));
  SyncRequest request;
  request.capsule = capsule;
  if (options.take("dry_run", false)) request.extent = sync::Extent::dry_run;
  if (options.take("emptied", false)) request.emptiness = sync::Emptiness::meant;
  options.finish();
  co_await requests.authorise(caller, Action::manage, "sync the machine's files",
                              requests.about(capsule));
  co_return requests.started(requests.commands().sync(request));
}

Task<std::string> sync_report(Requests& requests, Caller caller, CapsuleId capsule,
                              Dictionary given) {
  Options options("SyncReport", std::move(given));
  const bool dry_run = options.take("dry_run", false);
  options.finish();
  // It names files of people.
  co_await requests.authorise(caller, Action::manage, "see what was synced",
                              requests.about(capsule));
  co_return requests.commands().sync_report(capsule,
                                            dry_run ? sync::Extent::dry_run : sync::Extent::whole);
}

Task<ObjectPath> verify(Requests& requests, Caller caller, CapsuleId capsule, Dictionary given) {
  const Options options("Verify", std::move(given));
  options.finish();
  // It only reads: whoever may launch the machine may look whether it is whole.
  co_await requests.authorise(caller, Action::launch, "verify the machine",
                              requests.about(capsule));
  co_return requests.started(requests.commands().verify(capsule));
}

Task<std::string> verify_report(Requests& requests, CapsuleId capsule) {
  co_return requests.commands().verify_report(capsule);
}

Task<ObjectPath> resolve(Requests& requests, Caller caller, CapsuleId capsule, std::string choice) {
  co_await requests.authorise(caller, Action::manage, "choose how the machine goes on",
                              requests.about(capsule));
  co_return requests.started(requests.commands().resolve(capsule, choice));
}

Task<ObjectPath> rollback(Requests& requests, Caller caller, CapsuleId capsule, Sequence generation,
                          Dictionary given) {
  const auto needed = when_needed("Rollback", std::move(given));
  co_await requests.authorise(caller, Action::manage, "roll the machine back",
                              requests.about(capsule));
  co_return requests.started(requests.commands().rollback(capsule, generation, needed));
}

void describe_properties(Shown<CapsuleView>& shown) {
  shown.property("Id", &CapsuleView::id, Emits::never_changes)
      .property("Name", &CapsuleView::name)
      .property("State", &CapsuleView::state)
      .property("Detail", &CapsuleView::detail)
      .property("NextStep", &CapsuleView::next_step)
      .property("CanUnplug", &CapsuleView::can_unplug)
      .property("Device", &CapsuleView::device)
      .property("Job", &CapsuleView::job)
      .property("Domain", &CapsuleView::domain)
      .property("Generation", &CapsuleView::generation)
      .property("GenerationId", &CapsuleView::generation_id)
      .property("LastHost", &CapsuleView::last_host)
      .property("LastTime", &CapsuleView::last_time)
      .property("CheckedOutBy", &CapsuleView::checked_out_by)
      .property("HasMemory", &CapsuleView::has_memory)
      .property("MemorySize", &CapsuleView::memory_size)
      .property("HibernationSize", &CapsuleView::hibernation_size)
      .property("ImageSize", &CapsuleView::image_size)
      .property("CowSize", &CapsuleView::cow_size)
      .property("LayersSize", &CapsuleView::layers_size)
      .property("Layers", &CapsuleView::layers)
      .property("CowLimit", &CapsuleView::cow_limit)
      .property("Due", &CapsuleView::due)
      .property("LastSync", &CapsuleView::last_sync)
      .property("History", &CapsuleView::history);
}

Interface& describe(Shown<CapsuleView>& shown, Requests& requests) {
  describe_properties(shown);
  const auto capsule = shown.view().id;
  const auto plain = [&requests, capsule](Plain command) {
    return [&requests, capsule, command](Caller caller) {
      return act(requests, std::move(caller), capsule, command);
    };
  };
  return shown.face()
      .method("Launch", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return launch(requests, std::move(caller), capsule, std::move(options));
              })
      .method("Eject", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return eject(requests, std::move(caller), capsule, std::move(options));
              })
      .method("Checkpoint", {}, {"job"}, plain(checkpoint))
      .method("Resolve", {"choice"}, {"job"},
              [&requests, capsule](Caller caller, std::string choice) {
                return resolve(requests, std::move(caller), capsule, std::move(choice));
              })
      .method("Merge", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return change(requests, std::move(caller), capsule, merge, std::move(options));
              })
      .method("Fold", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return change(requests, std::move(caller), capsule, fold, std::move(options));
              })
      .method("Compact", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return change(requests, std::move(caller), capsule, compact, std::move(options));
              })
      .method("Sync", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return sync_files(requests, std::move(caller), capsule, std::move(options));
              })
      .method("SyncReport", {"options"}, {"report"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return sync_report(requests, std::move(caller), capsule, std::move(options));
              })
      .method("Verify", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return verify(requests, std::move(caller), capsule, std::move(options));
              })
      .method("VerifyReport", {}, {"report"},
              [&requests, capsule](Caller) { return verify_report(requests, capsule); })
      .method("Rollback", {"generation", "options"}, {"job"},
              [&requests, capsule](Caller caller, std::uint64_t generation, Dictionary options) {
                return rollback(requests, std::move(caller), capsule, Sequence(generation),
                                std::move(options));
              })
      .method("Remove", {"options"}, {"job"},
              [&requests, capsule](Caller caller, Dictionary options) {
                return act_without("Remove", requests, std::move(caller), capsule, remove_capsule,
                                   std::move(options));
              });
}

}  // namespace

CapsuleFace::CapsuleFace(Bus& bus, Requests& requests, const CapsuleView& view)
    : shown_("org.satchel.Satchel1.Capsule", view),
      object_(bus, path_of(view.id), {describe(shown_, requests)}, Place::member) {}

}  // namespace satchel::faces
