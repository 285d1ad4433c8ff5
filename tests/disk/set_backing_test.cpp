#include "base/fault.hpp"
#include "disk/files.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

UniqueFd writable(const Files& files, const std::string& name) {
  return UniqueFd(::open(files.path(name).c_str(), O_RDWR | O_CLOEXEC));
}

}  // namespace

TEST_CASE("a layer is made to name its neighbour, whatever a commit left in its header") {
  const Files files;
  const std::string left =
      GENERATE(as<std::string>{}, "x", "/satchel/some-uuid/vda/cow.qcow2", std::string(900, 'n'));
  const std::string name = GENERATE(as<std::string>{}, "cow.qcow2", "c", std::string(255, 'l'));
  files.run("qemu-img create -q -u -f qcow2 -F qcow2 -b " + left + " layer 8M");
  files.run(
      "qemu-io -f qcow2 -c 'write -q -P 9 1M 2M' \"json:{'driver':'qcow2','backing':null,"
      "'file':{'driver':'file','filename':'layer'}}\"");
  const auto old = files.read("layer");
  set_backing(writable(files, "layer").get(), name);
  CHECK(check_qcow2(files.open("layer").get(), {name, mebibytes(8)}).empty());
  check({files.path("layer"), "qcow2"});
  CHECK((files.read("layer").substr(65536) == old.substr(65536)));
  CHECK(files.run("qemu-img info -U --output=json layer").find("\"" + name + "\"") !=
        std::string::npos);
}

TEST_CASE("a header that is right already is not written to") {
  const Files files;
  create_overlay({files.path("layer"), mebibytes(8), "cow.qcow2"});
  // Opened for reading only: a write would fail.
  set_backing(files.open("layer").get(), "cow.qcow2");
  CHECK_THROWS_AS(set_backing(files.open("layer").get(), "image.qcow2"), Fault);
}

TEST_CASE("another format in a header becomes qcow2") {
  const Files files;
  files.run("qemu-img create -q -u -f qcow2 -F raw -b cow.qcow2 layer 8M");
  set_backing(writable(files, "layer").get(), "cow.qcow2");
  CHECK(check_qcow2(files.open("layer").get(), {"cow.qcow2", mebibytes(8)}).empty());
}

TEST_CASE("names that do not fit, and files without a backing file, are refused") {
  const Files files;
  files.run("qemu-img create -q -u -f qcow2 -o cluster_size=512 -F qcow2 -b a small 1M");
  create_overlay({files.path("alone"), mebibytes(8), std::nullopt});
  files.write("noise", random_bytes(65536, 1));
  for (const auto& [file, name] :
       {std::pair("small", std::string()), std::pair("small", std::string(256, 'n')),
        std::pair("alone", std::string("cow.qcow2")),
        std::pair("noise", std::string("cow.qcow2"))}) {
    const auto before = files.read(file);
    CHECK_THROWS_AS(set_backing(writable(files, file).get(), name), Fault);
    CHECK((files.read(file) == before));
  }
}
