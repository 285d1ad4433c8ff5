// What is written into a person's directory.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/beneath.hpp"
#include "base/host_fault.hpp"
#include "disk/given_directory.hpp"

namespace satchel::disk {

namespace {

std::string part_name(const std::string& name) { return name + ".part"; }

Fault taken_or(int error, std::string doing, std::string shown) {
  if (error != EEXIST) return host_fault_from_errno(error, std::move(doing), std::move(shown));
  return Fault(Remedy::fix_request, Fault::Text{std::move(doing), std::move(shown),
                                                "something of that name is there already",
                                                "Choose an empty directory."});
}

/// Gives it to its new owner, where the filesystem has owners.
void give(int fd, const struct stat& owner, mode_t mode, const std::string& shown) {
  const auto plain = [](int error) {
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
  };
  // The mode first: who is no longer the owner may not set it.
  if (::fchmod(fd, mode) != 0 && !plain(errno))
    throw host_fault_from_errno(errno, "set the mode of", shown);
  if (::fchown(fd, owner.st_uid, owner.st_gid) != 0 && !plain(errno))
    throw host_fault_from_errno(errno, "set the owner of", shown);
}

void sync(int fd, const std::string& shown) {
  // Some FUSE filesystems have no fsync of directories.
  if (::fsync(fd) != 0 && (errno != EINVAL || ::syncfs(fd) != 0))
    throw host_fault_from_errno(errno, "write", shown);
}

}  // namespace

NewFiles::NewFiles(const GivenDirectory& where) : where_(where) {}

NewFiles::~NewFiles() {
  if (!published_) remove();
}

int NewFiles::directory_of(const File& file) const {
  if (file.directory.empty()) return where_.fd();
  return std::find_if(directories_.begin(), directories_.end(),
                      [&](const Made& made) { return made.name == file.directory; })
      ->fd.get();
}

void NewFiles::make_directory(const std::string& name) {
  if (std::any_of(directories_.begin(), directories_.end(),
                  [&](const Made& made) { return made.name == name; }))
    return;
  if (::mkdirat(where_.fd(), name.c_str(), 0700) != 0)
    throw taken_or(errno, "make the directory", where_.shown(name));
  auto fd = open_beneath(where_.fd(), name, O_RDONLY | O_DIRECTORY);
  if (!fd) throw host_fault_from_errno(fd.error(), "open the directory", where_.shown(name));
  directories_.push_back(Made{name, std::move(*fd)});
}

int NewFiles::create(const std::string& path) {
  File file;
  const auto slash = path.find('/');
  if (slash != std::string::npos) {
    file.directory = path.substr(0, slash);
    make_directory(file.directory);
  }
  file.name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  file.path = path;
  file.fd.reset(::openat(directory_of(file), part_name(file.name).c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.fd) throw taken_or(errno, "make", where_.shown(path));
  files_.push_back(std::move(file));
  return files_.back().fd.get();
}

void NewFiles::write(const std::string& path, std::string_view text) {
  write_all(create(path), text, where_.shown(path));
}

void NewFiles::give_name(File& file) {
  const int directory = directory_of(file);
  const auto from = part_name(file.name);
  int done = ::renameat2(directory, from.c_str(), directory, file.name.c_str(), RENAME_NOREPLACE);
  if (done != 0 && errno == EINVAL) {  // a filesystem without that
    struct stat there {};
    if (::fstatat(directory, file.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0)
      errno = EEXIST;
    else
      done = ::renameat(directory, from.c_str(), directory, file.name.c_str());
  }
  if (done != 0) throw taken_or(errno, "name", where_.shown(file.path));
  file.has = File::Has::final_name;
}

void NewFiles::publish() {
  struct stat owner {};
  if (::fstat(where_.fd(), &owner) != 0)
    throw host_fault_from_errno(errno, "look at", where_.shown());
  for (const auto& file : files_) {
    give(file.fd.get(), owner, 0600, where_.shown(file.path));
    sync(file.fd.get(), where_.shown(file.path));
  }
  for (auto& file : files_) give_name(file);
  for (const auto& made : directories_) {
    sync(made.fd.get(), where_.shown(made.name));
    give(made.fd.get(), owner, 0700, where_.shown(made.name));
  }
  sync(where_.fd(), where_.shown());
  published_ = true;
}

void NewFiles::remove() noexcept {
  for (const auto& file : files_) {
    const bool named = file.has == File::Has::final_name;
    const auto name = named ? file.name : part_name(file.name);
    ::unlinkat(directory_of(file), name.c_str(), 0);
  }
  for (const auto& made : directories_) ::unlinkat(where_.fd(), made.name.c_str(), AT_REMOVEDIR);
}

}  // namespace satchel::disk
