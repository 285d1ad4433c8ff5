// Foreign disk images: recognised by magic, and refused when they draw on other files.
#include "disk/image_format.hpp"

#include "disk/files.hpp"
#include "disk/qemu_img.hpp"

using namespace satchel;
using namespace satchel::disk;

namespace {

constexpr std::uint64_t disk_size = 8 << 20;

/// A disk in each format with the same content, as qemu-img makes them.
struct Images : Files {
  Images() {
    write("disk.raw", random_bytes(2 << 20, 7) + std::string(disk_size - (2 << 20), '\0'));
    for (const char* format : {"qcow2", "vmdk", "vdi", "vhdx"})
      run(std::string("qemu-img convert -f raw -O ") + format + " disk.raw disk." + format);
  }
  std::string verdict(const std::string& name, ImageFormat format) const {
    return to_string(check_image(open(name).get(), format));
  }
  void shorten(const std::string& name, std::uint64_t size) const {
    std::filesystem::resize_file(path(name), size);
  }
};

bool says(const std::string& sentence, const std::string& part) {
  return sentence.find(part) != std::string::npos;
}

std::string refusal(const Files& files, const std::string& name) {
  const auto found = recognise(files.open(name).get());
  return found ? "none" : to_string(found.error());
}

}  // namespace

TEST_CASE("each format is recognised by its magic and converts to the same disk") {
  const Images images;
  for (const auto format : {ImageFormat::raw, ImageFormat::qcow2, ImageFormat::vmdk,
                            ImageFormat::vdi, ImageFormat::vhdx}) {
    const std::string word(name(format));
    INFO(word);
    const auto file = images.open("disk." + word);
    REQUIRE(recognise(file.get()));
    CHECK(*recognise(file.get()) == format);
    CHECK(to_string(check_image(file.get(), format)) == "");
    CHECK(image_format(word) == format);
    const SourceFile source{images.path("disk." + word), word};
    CHECK(virtual_size(source) == ByteCount(disk_size));
    flatten({source}, images.path("flat"), {}, {});
    images.run("qemu-img compare -f raw -F qcow2 disk.raw flat");
  }
}

TEST_CASE("the kinds of vmdk that are one file are read, the others are not") {
  const Images images;
  images.run("qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk");
  CHECK(images.verdict("stream.vmdk", ImageFormat::vmdk) == "");
  for (const char* kind : {"monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"}) {
    INFO(kind);
    images.run(std::string("qemu-img convert -f raw -O vmdk -o subformat=") + kind +
               " disk.raw parts.vmdk");
    CHECK(*recognise(images.open("parts.vmdk").get()) == ImageFormat::vmdk);
    CHECK(says(images.verdict("parts.vmdk", ImageFormat::vmdk), "in other files"));
  }
}

TEST_CASE("an image that names another file is refused before anything opens that") {
  const Images images;
  images.run("qemu-img create -q -f qcow2 -u -b /etc/shadow -F raw shadow.qcow2 8M");
  CHECK(says(images.verdict("shadow.qcow2", ImageFormat::qcow2), "changes to another file"));
  images.run("cp disk.qcow2 outside.qcow2");
  images.patch("outside.qcow2", 79, "\x04");  // incompatible feature 2: external data file
  CHECK(says(images.verdict("outside.qcow2", ImageFormat::qcow2), "in another file"));
  images.run("qemu-img create -q -f vmdk -b disk.vmdk -F vmdk over.vmdk");
  CHECK(says(images.verdict("over.vmdk", ImageFormat::vmdk), "changes to another disk"));
  // A sparse header without a capacity makes QEMU read the description that names extents.
  images.run("cp disk.vmdk points.vmdk");
  images.patch("points.vmdk", 12, std::string(8, '\0'));
  CHECK(says(images.verdict("points.vmdk", ImageFormat::vmdk), "names other files"));
  images.write("text.vmdk",
               "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
               "createType=\"monolithicFlat\"\nRW 16384 FLAT \"/etc/shadow\" 0\n");
  CHECK(says(images.verdict("text.vmdk", ImageFormat::vmdk), "in other files"));
  images.run("cp disk.vdi child.vdi");
  images.patch("child.vdi", 0x4c, std::string("\x04\0\0\0", 4));
  CHECK(says(images.verdict("child.vdi", ImageFormat::vdi), "changes to another disk"));
  images.run("cp disk.vdi linked.vdi");
  images.patch("linked.vdi", 0x1b8, "parent");
  CHECK(says(images.verdict("linked.vdi", ImageFormat::vdi), "changes to another disk"));
}

