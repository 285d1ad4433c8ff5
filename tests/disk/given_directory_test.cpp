// A person's directory: what is opened and made there, and what is not.
#include "disk/given_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

#include "base/fault.hpp"
#include "disk/files.hpp"

namespace satchel {

namespace {

using Names = std::vector<std::string>;

disk::GivenDirectory given(const Files& files) {
  return {UniqueFd(::open(files.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "/shown"};
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("only regular files beneath the directory are opened, through no link") {
  Files files;
  files.write("plain", "content");
  REQUIRE(::symlink("/etc/passwd", files.path("link").c_str()) == 0);
  REQUIRE(::mkfifo(files.path("fifo").c_str(), 0600) == 0);
  files.run("mkdir sub && ln -s /etc out");
  const auto directory = given(files);
  CHECK(directory.read("plain", ByteCount(7)) == "content");
  CHECK_FALSE(directory.open("absent"));
  CHECK(refusal([&] { directory.open("link"); }).find("symbolic link") != std::string::npos);
  CHECK(refusal([&] { directory.open("out/passwd"); }).find("symbolic link") != std::string::npos);
  CHECK(refusal([&] { directory.open("../x"); }).find("leads out") != std::string::npos);
  CHECK(refusal([&] { directory.open("/etc/passwd"); }).find("leads out") != std::string::npos);
  CHECK(refusal([&] { directory.open("fifo"); }).find("no regular file") != std::string::npos);
  CHECK(refusal([&] { directory.open("sub"); }).find("no regular file") != std::string::npos);
  CHECK(refusal([&] { directory.read("plain", ByteCount(6)); }).find("larger") !=
        std::string::npos);
  CHECK(refusal([&] { directory.open("link"); }).find("/shown/link") != std::string::npos);
}

TEST_CASE("new files have their names only when all are whole") {
  Files files;
  const auto directory = given(files);
  {
    disk::NewFiles made(directory);
    made.write("a", "one");
    made.write("below/b", "two");
    CHECK(directory.names() == Names{"a.part", "below"});
    SECTION("published") {
      made.publish();
      CHECK(directory.names() == Names{"a", "below"});
    }
    SECTION("given up") {}
    SECTION("one of the names was taken meanwhile") {
      files.write("a", "somebody's");
      CHECK(refusal([&] { made.publish(); }).find("already") != std::string::npos);
    }
  }
  if (files.has("below/b")) {
    CHECK(files.read("a") == "one");
    CHECK(files.read("below/b") == "two");
  } else if (files.has("a")) {
    CHECK(directory.names() == Names{"a"});
    CHECK(files.read("a") == "somebody's");
  } else {
    CHECK(directory.names().empty());
  }
}

TEST_CASE("published files belong to the directory's owner alone") {
  if (::geteuid() != 0) {
    WARN("only root can give files away: passed over");
    return;
  }
  Files files;
  REQUIRE(::chown(files.path("").c_str(), 65534, 65534) == 0);
  const auto directory = given(files);
  disk::NewFiles made(directory);
  made.write("below/b", "two");
  made.publish();
  for (const char* name : {"below", "below/b"}) {
    struct stat about {};
    REQUIRE(::lstat(files.path(name).c_str(), &about) == 0);
    CHECK(about.st_uid == 65534);
    CHECK(about.st_gid == 65534);
    CHECK((about.st_mode & 077) == 0);
  }
}

TEST_CASE("what is written can't be led elsewhere by a link in its place") {
  Files files;
  files.write("victim", "untouched");
  const auto directory = given(files);
  disk::NewFiles made(directory);
  const int fd = made.create("disk");
  files.run("rm disk.part && ln -s victim disk.part");
  // As a program that is given the path writes.
  const UniqueFd other(::open(disk::path_of(fd).c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(other);
  disk::write_all(other.get(), "content", "disk");
  CHECK(files.read("victim") == "untouched");
  REQUIRE(::symlink("victim", files.path("again.part").c_str()) == 0);
  CHECK(refusal([&] { made.create("again"); }).find("already") != std::string::npos);
}

}  // namespace satchel
