// First inputs of what is about disk files: what qemu-img makes, as far as it is not zeros.
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "async/process.hpp"
#include "fuzz/first_inputs.hpp"
#include "fuzz/input.hpp"

namespace satchel::fuzz {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t sector = 512;
constexpr std::size_t longest_header =
    1024;  ///< of what is read of a qcow2 file with small clusters

class Scratch {
 public:
  Scratch() {
    auto name = (fs::temp_directory_path() / "satchel-fuzz-XXXXXX").string();
    must(::mkdtemp(name.data()) != nullptr, "there is a place for files");
    place_ = name;
  }
  ~Scratch() { fs::remove_all(place_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string made(std::vector<std::string> options) const {
    ProcessRun run;
    run.arguments = {"qemu-img", "create", "-q"};
    run.arguments.insert(run.arguments.end(), options.begin(), options.end());
    const auto path = (place_ / "image").string();
    run.arguments.insert(run.arguments.end(), {path, "1M"});
    must(run_process(run).exit_status == 0, "qemu-img makes an image");
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  fs::path place_;
};

std::string sectors_of(const std::string& image) {
  return coded((image.size() + sector - 1) / sector, 2);
}

/// As the target of images takes it: pieces that are not zeros.
std::string pieces_of(const std::string& image) {
  auto out = sectors_of(image);
  for (std::size_t at = 0; at < image.size(); at += sector) {
    const auto piece = image.substr(at, sector);
    const auto size = piece.find_last_not_of('\0') + 1;
    if (size > 0) out += coded(at / sector, 2) + coded(size, 2) + piece.substr(0, size);
  }
  return out;
}

}  // namespace

void add_disks(const FirstInputs& to) {
  const Scratch scratch;
  const auto add = [&](const char* name, std::vector<std::string> options) {
    const auto image = scratch.made(std::move(options));
    to.add("qcow2", name, sectors_of(image) + image.substr(0, longest_header));
  };
  add("image", {"-f", "qcow2", "-o", "cluster_size=512"});
  add("old_image", {"-f", "qcow2", "-o", "cluster_size=512,compat=0.10"});
  add("zstd", {"-f", "qcow2", "-o", "cluster_size=512,compression_type=zstd"});
  add("layer", {"-f", "qcow2", "-o", "cluster_size=512", "-u", "-b", "image.qcow2", "-F", "qcow2"});
  for (const auto* format : {"qcow2", "vmdk", "vdi", "vhdx"})
    to.add("image", format, pieces_of(scratch.made({"-f", format})));
}

}  // namespace satchel::fuzz
