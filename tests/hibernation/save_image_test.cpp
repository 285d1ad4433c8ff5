#include "hibernation/save_image.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/fault.hpp"
#include "base/ids.hpp"

using namespace satchel;
using namespace satchel::hibernation;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

TEST_CASE("a header that we write is read back") {
  const std::string image = write_save_header("<domain/>");
  REQUIRE(image.size() == save_header_size + 10);
  CHECK(image.substr(save_header_size) == std::string("<domain/>\0", 10));
  const auto header = read_save_header(bytes_of(image));
  REQUIRE(header);
  CHECK(header->data_length == 10);
  CHECK(header->was_running);
  CHECK(header->compression == 0);
}

TEST_CASE("a header has libvirt's bytes at libvirt's places") {
  const std::string image = write_save_header("<d/>");
  CHECK(image.substr(0, 16) == "LibvirtQemudSave");
  CHECK(image.substr(16, 20) == std::string("\2\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 20));
  CHECK(image.substr(36, 56) == std::string(56, '\0'));
}

TEST_CASE("the header of a stream that libvirt is still writing is read") {
  std::string image = write_save_header("<domain/>");
  image.replace(0, 16, "LibvirtQemudPart");
  image[24] = 0;
  image[28] = 3;
  image[32] = 4;
  const auto header = read_save_header(bytes_of(image));
  REQUIRE(header);
  CHECK_FALSE(header->was_running);
  CHECK(header->compression == 3);
}

TEST_CASE("an image that lacks its header alone is told by the stream's end, and finished") {
  const auto image = std::filesystem::temp_directory_path() / ("save-" + Uuid::random().str());
  auto bytes = write_save_header("<domain/>");
  bytes.replace(0, 16, "LibvirtQemudPart");
  bytes +=
      "QEVM" + std::string(100'000, '\7') + std::string("\0\6\0\0\0\x0b", 6) + R"({"size": 1})";
  const auto written = [&](const std::string& content) {
    std::ofstream(image, std::ios::binary) << content;
    return is_whole_save(image);
  };
  CHECK_FALSE(is_whole_save(image));
  CHECK_FALSE(written(""));
  CHECK_FALSE(written(bytes.substr(0, 500)));
  CHECK_FALSE(written(bytes.substr(0, bytes.size() - 1)));
  CHECK_FALSE(written(bytes + "}"));
  REQUIRE(written(bytes));
  CHECK_FALSE(is_finished_save(image));
  finish_save(image);
  CHECK(is_finished_save(image));
  CHECK(std::filesystem::file_size(image) == bytes.size());
  std::filesystem::remove(image);
  CHECK_THROWS_AS(finish_save(image), Fault);
}

TEST_CASE("headers that libvirt would not have written are refused, with all their mistakes") {
  std::string image = write_save_header("<domain/>");
  CHECK_FALSE(read_save_header(bytes_of(image.substr(0, 91))));
  std::string other = image;
  other[0] = 'l';
  CHECK_FALSE(read_save_header(bytes_of(other)));
  other = image;
  other[16] = 3;                             // version
  other.replace(20, 4, "\xff\xff\xff\xff");  // length
  other[24] = 2;                             // was running
  const auto result = read_save_header(bytes_of(other));
  REQUIRE_FALSE(result);
  CHECK(result.error().size() == 3);
  other = image;
  other.replace(20, 4, std::string(4, '\0'));
  CHECK_FALSE(read_save_header(bytes_of(other)));
  other = image;
  other[32] = 10;  // a cookie at the very end
  CHECK_FALSE(read_save_header(bytes_of(other)));
}
