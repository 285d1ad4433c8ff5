#include "world.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace satchel::test {

namespace {

// What a guest needs to be started by root where there are no cgroups, namespaces or virtlogd.
constexpr auto qemu_conf = R"(user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
)";

std::string embedded_uri(const std::string& directory) {
  std::filesystem::create_directories(directory + "/root/etc");
  write_whole(directory + "/root/etc/qemu.conf", qemu_conf);
  return "qemu:///embed?root=" + directory + "/root";
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = "/tmp/svXXXXXX";
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

EmbeddedWorld& EmbeddedWorld::instance() {
  static EmbeddedWorld world;
  return world;
}

EmbeddedWorld::EmbeddedWorld()
    : hypervisor(embedded_uri(directory.path()), io.get_executor(), lanes) {
  hypervisor.listen([this](GuestEvent event) { events.push_back(std::move(event)); });
}

EmbeddedWorld::~EmbeddedWorld() {
  for (const auto& entry : run(hypervisor.domains()))
    if (entry.state != GuestState::shut_off) run(hypervisor.destroy(entry.id));
}

bool EmbeddedWorld::heard(DomainId id, GuestEvent::What what) const {
  return std::any_of(events.begin(), events.end(),
                     [&](const auto& e) { return e.id == id && e.what == what; });
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_whole(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) throw std::runtime_error("could not write " + path);
}

}  // namespace satchel::test
