#include "base/beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

using namespace satchel;

namespace {

struct Folder {
  Folder() {
    std::string scratch = (std::filesystem::temp_directory_path() / "beneath.XXXXXX").string();
    REQUIRE(::mkdtemp(scratch.data()) != nullptr);
    path = scratch;
    std::filesystem::create_directories(path / "in/deep");
    std::ofstream(path / "in/deep/file") << "x";
    std::filesystem::create_directory_symlink("in", path / "link");
    std::filesystem::create_symlink("/etc/passwd", path / "in/out");
    fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(fd);
  }
  ~Folder() { std::filesystem::remove_all(path); }

  int error_of(const std::string& name, int flags = O_RDONLY) const {
    const auto opened = open_beneath(fd.get(), name, flags);
    return opened ? 0 : opened.error();
  }

  std::filesystem::path path;
  UniqueFd fd;
};

}  // namespace

TEST_CASE("what is beneath a directory opens") {
  const Folder folder;
  CHECK(folder.error_of("in/deep/file") == 0);
  CHECK(folder.error_of("in//deep/./file") == 0);
  CHECK(folder.error_of("in/deep", O_RDONLY | O_DIRECTORY) == 0);
  CHECK(folder.error_of(".", O_RDONLY | O_DIRECTORY) == 0);
}

TEST_CASE("a link is never followed, wherever in the path it stands") {
  const Folder folder;
  CHECK(folder.error_of("link", O_RDONLY | O_DIRECTORY) != 0);
  CHECK(folder.error_of("link/deep/file") == ELOOP);
  CHECK(folder.error_of("in/out") == ELOOP);
  CHECK(folder.error_of("in/out", O_WRONLY | O_CREAT) == ELOOP);
}

TEST_CASE("nothing leads out of a directory") {
  const Folder folder;
  CHECK(folder.error_of("/etc/passwd") == EXDEV);
  CHECK(folder.error_of("../" + folder.path.filename().string() + "/in") == EXDEV);
  CHECK(folder.error_of("in/../in/deep/file") == EXDEV);
  CHECK(folder.error_of("in/..") == EXDEV);
}

TEST_CASE("another mount beneath a directory is not entered") {
  const UniqueFd root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto opened = open_beneath(root.get(), "proc/self/status", O_RDONLY);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == EXDEV);
}

TEST_CASE("what is missing says so, and a new file is its owner's alone") {
  const Folder folder;
  CHECK(folder.error_of("") == ENOENT);
  CHECK(folder.error_of("nothing/file") == ENOENT);
  CHECK(folder.error_of("in/deep/file/more") == ENOTDIR);
  CHECK(folder.error_of("in/new", O_WRONLY | O_CREAT | O_EXCL) == 0);
  struct stat about {};
  REQUIRE(::stat((folder.path / "in/new").c_str(), &about) == 0);
  CHECK((about.st_mode & 077) == 0);
}
