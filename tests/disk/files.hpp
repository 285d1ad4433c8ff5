// A directory of its own for each test, and what the tests do with files there.
#pragma once

#include <fcntl.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "async/process.hpp"
#include "base/handle.hpp"

namespace satchel {

class Files {
 public:
  Files() {
    std::string name = "/tmp/satchel-disk-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }

  UniqueFd open(const std::string& name) const {
    UniqueFd fd(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(fd);
    return fd;
  }
  std::string read(const std::string& name) const {
    std::string out(std::filesystem::file_size(path(name)), '\0');
    std::ifstream(path(name), std::ios::binary)
        .read(out.data(), static_cast<std::streamsize>(out.size()));
    return out;
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
  }
  void patch(const std::string& name, std::size_t at, const std::string& bytes) const {
    std::fstream file(path(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }

  /// Runs a program in the directory; its output. It must succeed.
  std::string run(const std::string& command) const {
    ProcessRun run;
    run.arguments = {"sh", "-c", "cd " + directory_ + " && " + command};
    const auto end = run_process(run);
    INFO(command << ": " << end.errors);
    REQUIRE(end.exit_status == 0);
    return end.output;
  }

 private:
  std::string directory_;
};

inline std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

}  // namespace satchel
