#include "guestfs/guest_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

namespace satchel::guestfs {

namespace {

using sync::Entry;
using sync::Kind;

// libguestfs' messages end at 4 MiB.
constexpr std::size_t names_a_call = 1000;
constexpr std::size_t bytes_a_call = 512U << 10;
constexpr std::size_t chunk = 2U << 20;
constexpr std::size_t block = 4096;
// Linux takes 4095 bytes; the appliance puts its own folder in front.
constexpr std::size_t longest_path = 4000;
constexpr std::size_t most_bytes_of_names = 1U << 30;
// What may be kept in the inode itself, without a block.
constexpr std::uint64_t may_be_inline = 64U << 10;

Fault stopped() {
  return Fault(Remedy::retry, Fault::Text{"read", "the machine's files", "it was stopped", {}});
}

constexpr std::string_view too_long = "its path is too long to be read";

std::string what_is(std::int64_t mode) {
  switch (mode & S_IFMT) {
    case S_IFSOCK:
      return "socket";
    case S_IFBLK:
      return "block device";
    case S_IFCHR:
      return "character device";
    case S_IFIFO:
      return "named pipe";
    default:
      return "of an unknown kind";
  }
}

UnixNanos nanos(std::int64_t seconds, std::int64_t rest) {
  constexpr std::int64_t most = 9'000'000'000;  // what 64 bits of nanoseconds hold
  return UnixNanos(std::clamp(seconds, -most, most) * 1'000'000'000 +
                   std::clamp<std::int64_t>(rest, 0, 999'999'999));
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

Entry unknown(std::string path, std::string_view why) {
  Entry out;
  out.path = std::move(path);
  out.what = why;
  return out;
}

/// One folder's names can't be read, though its neighbours' can.
class Unlisted : public Fault {
 public:
  explicit Unlisted(const Fault& why) : Fault(why) {}
};

using NameList = Handle<guestfs_dirent_list, guestfs_free_dirent_list>;
using StatList = Handle<guestfs_statns_list, guestfs_free_statns_list>;

/// Pointers for a call that takes a list of strings.
std::vector<char*> pointers(const std::vector<std::string>& names, std::size_t from,
                            std::size_t to) {
  std::vector<char*> out;
  for (auto i = from; i < to; ++i) out.push_back(const_cast<char*>(names[i].c_str()));
  out.push_back(nullptr);
  return out;
}

/// How many of them from `from` on go into one call.
std::size_t batch_end(const std::vector<std::string>& names, std::size_t from) {
  std::size_t bytes = 0;
  auto to = from;
  while (to < names.size() && to - from < names_a_call && bytes < bytes_a_call)
    bytes += names[to++].size() + 1;
  return to;
}

bool is_zero(const char* bytes, std::size_t length) {
  return std::all_of(bytes, bytes + length, [](char c) { return c == 0; });
}

/// A piece of a file with holes: blocks of zeroes go as holes.
void pass_sparse(sync::ContentSink& to, const char* bytes, std::size_t length) {
  for (std::size_t at = 0; at < length;) {
    const auto size_at = [&](std::size_t where) { return std::min(block, length - where); };
    const bool hole = is_zero(bytes + at, size_at(at));
    auto end = at;
    while (end < length && is_zero(bytes + end, size_at(end)) == hole) end += size_at(end);
    if (hole)
      to.hole(ByteCount(end - at));
    else
      to.data(std::as_bytes(std::span(bytes + at, end - at)));
    at = end;
  }
}

}  // namespace

GuestFiles::GuestFiles(guestfs_h* g, Mounting::Root root) : g_(g), root_(std::move(root)) {
  const auto& type = root_.filesystem;
  has_modes_ = !(type.starts_with("ntfs") || type == "vfat" || type == "exfat" || type == "msdos");
}

std::string GuestFiles::absolute(const std::string& path) const {
  if (path.empty()) return root_.path;
  return root_.path == "/" ? "/" + path : root_.path + "/" + path;
}

void GuestFiles::check_alive() const {
  // A transfer that broke off may leave the two ends at different places of the conversation.
  if (guestfs_is_ready(g_) != 1 || guestfs_ping_daemon(g_) != 0)
    throw Fault(Remedy::retry,
                Fault::Text{"read", "the machine's files", "the reader has ended", {}});
}

void GuestFiles::list(const sync::EntrySink& to, std::stop_token stop) {
  sizes_.clear();
  bytes_of_names_ = 0;
  Folders ahead;
  look_at({}, names_in({}), to, ahead);
  while (!ahead.empty()) {
    if (stop.stop_requested()) throw stopped();
    auto folder = std::move(ahead.back());
    ahead.pop_back();
    const auto path = folder.path;
    Names names;
    const auto unmounted = root_.unmounted.find(absolute(path));
    if (unmounted != root_.unmounted.end())
      folder.what = "its filesystem can't be mounted: " + unmounted->second;
    else if (absolute(path).size() > longest_path)
      folder.what = too_long;
    else
      try {
        names = names_in(path);
      } catch (const Unlisted& why) {
        folder.what = why.text().why;
      }
    to(std::move(folder));
    look_at(path, names, to, ahead);
  }
}

GuestFiles::Names GuestFiles::names_in(const std::string& folder) {
  const auto where = absolute(folder);
  const NameList found(guestfs_readdir(g_, where.c_str()));
  if (!found) {
    auto why = failure(g_, "list", where);
    check_alive();
    if (folder.empty()) throw why;
    throw Unlisted(why);
  }
  Names names;
  for (std::uint32_t i = 0; i < found->len; ++i) {
    const std::string_view name = found->val[i].name;
    if (name == "." || name == "..") continue;
    bytes_of_names_ += folder.size() + name.size() + 1;
    if (bytes_of_names_ > most_bytes_of_names)
      throw Fault(Remedy::fix_config,
                  Fault::Text{"list", root_.path, "it has more names than can be kept in memory",
                              "Choose a smaller folder in satchel.yaml."});
    names.emplace_back(name);
  }
  return names;
}

void GuestFiles::look_at(const std::string& folder, const Names& names, const sync::EntrySink& to,
                         Folders& ahead) {
  const auto where = absolute(folder);
  std::vector<Entry> links;
  for (std::size_t from = 0; from < names.size();) {
    const auto end = batch_end(names, from);
    const StatList found(guestfs_lstatnslist(g_, where.c_str(), pointers(names, from, end).data()));
    if (!found || found->len != end - from) throw failure(g_, "look at", where);
    for (auto i = from; i < end; ++i) {
      auto entry = seen_as(join(folder, names[i]), found->val[i - from]);
      if (entry.kind == Kind::directory)
        ahead.push_back(std::move(entry));
      else if (entry.kind == Kind::link)
        links.push_back(std::move(entry));
      else
        to(std::move(entry));
    }
    from = end;
  }
  read_links(where, links, to);
}

Entry GuestFiles::seen_as(std::string path, const struct guestfs_statns& seen) {
  if (seen.st_ino == -1) return unknown(std::move(path), "it can't be looked at");
  Entry entry;
  entry.mtime = nanos(seen.st_mtime_sec, seen.st_mtime_nsec);
  entry.changed = nanos(seen.st_ctime_sec, seen.st_ctime_nsec);
  const bool directory = S_ISDIR(seen.st_mode);
  entry.mode =
      has_modes_ ? static_cast<std::uint32_t>(seen.st_mode & 07777) : (directory ? 0755U : 0644U);
  entry.path = std::move(path);
  if (directory) {
    entry.kind = Kind::directory;
  } else if (S_ISLNK(seen.st_mode)) {
    entry.kind = Kind::link;
  } else if (S_ISREG(seen.st_mode) && absolute(entry.path).size() <= longest_path) {
    entry.kind = Kind::file;
    entry.size = ByteCount(static_cast<std::uint64_t>(std::max<std::int64_t>(seen.st_size, 0)));
    const auto blocks = static_cast<std::uint64_t>(std::max<std::int64_t>(seen.st_blocks, 0));
    entry.allocated = ByteCount(std::min(blocks * 512, entry.size.value));
    sizes_[entry.path] = Size{entry.size.value, entry.allocated.value};
  } else {
    entry.what = S_ISREG(seen.st_mode) ? std::string(too_long) : what_is(seen.st_mode);
  }
  return entry;
}

void GuestFiles::read_links(const std::string& where, std::vector<Entry>& links,
                            const sync::EntrySink& to) {
  Names names;
  for (const auto& link : links) names.push_back(link.path.substr(link.path.rfind('/') + 1));
  for (std::size_t from = 0; from < names.size();) {
    const auto end = std::min(batch_end(names, from), from + 500);  // targets of 4 KiB each
    const Strings found(guestfs_readlinklist(g_, where.c_str(), pointers(names, from, end).data()));
    const auto targets = values(found);
    if (!found || targets.size() != end - from) throw failure(g_, "read the links in", where);
    for (auto i = from; i < end; ++i) {
      auto& link = links[i];
      link.link_target = targets[i - from];
      if (link.link_target.empty())
        to(unknown(std::move(link.path), "a link that can't be read"));
      else
        to(std::move(link));
    }
    from = end;
  }
}

void GuestFiles::read(std::span<const std::string> paths, sync::ContentSink& to,
                      std::stop_token stop) {
  for (const auto& path : paths) read_one(path, to, stop);
}

void GuestFiles::read_one(const std::string& path, sync::ContentSink& to,
                          const std::stop_token& stop) {
  const auto known = sizes_.find(path);
  if (known == sizes_.end()) {
    to.unreadable(path, "it was not listed as a file");
    return;
  }
  const auto [length, allocated] = known->second;
  const auto where = absolute(path);
  bool begun = false;
  const bool sparse = allocated + block <= length;
  const bool empty = allocated == 0 && length > may_be_inline;
  for (std::uint64_t at = 0; at < length && !empty;) {
    if (stop.stop_requested()) throw stopped();
    const auto wanted = std::min<std::uint64_t>(chunk, length - at);
    std::size_t got = 0;
    const Text bytes{guestfs_pread(g_, where.c_str(), static_cast<int>(wanted),
                                   static_cast<std::int64_t>(at), &got)};
    if (!bytes || got == 0) {
      check_alive();
      to.unreadable(path, bytes ? "it ends before its length" : failure(g_, {}, {}).text().why);
      return;
    }
    if (!std::exchange(begun, true)) to.begin(path);
    if (sparse)
      pass_sparse(to, bytes.get(), got);
    else
      to.data(std::as_bytes(std::span(bytes.get(), got)));
    at += got;
  }
  if (!begun) to.begin(path);
  if (empty) to.hole(ByteCount(length));
  to.end();
}

}  // namespace satchel::guestfs
