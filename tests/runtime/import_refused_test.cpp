// What must not come in by an import.
#include <sys/stat.h>

#include "runtime/import_world.hpp"

namespace satchel::test {

TEST_CASE("a damaged or hostile set is refused in a sentence, and nothing is left of it") {
  ImportWorld world;
  const auto& set = world.set;
  const auto disk = set / "vda.qcow2";
  const auto save = set / "guest.save";
  const auto domain = set / "domain.xml";
  std::string words;
  SECTION("a disk that is a link") {
    fs::remove(disk);
    fs::create_symlink("/etc/passwd", disk);
    words = "symbolic link";
  }
  SECTION("a disk that is a FIFO") {
    fs::remove(disk);
    REQUIRE(::mkfifo(disk.c_str(), 0600) == 0);
    words = "no regular file";
  }
  SECTION("a disk that is missing") {
    fs::remove(disk);
    words = "vda of the machine is not in";
  }
  SECTION("a disk over a file of this computer") {
    qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", disk.string(),
              "1M"});
    words = "backing file";
  }
  SECTION("a disk over a file outside of the directory") {
    write(set.parent_path() / "secret.raw", std::string(1 << 20, 's'));
    qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "../secret.raw", "-F", "raw",
              disk.string(), "1M"});
    words = "leads out";
  }
  SECTION("a disk over a network address") {
    qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "nbd://192.0.2.1/x", "-F", "raw",
              disk.string(), "1M"});
    words = "backing file";
  }
  SECTION("a disk over itself") {
    qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "vda.qcow2", "-F", "qcow2", disk.string(),
              "1M"});
    words = "too many";
  }
  SECTION("a disk whose data are elsewhere") {
    fs::remove(disk);
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "data_file=" + (set / "x.raw").string(),
              disk.string(), "1M"});
    words = "another file";
  }
  SECTION("a disk that says it is qcow2 and is not") {
    write(disk, std::string(1 << 20, 'x'));
    words = "not a qcow2 file";
  }
  SECTION("a save image that was not finished") {
    write(save, replaced(content(save), "LibvirtQemudSave", "LibvirtQemudPart"));
    words = "not finished";
  }
  SECTION("a save image that is compressed") {
    auto image = content(save);
    image[28] = 1;
    write(save, image);
    words = "compressed";
  }
  SECTION("a save image cut in its description") {
    write(save, content(save).substr(0, 400));
    words = "ends within";
  }
  SECTION("a save image without memory") {
    auto image = content(save);
    const auto at = image.find("QEVM");
    write(save, image.substr(0, at) + "QQQQ" + image.substr(at + 4));
    words = "no memory of QEMU's";
  }
  SECTION("another machine's memory") {
    const auto id = world.guest.value.str();
    write(domain, replaced(content(domain), id, Uuid::random().str()));
    words = "not the memory of the machine";
  }
  SECTION("two save images") {
    fs::rename(save, set / "one");
    fs::copy(set / "one", set / "two");
    words = "more than one save image";
  }
  SECTION("a device of this host") {
    write(domain, replaced(content(domain), "</devices>",
                           "<hostdev mode='subsystem' type='usb'/></devices>"));
    words = "passed through";
  }
  SECTION("no XML at all") {
    write(domain, "<domain");
    words = "domain.xml";
  }
  SECTION("an empty directory") {
    for (const auto& each : fs::directory_iterator(set)) fs::remove(each.path());
    words = "neither domain XML nor a save image";
  }
  const auto end = world.import_it(world.request());
  INFO(end);
  CHECK(end.find("BadRequest") != std::string::npos);
  CHECK(end.find(words) != std::string::npos);
  CHECK(world.second_is_empty());
  CHECK(world.anvil.host().view().running_jobs.empty());
}

}  // namespace satchel::test
