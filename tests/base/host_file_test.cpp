#include "base/host_file.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/fault.hpp"

namespace satchel {

namespace {

namespace fs = std::filesystem;

struct Place {
  fs::path path;
  Place() {
    std::string name = (fs::temp_directory_path() / "host-file-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Place() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a file of this computer is read whole, whatever its bytes") {
  const Place place;
  std::string bytes(70'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  std::ofstream(place.path / "vars", std::ios::binary) << bytes;
  CHECK(read_host_file(place.path / "vars") == bytes);
  std::ofstream(place.path / "empty");
  CHECK(read_host_file(place.path / "empty").empty());
}

TEST_CASE("a file that is absent, and one that can't be read, are told apart") {
  const Place place;
  CHECK_FALSE(find_host_file(place.path / "none"));
  CHECK_THROWS_AS(read_host_file(place.path / "none"), Fault);
  // read(2) fails with EISDIR.
  CHECK_THROWS_AS(find_host_file(place.path), Fault);
}

TEST_CASE("a link in the last place is followed only where that is asked for") {
  const Place place;
  std::ofstream(place.path / "vars") << "x";
  fs::create_symlink("vars", place.path / "link");
  CHECK_THROWS_AS(read_host_file(place.path / "link"), Fault);
  CHECK(read_host_file(place.path / "link", LastLink::follow) == "x");
}

}  // namespace satchel
