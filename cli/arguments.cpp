#include "arguments.hpp"

#include <CLI/CLI.hpp>

#include "argument_checks.hpp"

namespace satchel::cli {

namespace {

// The options live in the callbacks that CLI11 calls when it has read them: shared, for CLI11 keeps
// references to where it writes.
template <class Options, class Perform>
void bind(CLI::App* command, Invocation& invocation, std::shared_ptr<Options> options,
          Perform perform) {
  command->callback([&invocation, options, perform] {
    invocation.command = [options, perform](Context& context) {
      return perform(context, *options);
    };
  });
}

void add_looking(CLI::App& app, Invocation& invocation) {
  auto* status_command = app.add_subcommand("status", "What there is and how it is (the default)");
  status_command->callback([&invocation] { invocation.command = status; });

  auto kind = std::make_shared<std::string>("capsules");
  auto* list_command = app.add_subcommand("list", "List capsules, devices or jobs");
  list_command->add_option("KIND", *kind, "capsules (the default), devices or jobs")
      ->check(CLI::IsMember({"capsules", "devices", "jobs"}));
  bind(list_command, invocation, kind,
       [](Context& context, std::string what) { return list(context, what); });

  auto word = std::make_shared<std::string>();
  auto* show_command = app.add_subcommand("show", "Show all about a capsule or a device");
  show_command->add_option("CAPSULE|DEVICE", *word, "Its name, UUID, node, label or mount point")
      ->required();
  bind(show_command, invocation, word,
       [](Context& context, std::string what) { return show(context, what); });

  auto capsule = std::make_shared<std::string>();
  auto* history_command = app.add_subcommand("history", "List a capsule's generations");
  history_command->add_option("CAPSULE", *capsule)->required();
  bind(history_command, invocation, capsule,
       [](Context& context, std::string what) { return history(context, what); });

  auto* monitor_command = app.add_subcommand("monitor", "Tell what changes until Ctrl-C");
  monitor_command->callback([&invocation] { invocation.command = monitor; });

  auto wanted = std::make_shared<DoctorOptions>();
  auto* doctor_command = app.add_subcommand("doctor", "Look whether this host has what it needs");
  doctor_command->add_flag("--measure", wanted->measure, "Also measure each device's speed");
  doctor_command->add_flag("--thorough", wanted->thorough,
                           "Also fill each device's free space and read it back (asks)");
  doctor_command->add_flag("--yes", wanted->yes, "Don't ask");
  bind(doctor_command, invocation, wanted,
       [](Context& context, DoctorOptions options) { return doctor(context, options); });

  auto dropped = std::make_shared<std::string>();
  auto* drop_command = app.add_subcommand(
      "drop-cache", "Drop what this computer keeps of the memory of machines that were here");
  drop_command->add_option("CAPSULE", *dropped, "Its name or UUID; all when it is missing");
  bind(drop_command, invocation, dropped,
       [](Context& context, std::string what) { return drop_cache(context, what); });
}

void add_create(CLI::App& app, Invocation& invocation) {
  auto creating = std::make_shared<CreateOptions>();
  auto* command = app.add_subcommand("create", "Make a capsule of a disk image, or of nothing");
  command->add_option("NAME", creating->name, "The capsule's name");
  auto* disk =
      command->add_option("--disk", creating->disk, "A disk image: raw, qcow2, vmdk, vdi or vhdx");
  command
      ->add_option("--format", creating->format, "The image's format, when it is not what it says")
      ->check(CLI::IsMember({"raw", "qcow2", "vmdk", "vdi", "vhdx"}))
      ->needs(disk);
  command->add_option("--size", creating->size, "An empty disk of that size: 20GiB")
      ->transform(CLI::AsSizeValue(false))
      ->excludes(disk);
  command->add_option("--cdrom", creating->cdrom, "An ISO image to install from; travels along");
  command->add_option("--memory", creating->memory, "How much: 4GiB")
      ->transform(CLI::AsSizeValue(false));
  command->add_option("--cpus", creating->cpus, "How many processors")->check(CLI::Range(1, 4096));
  command->add_option("--firmware", creating->firmware, "bios (the default) or efi")
      ->check(CLI::IsMember({"bios", "efi"}));
  command->add_option("--network", creating->network,
                      "The model of its interface (e1000e), or 'none' for no interface");
  command->add_option("--os", creating->os,
                      "The operating system: its devices and needs; 'list' lists them");
  command->add_option("--device", creating->device, "Where to; the only device when left out");
  command->add_flag("--launch", creating->launch, "Start it afterwards");
  bind(command, invocation, creating, create);
}

constexpr auto although_needed =
    "Although another host's session, taken over, may need the files as they are";

void add_upkeep(CLI::App& app, Invocation& invocation, const std::string& name,
                const std::string& what,
                Task<ExitCode> (*perform)(Context& context, UpkeepOptions options)) {
  auto options = std::make_shared<UpkeepOptions>();
  auto* command = app.add_subcommand(name, what);
  command->add_option("CAPSULE", options->capsule)->required();
  command->add_flag("--although-needed", options->although_needed, although_needed);
  bind(command, invocation, options, perform);
}

void add_sync(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<SyncOptions>();
  auto* command =
      app.add_subcommand("sync", "Merge its folders into this computer's, as satchel.yaml says");
  command->add_option("CAPSULE", options->capsule)->required();
  command->add_flag("--dry-run", options->dry_run, "Only show what would be done");
  command->add_flag("--emptied", options->emptied, "A folder that has become empty is meant to be");
  bind(command, invocation, options, sync);
}

void add_verify(CLI::App& app, Invocation& invocation) {
  auto word = std::make_shared<std::string>();
  auto* command =
      app.add_subcommand("verify", "Read all that is kept, and tell what is not as it was written");
  command->add_option("CAPSULE|DEVICE", *word, "The only device when left out");
  bind(command, invocation, word,
       [](Context& context, std::string what) { return verify(context, what); });
}

void add_deciding(CLI::App& app, Invocation& invocation) {
  auto resolving = std::make_shared<ResolveOptions>();
  auto* resolve_command =
      app.add_subcommand("resolve", "Choose how it goes on where it has two histories");
  resolve_command->add_option("CAPSULE", resolving->capsule)->required();
  resolve_command
      ->add_option("CHOICE", resolving->choice,
                   "continue-device, keep-both, export-ours or discard-ours")
      ->required()
      ->check(CLI::IsMember({"continue-device", "keep-both", "export-ours", "discard-ours"}));
  resolve_command->add_option("--to", resolving->to,
                              "Where export-ours writes to: a new or empty directory");
  resolve_command->add_flag("--yes,-y", resolving->yes, "Do not ask");
  bind(resolve_command, invocation, resolving, resolve);

  auto going_back = std::make_shared<RollbackOptions>();
  auto* rollback_command =
      app.add_subcommand("rollback", "Make an earlier generation the newest again");
  rollback_command->add_option("CAPSULE", going_back->capsule)->required();
  rollback_command
      ->add_option("GENERATION", going_back->generation,
                   "One that 'satchelctl history' calls restorable")
      ->required()
      ->check(generation_check());
  rollback_command->add_flag("--although-needed", going_back->although_needed, although_needed);
  rollback_command->add_flag("--yes,-y", going_back->yes, "Do not ask");
  bind(rollback_command, invocation, going_back, rollback);

  auto removing = std::make_shared<RemoveOptions>();
  auto* remove_command = app.add_subcommand("remove", "Delete a capsule from its device, for good");
  remove_command->add_option("CAPSULE", removing->capsule)->required();
  remove_command->add_flag("--yes,-y", removing->yes, "Do not ask");
  bind(remove_command, invocation, removing, remove);
}

void add_moving(CLI::App& app, Invocation& invocation) {
  auto packing = std::make_shared<PackOptions>();
  auto* pack_command = app.add_subcommand("pack", "Make a capsule of a libvirt machine");
  pack_command->add_option("MACHINE", packing->domain, "The domain's name or UUID")->required();
  pack_command->add_option("DEVICE", packing->device, "Where to; the only device when left out");
  pack_command->add_option("--name", packing->name,
                           "The capsule's name; the machine's when left out");
  bind(pack_command, invocation, packing, pack);

  add_create(app, invocation);

  auto launching = std::make_shared<LaunchOptions>();
  auto* launch_command = app.add_subcommand("launch", "Continue a capsule on this computer");
  launch_command->add_option("CAPSULE", launching->capsule)->required();
  launch_command->add_flag("--take-over", launching->take_over,
                           "Although another host has it checked out");
  launch_command->add_flag("--this-copy", launching->this_copy,
                           "Although the device is an older copy, or one that went on apart");
  launch_command->add_flag("--without-device", launching->without_device,
                           "Of what this computer keeps of its disks; the device is away");
  launch_command->add_flag("--start-fresh", launching->start_fresh,
                           "Boot from its disks, not from its saved memory");
  bind(launch_command, invocation, launching, launch);

  auto ejecting = std::make_shared<EjectOptions>();
  auto* eject_command = app.add_subcommand("eject", "Write it to the device and let the device go");
  auto* target = eject_command->add_option("CAPSULE|DEVICE", ejecting->target,
                                           "The only device when left out");
  auto* all = eject_command->add_flag("--all", ejecting->all, "Every device")->excludes(target);
  eject_command
      ->add_flag("--merge", ejecting->merge, "Also merge the layers, once the device has it all")
      ->excludes(all);
  bind(eject_command, invocation, ejecting, eject);

  auto capsule = std::make_shared<std::string>();
  auto* checkpoint_command =
      app.add_subcommand("checkpoint", "Write it to the device; it goes on running");
  checkpoint_command->add_option("CAPSULE", *capsule)->required();
  bind(checkpoint_command, invocation, capsule,
       [](Context& context, std::string word) { return checkpoint(context, word); });

  add_upkeep(app, invocation, "merge", "Merge the layers on the device into the COW files", merge);
  add_upkeep(app, invocation, "fold", "Merge all changes on the device into the image files", fold);
  add_upkeep(app, invocation, "compact", "Write the memory on the device anew, in one piece",
             compact);
  add_sync(app, invocation);
  add_verify(app, invocation);

  auto formatting = std::make_shared<FormatOptions>();
  auto* format_command = app.add_subcommand("format", "Make a filesystem; destroys what is there");
  format_command->add_option("NODE", formatting->node, "The block device, \"/dev/sdb1\"")
      ->required();
  format_command->add_option("--fs", formatting->fs_type, "The filesystem's type")
      ->capture_default_str();
  format_command->add_option("--label", formatting->label, "Must begin with SATCHEL to be found")
      ->capture_default_str();
  format_command->add_flag("--yes,-y", formatting->yes, "Do not ask");
  bind(format_command, invocation, formatting, format);
}

void add_carrying(CLI::App& app, Invocation& invocation) {
  auto exporting = std::make_shared<ExportOptions>();
  auto* export_command =
      app.add_subcommand("export", "Write a capsule as plain files for any libvirt");
  export_command->add_option("CAPSULE", exporting->capsule)->required();
  export_command->add_option("--to", exporting->to, "A new or empty directory")->required();
  auto* flat =
      export_command->add_flag("--flat", exporting->flat, "One qcow2 file a disk (the default)");
  export_command
      ->add_flag("--chain", exporting->chain, "The disks' files as they are on the device")
      ->excludes(flat);
  export_command->add_flag("--no-memory", exporting->no_memory,
                           "Its disks only, as after a power cut");
  export_command->add_option("--generation", exporting->generation, "The newest when left out")
      ->check(generation_check());
  bind(export_command, invocation, exporting, export_to);

  auto importing = std::make_shared<ImportOptions>();
  auto* import_command = app.add_subcommand("import", "Make a capsule of a machine's plain files");
  import_command->add_option("DIRECTORY", importing->from, "An export, or domain XML and disks")
      ->required();
  import_command->add_option("DEVICE", importing->device,
                             "Where to; the only device when left out");
  import_command->add_option("--name", importing->name,
                             "The capsule's name; the machine's when left out");
  import_command->add_option("--uuid", importing->uuid, "The capsule's; a new one when left out");
  import_command->add_flag("--no-memory", importing->no_memory, "Its disks only");
  bind(import_command, invocation, importing, import_from);
}

}  // namespace

Invocation parse_arguments(int argc, const char* const* argv) {
  Invocation invocation;
  CLI::App app("Carry running machines on a USB stick: asks the service satcheld.", "satchelctl");
  bool json = false;
  app.add_flag("--json", json, "Print JSON, for programs");
  app.set_version_flag("--version", std::string("satchelctl ") + SATCHEL_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.footer("satchelctl(1) has the exit statuses and examples.");
  add_looking(app, invocation);
  add_moving(app, invocation);
  add_deciding(app, invocation);
  add_carrying(app, invocation);
  refuse_empty(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    auto chosen = app.get_subcommands();
    invocation.text = chosen.empty() ? app.help() : chosen.front()->help("satchelctl");
  } catch (const CLI::CallForVersion&) {
    invocation.text = app.version() + "\n";
  } catch (const CLI::ParseError& error) {
    throw Refusal(ExitCode::usage, std::string(error.what()) + ".",
                  "'satchelctl --help' lists the commands.");
  }
  if (json) invocation.output = Output::json;
  if (!invocation.command) invocation.command = status;
  return invocation;
}

}  // namespace satchel::cli
