// What an eject makes of an overlay.
#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
#include "files.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

std::uint64_t size_of(const Files& files, const std::string& name) {
  return std::filesystem::file_size(files.path(name));
}

/// An image with content, and an overlay that changes some of it.
struct Chain {
  Files files;

  Chain() {
    create_overlay({files.path("cow.qcow2"), mebibytes(256), std::nullopt});
    files.run("qemu-io -f qcow2 -c 'write -P 7 0 4M' -c 'write -P 8 100M 4M' cow.qcow2");
    create_overlay({files.path("overlay"), mebibytes(256), "cow.qcow2"});
  }
  void change(const std::string& commands) const {
    files.run("qemu-io -f qcow2 " + commands + " overlay");
  }
  void compress() const {
    compress_overlay(files.path("overlay"), files.path("packed"), {});
    const UniqueFd packed(::open(files.path("packed").c_str(), O_RDWR | O_CLOEXEC));
    set_backing(packed.get(), "cow.qcow2");
  }
  void check_same() const {
    files.run("qemu-img compare -f qcow2 -F qcow2 overlay packed");
    CHECK(check_qcow2(files.open("packed").get(), {"cow.qcow2", mebibytes(256)}).empty());
    check({files.path("packed"), "qcow2"});
    CHECK_FALSE(files.has("packed.below"));
  }
};

}  // namespace

TEST_CASE("an overlay is compressed, and shows the same with what is below it") {
  const Chain chain;
  chain.files.run("yes some text | head -c 8M > text");
  chain.change("-c 'write -s text 2M 8M' -c 'write -P 3 99M 64k'");
  chain.compress();
  chain.check_same();
  CHECK(size_of(chain.files, "packed") * 5 < size_of(chain.files, "overlay"));
}

TEST_CASE("what was zeroed or discarded hides what is below, and takes no room") {
  const Chain chain;
  chain.change("-c 'write -z 1M 1M' -c 'discard 100M 2M' -c 'write -z -u 102M 1M'");
  chain.compress();
  chain.check_same();
  CHECK(size_of(chain.files, "packed") < 700'000);
  chain.files.run("qemu-io -r -f qcow2 -c 'read -P 0 1M 1M' -c 'read -P 0 100M 3M' packed");
}

TEST_CASE("what does not compress takes no more room than before") {
  const Chain chain;
  chain.files.run("head -c 8M /dev/urandom > noise");
  chain.change("-c 'write -s noise 2M 8M'");
  chain.compress();
  chain.check_same();
  CHECK(size_of(chain.files, "packed") <= size_of(chain.files, "overlay") + 65536);
}

TEST_CASE("an overlay without a change, one that a merge gave another backing file, one in use") {
  const Chain chain;
  chain.compress();
  chain.check_same();
  chain.change("-c 'write -P 9 5M 1M'");
  {
    const UniqueFd overlay(::open(chain.files.path("overlay").c_str(), O_RDWR | O_CLOEXEC));
    set_backing(overlay.get(), "nowhere.qcow2");
  }
  chain.compress();
  {
    const UniqueFd overlay(::open(chain.files.path("overlay").c_str(), O_RDWR | O_CLOEXEC));
    set_backing(overlay.get(), "cow.qcow2");
  }
  chain.check_same();
}

TEST_CASE("no other file of this computer is taken for an overlay's data") {
  const Chain chain;
  chain.files.run("yes secret | head -c 1M > secret && truncate -s 256M secret");
  chain.files.run(
      "rm overlay && qemu-img create -q -f qcow2 -o data_file=secret,data_file_raw=on overlay "
      "256M");
  CHECK_THROWS_WITH(compress_overlay(chain.files.path("overlay"), chain.files.path("packed"), {}),
                    Catch::Contains("in another file"));
  CHECK_FALSE(chain.files.has("packed"));
  CHECK_THROWS_WITH(
      merge_into({chain.files.path("cow.qcow2"), "qcow2"}, chain.files.path("overlay")),
      Catch::Contains("in another file"));
}

TEST_CASE("a stop or a failure leaves nothing behind") {
  const Chain chain;
  chain.files.run("head -c 32M /dev/urandom > noise");
  chain.change("-c 'write -s noise 2M 32M'");
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(
      compress_overlay(chain.files.path("overlay"), chain.files.path("packed"), stop.get_token()),
      Fault);
  CHECK_FALSE(chain.files.has("packed"));
  CHECK_FALSE(chain.files.has("packed.below"));
  CHECK_THROWS_AS(compress_overlay(chain.files.path("noise"), chain.files.path("packed"), {}),
                  Fault);
  CHECK_FALSE(chain.files.has("packed"));
}
