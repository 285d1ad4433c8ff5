#include "disk/qemu_img.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/handle.hpp"
#include "disk/map.hpp"
#include "disk/qcow2.hpp"

namespace satchel::disk {

namespace {

using nlohmann::json;

// What QEMU has locked of a file that it may write to, write unchanged, or resize: the byte of that
// number (block/file-posix.c: RAW_LOCK_PERM_BASE and the bit of the BLK_PERM_…).
constexpr off_t lock_of_write = 101;
constexpr off_t lock_of_resize = 103;

constexpr auto qcow2_options = "compat=1.1,cluster_size=65536,lazy_refcounts=off";

ProcessEnd qemu_img(std::vector<std::string> arguments, std::stop_token stop = {}) {
  ProcessRun run;
  run.stop = std::move(stop);
  run.arguments = {"qemu-img"};
  run.arguments.insert(run.arguments.end(), std::make_move_iterator(arguments.begin()),
                       std::make_move_iterator(arguments.end()));
  return run_process(run);
}

std::uint64_t number_in(const ProcessEnd& end, const char* key, const Deed& deed) {
  const auto answer = json::parse(end.output, nullptr, false);
  if (!answer.is_object() || !answer.contains(key) || !answer[key].is_number_unsigned())
    throw failed(deed, "qemu-img's answer is unreadable", Remedy::report_bug);
  return answer[key].get<std::uint64_t>();
}

/// A QEMU that its guest has broken into may have written any header: no file of this computer is
/// taken for the overlay's data. (What it writes after this look is not seen.)
void check_own_data(const std::string& overlay, const Deed& deed) {
  const UniqueFd file(::open(overlay.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw of_either_disk(fault_from_errno(errno, deed.doing, deed.object));
  const auto header = read_qcow2(file.get());
  if (!header) throw failed(deed, to_string(header.error()));
  if (header->has_data_file) throw failed(deed, "its data are in another file");
}

/// Past the page cache where the filesystem can: a stick's backlog would stall the host and hide
/// how far the copy is. Whoever calls flatten() makes it durable.
std::string cache_mode(const std::string& target, const Deed& deed) {
  const UniqueFd plain(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!plain) throw of_either_disk(fault_from_errno(errno, deed.doing, deed.object));
  const UniqueFd direct(::open(target.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  return direct ? "none" : "unsafe";
}

/// Reads "    (12.34/100%)\r" as it comes.
class ProgressReader {
 public:
  ProgressReader(const ProgressSink& progress, ByteCount total)
      : progress_(progress), total_(total) {}

  void take(std::string_view piece) {
    for (const char c : piece) {
      if (c == '(')
        text_.clear();
      else if (c == '/')
        tell();
      else if (text_.size() < 16)
        text_ += c;
    }
  }

 private:
  void tell() {
    double percent = 0;
    const auto end = text_.data() + text_.size();
    if (std::from_chars(text_.data(), end, percent).ptr != end || percent < 0 || percent > 100)
      return;
    const auto done = static_cast<double>(total_.value) * percent / 100;
    progress_({"copying disks", ByteCount(static_cast<std::uint64_t>(done)), total_});
  }

  const ProgressSink& progress_;
  ByteCount total_;
  std::string text_;
};

}  // namespace

void flatten(const std::vector<SourceFile>& source, const std::string& target,
             const ProgressSink& progress, std::stop_token stop) {
  const Deed deed{"copy the disk to", target};
  const auto from = file_name(source, deed);
  const auto to = absolute(target);
  ProcessRun run;
  run.arguments = {"qemu-img", "convert",     "-p", "-t", cache_mode(to, deed), "-O", "qcow2",
                   "-o",       qcow2_options, from, to};
  run.stop = stop;
  const auto total = progress ? size_when_flat(source, std::move(stop)) : ByteCount(0);
  ProgressReader reader(progress, total);
  if (progress) run.on_output = [&reader](std::string_view piece) { reader.take(piece); };
  demand_success(run_process(run), deed);
}

ByteCount virtual_size(const SourceFile& file) {
  const Deed deed{"read", file.path};
  const auto end = qemu_img({"info", "-U", "--output=json", file_name({file}, deed)});
  demand_success(end, deed);
  return ByteCount(number_in(end, "virtual-size", deed));
}

bool is_free(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct flock writer {};
  writer.l_type = F_WRLCK;
  writer.l_whence = SEEK_SET;
  writer.l_start = lock_of_write;
  writer.l_len = lock_of_resize - lock_of_write + 1;
  return fd && ::fcntl(fd.get(), F_OFD_GETLK, &writer) == 0 && writer.l_type == F_UNLCK;
}

ByteCount size_when_flat(const std::vector<SourceFile>& source, std::stop_token stop) {
  const Deed deed{"measure", source.empty() ? "a disk" : source.front().path};
  const auto end = qemu_img({"measure", "-U", "--output=json", "-O", "qcow2", "-o", qcow2_options,
                             file_name(source, deed)},
                            std::move(stop));
  demand_success(end, deed);
  return ByteCount(number_in(end, "required", deed));
}

ByteCount data_in(const SourceFile& file, std::stop_token stop) {
  ByteCount sum;
  const auto add = [&sum](const Extent& extent) {
    if (extent.present && !extent.zero) sum = sum + ByteCount(extent.length);
  };
  read_map(file, Deed{"measure", file.path}, add, std::move(stop));
  return sum;
}

void create_overlay(const NewOverlay& overlay) {
  const Deed deed{"make the disk file", overlay.path};
  // Ours alone from its first moment: qemu-img keeps the mode of a file that is there.
  const UniqueFd ours(
      ::open(overlay.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!ours) throw of_either_disk(fault_from_errno(errno, deed.doing, deed.object));
  std::vector<std::string> arguments{"create", "-q", "-f", "qcow2", "-o", qcow2_options};
  if (overlay.backing_name)
    for (const auto& each : {std::string("-u"), std::string("-b"), *overlay.backing_name,
                             std::string("-F"), std::string("qcow2")})
      arguments.push_back(each);
  arguments.push_back(absolute(overlay.path));
  arguments.push_back(std::to_string(overlay.virtual_size.value));
  demand_success(qemu_img(std::move(arguments)), deed);
}

void compress_overlay(const std::string& overlay, const std::string& target, std::stop_token stop) {
  const Deed deed{"compress the overlay", overlay};
  const SourceFile source{overlay, "qcow2"};
  check_own_data(overlay, deed);
  // Of what stands above an empty disk, nothing but its own clusters is copied.
  const auto below = target + ".below";
  create_overlay({below, virtual_size(source), std::nullopt});
  ProcessRun run;
  run.arguments = {"qemu-img",
                   "convert",
                   "-q",
                   "-U",
                   "-c",
                   "-t",
                   "unsafe",
                   "-O",
                   "qcow2",
                   "-o",
                   std::string(qcow2_options) + ",compression_type=zstd",
                   "-B",
                   absolute(below),
                   "-F",
                   "qcow2",
                   file_name({source, {below, "qcow2"}}, deed),
                   absolute(target)};
  run.stop = std::move(stop);
  const auto end = run_process(run);
  ::unlink(below.c_str());
  if (end.stopped || end.exit_status != 0) ::unlink(target.c_str());
  demand_success(end, deed);
}

void merge_into(const SourceFile& below, const std::string& overlay) {
  const Deed deed{"merge the overlay", overlay};
  check_own_data(overlay, deed);
  demand_success(qemu_img({"rebase", "-q", "-u", "-f", "qcow2", "-F", below.format, "-b",
                           absolute(below.path), absolute(overlay)}),
                 deed);
  demand_success(qemu_img({"commit", "-q", "-f", "qcow2", absolute(overlay)}), deed);
}

void check(const SourceFile& file) {
  const Deed deed{"check", file.path};
  const auto end = qemu_img({"check", "-q", file_name({file}, deed)});
  constexpr int leaks_only = 3;
  constexpr int nothing_to_check = 63;  // a raw file has no structure
  if (end.exit_status == leaks_only || end.exit_status == nothing_to_check) return;
  if (end.exit_status == 2) throw failed(deed, "its structure is damaged", Remedy::choose);
  demand_success(end, deed);
}

void check_whole(const SourceFile& file) {
  const Deed deed{"read", file.path};
  std::uint64_t data_end = 0;
  const auto take = [&data_end](const Extent& extent) {
    if (extent.data && extent.place) data_end = std::max(data_end, *extent.place + extent.length);
  };
  read_map(file, deed, take, {});
  struct stat found {};
  if (::stat(file.path.c_str(), &found) != 0)
    throw of_either_disk(fault_from_errno(errno, deed.doing, deed.object));
  if (data_end > static_cast<std::uint64_t>(found.st_size))
    throw failed(deed, "it is cut off: some of its content is beyond its end");
}

}  // namespace satchel::disk
