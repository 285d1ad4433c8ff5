#include "daemon/bus/creation.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "daemon/bus/options.hpp"

namespace satchel::faces {

namespace {

using machine::Wish;

constexpr auto usual_memory = std::uint64_t{2} << 30;
constexpr std::uint32_t usual_cpus = 2;

UniqueFd take_file(Files& files, const std::string& name) {
  const auto found = files.find(name);
  if (found == files.end()) return {};
  auto out = std::move(found->second);
  files.erase(found);
  return out;
}

/// Whether the first of the two words was given; a third one is a mistake.
bool chosen(Options& options, const std::string& name, const std::string& other,
            const std::string& usual) {
  const auto word = options.take(name, usual);
  if (word != usual && word != other) options.refuse(name, "must be " + usual + " or " + other);
  return word == other;
}

void take_devices(Options& options, Wish& wish) {
  const std::pair<const char*, Wish::Drives&> known[] = {{"rng", wish.rng},
                                                         {"balloon", wish.balloon},
                                                         {"agent", wish.agent},
                                                         {"tablet", wish.tablet},
                                                         {"hyperv", wish.hyperv}};
  const auto given =
      options.take("devices", std::vector<std::string>{"rng", "balloon", "agent", "tablet"});
  for (const auto& [word, drives] : known) {
    const bool there = std::find(given.begin(), given.end(), word) != given.end();
    drives = there ? Wish::Drives::yes : Wish::Drives::no;
  }
  for (const auto& word : given)
    if (std::none_of(std::begin(known), std::end(known),
                     [&](const auto& each) { return word == each.first; }))
      options.refuse("devices", "there is no " + word);
}

}  // namespace

CreateRequest read_creation(std::string name, Files files, Dictionary given) {
  Options options("Create", std::move(given));
  CreateRequest request;
  auto& wish = request.wish;
  wish.name = std::move(name);
  request.format = options.take("format", std::string());
  request.size = ByteCount(options.take("size", std::uint64_t{0}));
  wish.memory = ByteCount(options.take("memory", usual_memory));
  wish.cpus = options.take("cpus", usual_cpus);
  if (chosen(options, "firmware", "efi", "bios")) wish.firmware = Wish::Kind::efi;
  if (chosen(options, "clock", "localtime", "utc")) wish.clock = Wish::Clock::local_time;
  wish.disk_bus = options.take("disk_bus", wish.disk_bus);
  wish.network = options.take("network", wish.network);
  wish.video = options.take("video", wish.video);
  take_devices(options, wish);
  if (options.take("launch", false)) request.afterwards = CreateRequest::Afterwards::launch;
  request.disk = take_file(files, "disk");
  request.cdrom = take_file(files, "cdrom");
  if (request.cdrom) wish.medium = Wish::Medium::cd;
  for (const auto& [word, file] : files) options.refuse("files", "there is no use for " + word);
  options.finish();
  return request;
}

}  // namespace satchel::faces
