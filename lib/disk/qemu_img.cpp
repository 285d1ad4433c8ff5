#include "disk/qemu_img.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"
#include "disk/qemu_words.hpp"

namespace satchel::disk {

namespace {

using nlohmann::json;

constexpr auto qcow2_options = "compat=1.1,cluster_size=65536,lazy_refcounts=off";

/// What qemu-img does, for a Fault's sentence.
struct Deed {
  std::string doing;
  std::string object;
};

Fault failed(const Deed& deed, std::string why, Remedy remedy = Remedy::fix_request) {
  return Fault(remedy, {deed.doing, deed.object, std::move(why), {}});
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

/// QEMU's node for one file; its own header has no say in what is below.
json node(const SourceFile& file) {
  struct stat found {};
  const bool device = ::stat(file.path.c_str(), &found) == 0 && S_ISBLK(found.st_mode);
  json out{
      {"driver", file.format},
      {"file", {{"driver", device ? "host_device" : "file"}, {"filename", absolute(file.path)}}}};
  if (file.format == "qcow2" || file.format == "vmdk") out["backing"] = nullptr;
  return out;
}

/// The chain as one file name that qemu-img takes.
std::string file_name(const std::vector<SourceFile>& chain, const Deed& deed) {
  if (chain.empty()) throw failed(deed, "its chain is empty", Remedy::report_bug);
  json out;
  for (auto file = chain.rbegin(); file != chain.rend(); ++file) {
    auto next = node(*file);
    if (file != chain.rbegin()) {
      if (file->format != "qcow2")
        throw failed(deed, file->path + " is " + file->format + " and can't have a file below it");
      next["backing"] = std::move(out);
    }
    out = std::move(next);
  }
  try {
    return "json:" + out.dump();
  } catch (const json::type_error&) {
    throw failed(deed, "a path of its chain is not valid UTF-8");
  }
}

/// What is left of its words in one line.
std::string words_of(const ProcessEnd& end) {
  std::string out;
  for (const char c : end.errors) out += c == '\n' ? ' ' : c;
  while (out.ends_with(' ')) out.pop_back();
  if (out.starts_with("qemu-img: ")) out.erase(0, 10);
  return out.empty() ? "qemu-img ended with status " + std::to_string(end.exit_status) : out;
}

void demand_success(const ProcessEnd& end, const Deed& deed) {
  if (end.stopped) throw failed(deed, "it was stopped", Remedy::retry);
  if (end.exit_status == 0) return;
  auto words = words_of(end);
  const auto remedy = remedy_of(words);
  throw failed(deed, std::move(words), remedy);
}

ProcessEnd qemu_img(std::vector<std::string> arguments) {
  ProcessRun run;
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

/// Past the page cache where the filesystem can: a stick's backlog would stall the host and hide
/// how far the copy is. Whoever calls flatten() makes it durable.
std::string cache_mode(const std::string& target, const Deed& deed) {
  const UniqueFd plain(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!plain) throw fault_from_errno(errno, deed.doing, deed.object);
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

/// Reads qemu-img's map as it comes, an extent a line: it may have millions.
class MapReader {
 public:
  void take(std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n')
        look_at_line();
      else
        line_ += c;
    }
  }

  /// Where the last content is over, in bytes of the file.
  std::uint64_t data_end() {
    look_at_line();
    return data_end_;
  }

 private:
  void look_at_line() {
    const auto begin = line_.find('{'), end = line_.rfind('}');
    if (begin != line_.npos && end != line_.npos) {
      const auto extent = json::parse(line_.substr(begin, end - begin + 1), nullptr, false);
      if (extent.is_object() && extent.value("data", false) && extent.contains("offset"))
        data_end_ = std::max(data_end_, extent.value("offset", std::uint64_t{0}) +
                                            extent.value("length", std::uint64_t{0}));
    }
    line_.clear();
  }

  std::string line_;
  std::uint64_t data_end_ = 0;
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
  run.stop = std::move(stop);
  const auto total = progress ? size_when_flat(source) : ByteCount(0);
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

ByteCount size_when_flat(const std::vector<SourceFile>& source) {
  const Deed deed{"measure", source.empty() ? "a disk" : source.front().path};
  const auto end = qemu_img({"measure", "-U", "--output=json", "-O", "qcow2", "-o", qcow2_options,
                             file_name(source, deed)});
  demand_success(end, deed);
  return ByteCount(number_in(end, "required", deed));
}

void create_overlay(const NewOverlay& overlay) {
  const Deed deed{"make the disk file", overlay.path};
  // Ours alone from its first moment: qemu-img keeps the mode of a file that is there.
  const UniqueFd ours(
      ::open(overlay.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!ours) throw fault_from_errno(errno, deed.doing, deed.object);
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
  MapReader map;
  ProcessRun run;
  run.arguments = {"qemu-img", "map", "-U", "--output=json", file_name({file}, deed)};
  run.on_output = [&map](std::string_view piece) { map.take(piece); };
  demand_success(run_process(run), deed);
  struct stat found {};
  if (::stat(file.path.c_str(), &found) != 0)
    throw fault_from_errno(errno, deed.doing, deed.object);
  if (map.data_end() > static_cast<std::uint64_t>(found.st_size))
    throw failed(deed, "it is cut off: some of its content is beyond its end");
}

}  // namespace satchel::disk
