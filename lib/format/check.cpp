// What a head must satisfy beyond the types of its members; used before writing and after reading.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "format/head.hpp"
#include "format/strict_json.hpp"
#include "format/text.hpp"

namespace satchel::format {
namespace {

class Checker {
 public:
  explicit Checker(const Head& head) : head_(head) {}

  Mistakes run() {
    require(!head_.capsule.value.is_nil(), "/capsule", "no identity");
    name("/name", head_.name);
    integer("/epoch", head_.epoch, 1);
    generation("/generation", head_.generation);
    if (head_.checked_out) {
      require(!head_.checked_out->session.value.is_nil(), "/checked_out/session", "no identity");
      require(!head_.checked_out->host.value.is_nil(), "/checked_out/host", "no identity");
      name("/checked_out/host_name", head_.checked_out->host_name);
      integer("/checked_out/since", head_.checked_out->since.value, 0);
    }
    machine();
    disks();
    if (head_.hibernation) hibernation(*head_.hibernation);
    if (head_.nvram) refer("/nvram", *head_.nvram);
    objects();
    history();
    return std::move(mistakes_);
  }

 private:
  void require(bool good, const std::string& where, std::string what) {
    if (!good) mistakes_.push_back({where, std::move(what)});
  }

  void name(const std::string& where, const std::string& text) {
    require(is_name(text), where, "not 1 to 255 bytes of printable UTF-8");
  }

  void integer(const std::string& where, std::uint64_t value, std::uint64_t smallest) {
    require(value >= smallest && value <= largest_integer, where,
            "not between " + std::to_string(smallest) + " and " + std::to_string(largest_integer));
  }

  void generation(const std::string& where, const Generation& it) {
    integer(where + "/seq", it.seq.value, 1);
    require(!it.id.value.is_nil(), where + "/id", "no identity");
    require(!it.host.value.is_nil(), where + "/host", "no identity");
    require(it.parent.has_value() == (it.seq.value > 1), where + "/parent",
            "the first generation has no parent and every other has one");
    require(!it.parent || (!it.parent->value.is_nil() && *it.parent != it.id), where + "/parent",
            "not the identity of another generation");
    name(where + "/host_name", it.host_name);
    integer(where + "/time", it.time.value, 0);
  }

  void machine() {
    const auto parsed = parse_strictly(head_.machine_json, largest_head);
    if (!parsed) {
      for (const auto& each : parsed.error())
        mistakes_.push_back({"/machine" + each.where, each.what});
      return;
    }
    require(parsed->is_object(), "/machine", "not an object");
  }

  void refer(const std::string& where, const std::string& path) {
    require(head_.find(path) != nullptr, where, "names no object: " + path);
    require(referred_.insert(path).second, where, "named twice: " + path);
  }

  void disks() {
    require(head_.disks.size() <= most_disks, "/disks",
            "more than " + std::to_string(most_disks) + " disks");
    std::set<std::string> targets;
    for (std::size_t i = 0; i < head_.disks.size(); ++i) {
      const Disk& disk = head_.disks[i];
      const std::string where = "/disks/" + std::to_string(i);
      require(is_disk_target(disk.target), where + "/target", "not a disk's name");
      require(targets.insert(folded(disk.target)).second, where + "/target",
              "another disk has this name");
      integer(where + "/virtual_size", disk.virtual_size.value, 1);
      require(!disk.chain.empty() && disk.chain.size() <= longest_chain, where + "/chain",
              "not 1 to " + std::to_string(longest_chain) + " files");
      for (std::size_t n = 0; n < disk.chain.size(); ++n) {
        const std::string at = where + "/chain/" + std::to_string(n);
        require(directory_of(disk.chain[n]) == disk.target, at,
                "not in the disk's own directory: " + disk.chain[n]);
        refer(at, disk.chain[n]);
        in_its_place(at, disk.chain[n], n);
      }
    }
  }

  // What merges change in place stands where only the files above it can hide that.
  void in_its_place(const std::string& at, const std::string& path, std::size_t n) {
    const auto epoch = epoch_of_cow(path);
    if (epoch)
      require(n == 1 && *epoch <= head_.epoch, at,
              "a COW file is the second of its chain and of no later epoch: " + path);
    else if (is_merged_in_place(path))
      require(n == 0, at, "an image file is the bottom of its chain: " + path);
  }

  void hibernation(const Hibernation& it) {
    require(is_token(it.codec), "/hibernation/codec", "not a codec's name");
    require(is_token(it.accelerator), "/hibernation/accelerator", "not an accelerator's name");
    name("/hibernation/emulator", it.emulator);
    integer("/hibernation/stream_size", it.stream_size.value, 1);
    refer("/hibernation/pages", it.pages);
    refer("/hibernation/map", it.map);
    if (!it.segments) return;
    require(it.segments->size() <= most_segments, "/hibernation/segments",
            "more than " + std::to_string(most_segments) + " segments");
    for (std::size_t i = 0; i < it.segments->size(); ++i)
      refer("/hibernation/segments/" + std::to_string(i), (*it.segments)[i]);
  }

  void objects() {
    require(head_.objects.size() <= most_objects, "/objects",
            "more than " + std::to_string(most_objects) + " objects");
    require(std::ranges::is_sorted(head_.objects, {}, &Object::path), "/objects",
            "not sorted by path");
    std::set<std::string> files;
    std::set<std::string> directories;
    for (std::size_t i = 0; i < head_.objects.size(); ++i) {
      const Object& object = head_.objects[i];
      const std::string where = "/objects/" + std::to_string(i);
      if (const auto wrong = wrong_with_path(object.path))
        mistakes_.push_back({where + "/path", *wrong});
      integer(where + "/size", object.size.value, 0);
      require(files.insert(folded(object.path)).second, where + "/path",
              "another object has this path, without regard to case");
      directories.insert(folded(directory_of(object.path)));
      require(referred_.contains(object.path), where + "/path",
              "nothing needs this object: " + object.path);
    }
    for (const auto& each : directories)
      require(!files.contains(each), "/objects", "both a file and a directory: " + each);
  }

  void history() {
    require(head_.history.size() <= longest_history, "/history",
            "more than " + std::to_string(longest_history) + " entries");
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < head_.history.size(); ++i) {
      const Past& past = head_.history[i];
      const std::string where = "/history/" + std::to_string(i);
      generation(where + "/generation", past.generation);
      name(where + "/what", past.what);
      require(past.generation.seq.value > last &&
                  past.generation.seq.value <= head_.generation.seq.value,
              where + "/generation/seq", "not in order");
      last = past.generation.seq.value;
    }
  }

  const Head& head_;
  std::set<std::string> referred_;
  Mistakes mistakes_;
};

}  // namespace

const Object* Head::find(std::string_view path) const {
  const auto at = std::ranges::find(objects, path, &Object::path);
  return at == objects.end() ? nullptr : &*at;
}

Mistakes check(const Head& head) { return Checker(head).run(); }

}  // namespace satchel::format
