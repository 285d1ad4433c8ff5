#include "crypto/host_key.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "crypto/digest.hpp"
#include "crypto/hex.hpp"

namespace satchel {
namespace {

// The file is one line: this word, a blank, the 32-byte seed of RFC 8032 in hexadecimal.
constexpr std::string_view file_start = "satchel-host-key-1 ";
constexpr std::size_t seed_size = crypto_sign_SEEDBYTES;
constexpr std::size_t file_size = file_start.size() + 2 * seed_size + 1;

using Seed = std::array<std::uint8_t, seed_size>;

Fault not_a_key(const std::filesystem::path& file, std::string why) {
  return Fault(Remedy::ask_admin,
               {"use the host's key", file.string(), std::move(why),
                "Restore the file from a backup, or move it away: a new key is then made, which "
                "other hosts have to approve again."});
}

std::optional<Seed> read_seed(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT) return std::nullopt;
    throw host_fault_from_errno(errno, "open the host's key", file.string());
  }
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0)
    throw host_fault_from_errno(errno, "examine the host's key", file.string());
  if (!S_ISREG(about.st_mode)) throw not_a_key(file, "it is not a regular file");
  if ((about.st_mode & 077) != 0 || about.st_uid != ::geteuid())
    throw not_a_key(file, "others than its owner can read it, or it belongs to another user");
  std::array<char, file_size + 1> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  if (n < 0) throw host_fault_from_errno(errno, "read the host's key", file.string());
  const std::string_view line(text.data(), static_cast<std::size_t>(n));
  Seed seed;
  const bool good = line.size() == file_size && line.starts_with(file_start) &&
                    line.back() == '\n' &&
                    from_hex(line.substr(file_start.size(), 2 * seed_size), seed);
  sodium_memzero(text.data(), text.size());
  if (!good)
    throw not_a_key(file, n == static_cast<ssize_t>(file_size)
                              ? "it does not hold a key"
                              : "it does not have the length of a key, " +
                                    std::to_string(file_size) + " bytes, but " + std::to_string(n));
  return seed;
}

void sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    throw host_fault_from_errno(errno, "write the host's key into", directory.string());
}

// The key appears under its name whole or not at all: it is written under another name and linked.
// When another process was faster, link(2) says so and its key counts.
void write_seed(const std::filesystem::path& file, const Seed& seed) {
  const auto directory = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::string scratch = (directory / ".host-key-XXXXXX").string();
  const UniqueFd fd(::mkostemp(scratch.data(), O_CLOEXEC));  // makes it with mode 0600
  if (!fd) throw host_fault_from_errno(errno, "make the host's key in", directory.string());
  std::string line = std::string(file_start) + to_hex(seed) + "\n";
  int error = 0;
  const ssize_t n = ::write(fd.get(), line.data(), line.size());
  if (n < 0)
    error = errno;
  else if (static_cast<std::size_t>(n) != line.size())
    error = ENOSPC;
  else if (::fsync(fd.get()) != 0 ||
           (::link(scratch.c_str(), file.c_str()) != 0 && errno != EEXIST))
    error = errno;
  sodium_memzero(line.data(), line.size());
  ::unlink(scratch.c_str());
  if (error != 0) throw host_fault_from_errno(error, "write the host's key", file.string());
  sync_directory(directory);
}

}  // namespace

std::string PublicKey::hex() const { return to_hex(bytes); }

std::optional<PublicKey> PublicKey::parse(std::string_view hex) {
  PublicKey out;
  if (!from_hex(hex, out.bytes)) return std::nullopt;
  return out;
}

HostId PublicKey::host_id() const {
  const Digest digest = digest_of(std::as_bytes(std::span(bytes)));
  std::array<std::uint8_t, 16> id{};
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return HostId(Uuid(id));
}

std::string PublicKey::fingerprint() const {
  const auto digits = digest_of(std::as_bytes(std::span(bytes))).hex().substr(0, 40);
  std::string out = "BLAKE2b:";
  for (std::size_t i = 0; i < digits.size(); i += 4)
    out += (i == 0 ? "" : "-") + digits.substr(i, 4);
  return out;
}

std::string Signature::hex() const { return to_hex(bytes); }

std::optional<Signature> Signature::parse(std::string_view hex) {
  Signature out;
  if (!from_hex(hex, out.bytes)) return std::nullopt;
  return out;
}

bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature) {
  return crypto_sign_verify_detached(signature.bytes.data(),
                                     reinterpret_cast<const unsigned char*>(message.data()),
                                     message.size(), key.bytes.data()) == 0;
}

HostKey HostKey::load_or_create(const std::filesystem::path& file) {
  auto seed = read_seed(file);
  if (!seed) {
    if (sodium_init() < 0)
      throw Fault(Remedy::report_bug, {"make", "a host key", "libsodium does not start", {}});
    Seed made;
    randombytes_buf(made.data(), made.size());
    write_seed(file, made);
    sodium_memzero(made.data(), made.size());
    seed = read_seed(file);
    if (!seed) throw not_a_key(file, "it vanished while it was made");
  }
  PublicKey pub;
  std::array<std::uint8_t, 64> secret{};
  crypto_sign_seed_keypair(pub.bytes.data(), secret.data(), seed->data());
  sodium_memzero(seed->data(), seed->size());
  return HostKey(pub, secret);
}

Signature HostKey::sign(std::span<const std::byte> message) const {
  Signature out;
  crypto_sign_detached(out.bytes.data(), nullptr,
                       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                       secret_.data());
  return out;
}

}  // namespace satchel