TEST_CASE("a differencing vhdx is refused") {
  const Images images;
  const auto content = images.read("disk.vhdx");
  const std::string parameters("\x37\x67\xa1\xca\x36\xfa\x43\x4d", 8);
  const auto entry = content.find(parameters);
  REQUIRE(entry != std::string::npos);
  const auto table = content.rfind("metadata", entry);
  REQUIRE(table != std::string::npos);
  const auto offset = static_cast<unsigned char>(content[entry + 16]) |
                      static_cast<unsigned char>(content[entry + 17]) << 8 |
                      static_cast<unsigned char>(content[entry + 18]) << 16;
  images.patch("disk.vhdx", table + static_cast<std::size_t>(offset) + 4, "\x02");
  CHECK(says(images.verdict("disk.vhdx", ImageFormat::vhdx), "changes to another disk"));
}

TEST_CASE("a file that is cut off is refused") {
  const Images images;
  for (const char* name : {"disk.qcow2", "disk.vmdk", "disk.vdi", "disk.vhdx"}) {
    INFO(name);
    const auto format = *recognise(images.open(name).get());
    if (format != ImageFormat::vmdk) {  // whose first part is its tables
      images.shorten(name, 70000);
      CHECK(images.verdict(name, format) != "");
    }
    images.shorten(name, 100);
    CHECK(images.verdict(name, format) != "");
    images.shorten(name, 0);
    CHECK(says(images.verdict(name, format), "empty"));
  }
}

TEST_CASE("a word for the format that the file does not bear out is refused") {
  const Images images;
  for (const auto format :
       {ImageFormat::qcow2, ImageFormat::vmdk, ImageFormat::vdi, ImageFormat::vhdx})
    CHECK(images.verdict("disk.raw", format) != "");
  CHECK(images.verdict("disk.qcow2", ImageFormat::raw) == "");  // what the person says counts
}

TEST_CASE("what is no disk, or one of another format, is refused with what to do") {
  const Images images;
  images.run("gzip -k disk.raw && cp disk.raw.gz a && tar cf b disk.raw");
  CHECK(says(refusal(images, "a"), "unpack it first"));
  CHECK(says(refusal(images, "b"), "unpack it and give the disk"));
  images.run("qemu-img convert -f raw -O vpc disk.raw dynamic.vhd");
  images.run("qemu-img convert -f raw -O vpc -o subformat=fixed disk.raw fixed.vhd");
  CHECK(says(refusal(images, "dynamic.vhd"), "convert -f vpc"));
  CHECK(says(refusal(images, "fixed.vhd"), "convert -f vpc"));
  images.run("mkdir directory");
  CHECK(says(refusal(images, "directory"), "not a regular file"));
}

TEST_CASE("no header makes the checks read beyond their bytes or take long") {
  const Images images;
  for (const char* name : {"disk.qcow2", "disk.vmdk", "disk.vdi", "disk.vhdx"}) {
    const auto format = *recognise(images.open(name).get());
    const auto good = images.read(name);
    for (unsigned seed = 1; seed <= 200; ++seed) {
      auto bad = good.substr(0, 320 << 10);
      const auto noise = random_bytes(64, seed);
      for (std::size_t i = 0; i + 3 < noise.size(); i += 4) {
        // Half of the noise into the headers at the start, half anywhere.
        const auto at =
            (static_cast<unsigned char>(noise[i]) << 8 | static_cast<unsigned char>(noise[i + 1])) %
            (i % 8 == 0 ? 512 : bad.size());
        bad[at] = noise[i + 2];
      }
      images.write("noise", bad);
      static_cast<void>(check_image(images.open("noise").get(), format));
      static_cast<void>(recognise(images.open("noise").get()));
    }
  }
  SUCCEED("no sanitizer spoke up");
}
