#include "crypto/host_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/fault.hpp"

using namespace satchel;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "satchel-key-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void write_file(const fs::path& file, std::string_view text, mode_t mode) {
  std::ofstream(file) << text;
  REQUIRE(::chmod(file.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("a host's key is made once, closed to others, and read again") {
  const Folder folder;
  const auto file = folder.path / "host.key";
  const HostKey first = HostKey::load_or_create(file);
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 07777) == 0600);
  const HostKey again = HostKey::load_or_create(file);
  CHECK(again.public_key() == first.public_key());
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("hosts that make their key at the same instant agree on one") {
  const Folder folder;
  std::vector<std::string> seen(8);
  {
    std::vector<std::jthread> threads;
    for (auto& each : seen)
      threads.emplace_back([&each, file = folder.path / "host.key"] {
        each = HostKey::load_or_create(file).public_key().hex();
      });
  }
  for (const auto& each : seen) CHECK(each == seen.front());
}

TEST_CASE("what a host signed is verified, and nothing else") {
  const Folder folder;
  const HostKey key = HostKey::load_or_create(folder.path / "a");
  const HostKey other = HostKey::load_or_create(folder.path / "b");
  const Signature signature = key.sign(bytes_of("a head"));
  CHECK(verify(key.public_key(), bytes_of("a head"), signature));
  CHECK_FALSE(verify(key.public_key(), bytes_of("a heap"), signature));
  CHECK_FALSE(verify(other.public_key(), bytes_of("a head"), signature));
  Signature bent = signature;
  bent.bytes[40] ^= 1;
  CHECK_FALSE(verify(key.public_key(), bytes_of("a head"), bent));
  CHECK(Signature::parse(signature.hex()) == signature);
  CHECK(PublicKey::parse(key.public_key().hex()) == key.public_key());
}

TEST_CASE("the first test vector of RFC 8032 gives its public key and signature") {
  const Folder folder;
  const auto file = folder.path / "host.key";
  write_file(
      file, "satchel-host-key-1 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n",
      0600);
  const HostKey key = HostKey::load_or_create(file);
  CHECK(key.public_key().hex() ==
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  CHECK(
      key.sign({}).hex() ==
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST_CASE("a key file that others may read, or that holds no key, is refused and left alone") {
  const Folder folder;
  const auto file = folder.path / "host.key";
  const std::string good = "satchel-host-key-1 " + std::string(64, '1') + "\n";
  write_file(file, good, 0644);
  CHECK_THROWS_AS(HostKey::load_or_create(file), Fault);
  for (const auto& text :
       {std::string(), good + "x", good.substr(1), std::string(file.string().size(), 'x'),
        "satchel-host-key-1 " + std::string(64, 'Z') + "\n"}) {
    write_file(file, text, 0600);
    CHECK_THROWS_AS(HostKey::load_or_create(file), Fault);
    std::ifstream in(file);
    CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == text);
  }
  fs::remove(file);
  write_file(folder.path / "elsewhere", good, 0600);
  fs::create_symlink("elsewhere", file);
  CHECK_THROWS_AS(HostKey::load_or_create(file), Fault);
}

TEST_CASE("a fingerprint begins with the digits of the host's id") {
  const Folder folder;
  const PublicKey key = HostKey::load_or_create(folder.path / "k").public_key();
  auto digits = [](std::string text) {
    std::erase(text, '-');
    return text;
  };
  const std::string shown = digits(key.fingerprint());
  CHECK(shown.substr(0, 8) == "BLAKE2b:");
  CHECK(shown.substr(8, 32) == digits(key.host_id().value.str()));
}
