#include "udev/loop_stick.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace satchel::tests {

std::string shell(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "re");
  REQUIRE(pipe != nullptr);
  std::string output;
  char piece[4096];
  while (const auto got = std::fread(piece, 1, sizeof piece, pipe)) output.append(piece, got);
  const int status = pclose(pipe);
  INFO(command);
  REQUIRE(status == 0);
  if (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

LoopStick::LoopStick(std::string label, std::string fs_type) {
  const char* world = std::getenv("WORLD");
  REQUIRE(world != nullptr);
  image_ = shell("mktemp " + std::string(world) + "/stick.XXXXXX");
  shell("truncate -s 32M " + image_);
  if (!fs_type.empty()) shell("mkfs." + fs_type + " -q -L '" + label + "' " + image_);
}

LoopStick::~LoopStick() {
  if (!node_.empty()) std::system(("losetup -d " + node_ + " 2>/dev/null").c_str());
  std::remove(image_.c_str());
}

std::string LoopStick::plug(const std::string& options) {
  node_ = shell("losetup --find --show " + options + " " + image_);
  return node_;
}

void LoopStick::unplug() {
  shell("losetup -d " + node_);
  node_.clear();
}

void announce_change(const std::string& node) {
  std::ofstream uevent("/sys/class/block/" + node.substr(5) + "/uevent");
  uevent << "change" << std::flush;
  REQUIRE(uevent.good());
}

}  // namespace satchel::tests
