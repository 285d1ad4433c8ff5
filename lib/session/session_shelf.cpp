#include "session/session_shelf.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "base/host_file.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

constexpr auto journal_name = "journal";
constexpr auto next_name = "journal.new";
constexpr auto ended_name = "ended";

UniqueFd open_directory(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw host_fault_from_errno(errno, "open", path.string());
  return fd;
}

void sync(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) throw host_fault_from_errno(errno, "write out", path.string());
}

/// Makes it and writes its name out; nothing to do when it is there.
void make_durably(const fs::path& path) {
  if (::mkdir(path.c_str(), 0711) != 0) {
    if (errno == EEXIST) return;
    throw host_fault_from_errno(errno, "make", path.string());
  }
  // The umask may have taken bits away that QEMU's user needs.
  if (::chmod(path.c_str(), 0711) != 0)
    throw host_fault_from_errno(errno, "open up", path.string());
  sync(open_directory(path.parent_path()).get(), path.parent_path());
}

void write_all(int fd, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw host_fault_from_errno(errno, "write", path.string());
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Of a directory without a journal: whether nothing in it is needed. Throws what its reading does.
bool is_leftover(const fs::path& path) {
  if (fs::exists(fs::symlink_status(path / ended_name))) return true;
  return std::ranges::all_of(fs::directory_iterator(path),
                             [](const auto& each) { return each.path().filename() == next_name; });
}

/// The session of a journal whose directory has the right name.
Result<Session> read_at(const std::string& text, CapsuleId capsule) {
  auto session = read_journal(text);
  if (session && session->capsule != capsule)
    return mistake("/capsule", "is not the capsule that the directory is named after");
  return session;
}

}  // namespace

SessionShelf::SessionShelf(fs::path state_directory)
    : sessions_(std::move(state_directory) / "sessions") {}

fs::path SessionShelf::directory(CapsuleId capsule) const {
  return sessions_ / capsule.value.str();
}

fs::path SessionShelf::make_directory(CapsuleId capsule) const {
  make_durably(sessions_);
  auto path = directory(capsule);
  make_durably(path);
  return path;
}

void SessionShelf::save(const Session& session) const {
  const std::lock_guard alone(writing_);
  write(session);
}

void SessionShelf::amend(CapsuleId capsule, SessionId session,
                         const std::function<bool(Session&)>& change) const {
  const std::lock_guard alone(writing_);
  auto journal = find(capsule);
  if (journal && journal->session == session && change(*journal)) write(*journal);
}

void SessionShelf::write(const Session& session) const {
  const auto text = write_journal(session);
  const auto path = make_directory(session.capsule);
  const auto next = path / next_name;
  const auto dir = open_directory(path);
  UniqueFd fd(
      ::openat(dir.get(), next_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw host_fault_from_errno(errno, "make", next.string());
  write_all(fd.get(), text, next);
  sync(fd.get(), next);
  // What a removal has left belongs to this session from now on.
  if (::unlinkat(dir.get(), ended_name, 0) != 0 && errno != ENOENT)
    throw host_fault_from_errno(errno, "remove", (path / ended_name).string());
  if (::renameat(dir.get(), next_name, dir.get(), journal_name) != 0)
    throw host_fault_from_errno(errno, "rename", next.string());
  sync(dir.get(), path);
}

SessionShelf::Contents SessionShelf::all() const {
  Contents out;
  std::error_code error;
  fs::directory_iterator entries(sessions_, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  if (error) throw host_fault_from_errno(error.value(), "read", sessions_.string());
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    const auto& path = entries->path();
    const auto id = Uuid::parse(path.filename().string());
    if (!id) continue;
    const CapsuleId capsule(*id);
    const auto where = (path / journal_name).string();
    try {
      const auto text = find_host_file(where);
      if (!text && is_leftover(path)) {
        out.leftovers.push_back(capsule);
      } else if (!text) {
        out.unreadable.push_back({path.string(), "holds files of a session, and no journal"});
      } else if (auto session = read_at(*text, capsule)) {
        out.sessions.push_back(std::move(*session));
      } else {
        for (const auto& each : session.error())
          out.unreadable.push_back({where + each.where, each.what});
      }
    } catch (const Fault& fault) {
      out.unreadable.push_back({where, fault.what()});
    } catch (const fs::filesystem_error& failure) {
      out.unreadable.push_back({where, failure.code().message()});
    }
  }
  if (error) throw host_fault_from_errno(error.value(), "read", sessions_.string());
  std::sort(out.sessions.begin(), out.sessions.end(),
            [](const Session& a, const Session& b) { return a.capsule < b.capsule; });
  std::sort(out.leftovers.begin(), out.leftovers.end());
  return out;
}

std::optional<Session> SessionShelf::find(CapsuleId capsule) const {
  const auto path = directory(capsule) / journal_name;
  const auto text = find_host_file(path);
  if (!text) return std::nullopt;
  auto session = read_at(*text, capsule);
  if (!session)
    throw Fault(Remedy::report_bug,
                {"read", path.string(), to_string(session.error()),
                 "Move the directory aside; it may hold what the machine did on this computer."});
  return std::move(*session);
}

bool SessionShelf::is_free(CapsuleId capsule) const {
  const auto path = directory(capsule);
  try {
    return !fs::exists(fs::symlink_status(path)) ||
           (!fs::exists(fs::symlink_status(path / journal_name)) && is_leftover(path));
  } catch (const fs::filesystem_error& failure) {
    throw host_fault_from_errno(failure.code().value(), "look at", path.string());
  }
}

void SessionShelf::remove(CapsuleId capsule) const {
  const std::lock_guard alone(writing_);
  const auto path = directory(capsule);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) {
    if (error && error != std::errc::no_such_file_or_directory)
      throw host_fault_from_errno(error.value(), "look at", path.string());
    return;
  }
  // First of all: a journal that outlived its overlays would promise what is gone, and overlays
  // that outlived their journal would have nobody who knows what they are.
  const auto dir = open_directory(path);
  if (::renameat(dir.get(), journal_name, dir.get(), ended_name) != 0 && errno != ENOENT)
    throw host_fault_from_errno(errno, "rename", (path / journal_name).string());
  sync(dir.get(), path);
  try {
    std::vector<fs::path> rest;
    for (const auto& each : fs::directory_iterator(path))
      if (each.path().filename() != ended_name) rest.push_back(each.path());
    for (const auto& each : rest) fs::remove_all(each);
    sync(dir.get(), path);
    fs::remove_all(path);
  } catch (const fs::filesystem_error& failure) {
    throw host_fault_from_errno(failure.code().value(), "remove", path.string());
  }
}

}  // namespace satchel
