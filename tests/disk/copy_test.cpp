#include "disk/copy.hpp"

#include <stdexcept>

#include "base/fault.hpp"
#include "disk/files.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

struct Copied {
  std::string content;
  std::uint64_t skipped = 0;
  SparseSink sink() {
    return {[this](std::span<const std::byte> bytes) {
              content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            },
            [this](ByteCount n) {
              content.append(n.value, '\0');
              skipped += n.value;
            }};
  }
};

}  // namespace

TEST_CASE("a sparse file is given in order, its holes as holes") {
  const Files files;
  files.run("truncate -s 12M sparse");
  files.patch("sparse", 5 << 20, random_bytes(3'000'000, 1));
  files.patch("sparse", 10 << 20, "x");
  Copied copied;
  const auto size = copy_sparse({files.open("sparse").get()}, copied.sink(), {}, {});
  CHECK(size == mebibytes(12));
  CHECK((copied.content == files.read("sparse")));
  CHECK(copied.skipped > 7 << 20);
}

TEST_CASE("files without holes, all hole, and empty ones are copied too") {
  const Files files;
  files.write("full", random_bytes(2'500'000, 2));
  files.run("truncate -s 3M hole; : > empty");
  for (const auto* name : {"full", "hole", "empty"}) {
    Copied copied;
    copy_sparse({files.open(name).get()}, copied.sink(), {}, {});
    CHECK((copied.content == files.read(name)));
  }
}

TEST_CASE("progress ends at the whole size, and a stop ends the copy") {
  const Files files;
  files.write("full", random_bytes(5'000'000, 3));
  const auto file = files.open("full");
  Copied copied;
  ByteCount last;
  copy_sparse({file.get()}, copied.sink(), [&](const Progress& p) { last = p.done; }, {});
  CHECK(last == ByteCount(5'000'000));
  std::stop_source stop;
  const ProgressSink stopping = [&](const Progress& p) {
    if (p.done.value > 2'000'000) stop.request_stop();
  };
  Copied part;
  CHECK_THROWS_AS(copy_sparse({file.get()}, part.sink(), stopping, stop.get_token()), Fault);
  CHECK(part.content.size() < 5'000'000);
}

TEST_CASE("a sink that throws ends the copy with its reason") {
  const Files files;
  files.write("full", "content");
  const SparseSink failing{
      [](std::span<const std::byte>) { throw std::runtime_error("the stick is gone"); },
      [](ByteCount) {}};
  CHECK_THROWS_WITH(copy_sparse({files.open("full").get()}, failing, {}, {}), "the stick is gone");
}
