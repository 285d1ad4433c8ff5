// The real appliance over real filesystems: made once by make-disks, read by one launch.
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "disk/export.hpp"
#include "disk/files.hpp"
#include "guestfs/appliance.hpp"

using namespace satchel;
using sync::Entry;
using sync::Kind;

namespace {

/// What read() gave, by path; holes as zeroes.
struct Contents : sync::ContentSink {
  std::map<std::string, std::string> files, unread;
  std::uint64_t holes = 0;
  std::string* now = nullptr;
  void begin(const std::string& path) override { now = &files[path]; }
  void data(std::span<const std::byte> bytes) override {
    now->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void hole(ByteCount length) override {
    now->append(length.value, '\0');
    holes += length.value;
  }
  void end() override { now = nullptr; }
  void unreadable(const std::string& path, const std::string& why) override { unread[path] = why; }
};

struct Seen {
  std::map<std::string, Entry> entries;
  Contents contents;
};

Seen all_of(sync::GuestTree& tree) {
  Seen out;
  tree.list([&](Entry entry) { CHECK(out.entries.emplace(entry.path, entry).second); }, {});
  std::vector<std::string> files;
  for (const auto& [path, entry] : out.entries)
    if (entry.kind == Kind::file) files.push_back(path);
  tree.read(files, out.contents, {});
  return out;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Made disks, shown by a real server, and the appliance on them.
class World {
 public:
  World() {
    ProcessRun make;
    make.arguments = {SATCHEL_SOURCE_DIR "/tests/guestfs/make-disks", files.path("")};
    const auto made = run_process(make);
    INFO(made.errors);
    REQUIRE(made.exit_status == 0);
    listening = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    files.path("s").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening.get(), 8) == 0);
    server = std::jthread([this](std::stop_token stop) {
      std::vector<UniqueFd> opened;
      disk::Export order;
      for (const std::string name : {"vda", "vdb"}) {
        disk::ShownChain chain{name, {}};
        for (const auto* part : {"-base.qcow2", ".qcow2"}) {
          opened.emplace_back(::open(files.path(name + part).c_str(), O_RDONLY | O_CLOEXEC));
          chain.files.push_back(opened.back().get());
        }
        order.chains.push_back(chain);
      }
      order.listening = listening.get();
      order.stop = stop;
      disk::serve(order);
    });
    std::filesystem::create_directory(files.path("tmp"));
    guestfs::ApplianceOrder order;
    order.socket = files.path("s");
    order.disks = {"vda", "vdb"};
    order.temporary = files.path("tmp");
    order.cache = "/var/tmp";
    appliance.emplace(order);
  }

  Seen at(const std::string& place) {
    const auto tree = appliance->open(sync::parse_guest_place(place).value());
    return all_of(*tree);
  }

  Files files;
  UniqueFd listening;
  std::jthread server;
  std::optional<guestfs::Appliance> appliance;
};

void check_documents(World& world, const Seen& seen) {
  const auto made = world.files.path("tree/Documents/");
  const auto& entries = seen.entries;
  REQUIRE(entries.count("a.txt") == 1);
  CHECK(entries.at("a.txt").mtime == UnixNanos(1580608922'123456789));
  CHECK(entries.at("a.txt").size == ByteCount(6));
  CHECK(entries.at("run.sh").mode == 0755);
  CHECK(entries.at("setuid").mode == 04755);
  CHECK(entries.at("link").kind == Kind::link);
  CHECK(entries.at("link").link_target == "a.txt");
  CHECK(entries.at("out").link_target == "/etc/passwd");
  CHECK(entries.at("empty").kind == Kind::directory);
  CHECK(entries.at("deep/er/file").kind == Kind::file);
  CHECK(entries.at("pipe").kind == Kind::other);
  CHECK(entries.at("pipe").what == "named pipe");
  CHECK(entries.count("new\nline") == 1);
  CHECK(entries.count("\xff\xfe bytes") == 1);
  CHECK(seen.contents.unread.empty());
  for (const auto& [path, content] : seen.contents.files) {
    INFO(path);
    CHECK(content == bytes_of(made + path));
  }
}

}  // namespace

TEST_CASE("files of every kind are read from every filesystem as they were written") {
  if (std::system("guestfish --version >/dev/null 2>&1") != 0) {
    WARN("guestfish is not installed");
    return;
  }
  World world;
  const auto before = bytes_of(world.files.path("vdb-base.qcow2"));

  INFO("xfs on LVM, found by the guest's own fstab");
  const auto home = world.at("/home/ann/Documents");
  check_documents(world, home);
  CHECK(home.entries.at("disk").what == "block device");

  INFO("the same by its name, and through a link of the guest's");
  CHECK(world.at("lvm/vg/home:/ann/Documents").contents.files == home.contents.files);
  CHECK(world.at("/link-to-ann/Documents").contents.files == home.contents.files);

  INFO("btrfs, in a subvolume");
  const auto subvolume = world.at("vda/2:/vol/Documents");
  check_documents(world, subvolume);
  CHECK(subvolume.contents.holes > 0);

  INFO("NTFS");
  const auto windows = world.at("vda/3:/Documents");
  CHECK(windows.contents.files.at("a.txt") == "hello\n");
  CHECK(windows.contents.files.at("Below.txt") == "below");
  CHECK(windows.entries.at("a.txt").mode == 0644);

  INFO("ext4 without partitions, whose journal holds the newest content; the disk stays as it is");
  CHECK(world.at("vdb:/Documents").contents.files.at("a.txt") == std::string(4096, 'n'));
  CHECK(bytes_of(world.files.path("vdb-base.qcow2")) == before);

  INFO("paths that are too long for any call end where they become so, and are not taken for gone");
  const auto deep = world.at("vdb:/Deep");
  CHECK(deep.entries.at("near").kind == Kind::file);
  REQUIRE(deep.entries.size() == 17);
  const auto& last = std::prev(deep.entries.end(), 2)->second;
  CHECK(last.path.size() == 16 * 250 - 1);
  CHECK(last.kind == Kind::directory);
  CHECK_THAT(last.what, Catch::Contains("too long"));
  CHECK(deep.contents.unread.empty());
  INFO("and the reader goes on");
  CHECK(world.at("vdb:/Documents").entries.size() == 1);

  INFO("what is not there is told with what is");
  using Catch::Contains;
  const auto open = [&](const char* place) {
    world.appliance->open(sync::parse_guest_place(place).value());
  };
  CHECK_THROWS_WITH(open("/home/bob"), Contains("/home/bob") && Contains("no such folder"));
  CHECK_THROWS_WITH(open("vda/9:/"), Contains("vda/9"));
  try {
    open("vdc:/");
    FAIL("a disk that is not there was opened");
  } catch (const Fault& fault) {
    CHECK_THAT(fault.next_step(),
               Contains("lvm/vg/home (xfs)") && Contains("vda/3 (ntfs)") && Contains("vdb (ext4)"));
  }
  CHECK_THROWS_WITH(open("C:/Users"), Contains("drive C"));
}
