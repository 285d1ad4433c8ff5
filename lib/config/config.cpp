#include "config/config.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "config/capsule_settings.hpp"
#include "config/quantity.hpp"
#include "config/section.hpp"

namespace satchel {

namespace {

/// One of the words, as its value.
template <class T>
auto words(std::initializer_list<std::pair<std::string_view, T>> table) {
  return [list = std::vector(table)](const std::string& text) -> std::optional<T> {
    for (const auto& [word, value] : list)
      if (word == text) return value;
    return std::nullopt;
  };
}

template <class T>
auto number(T least, T most) {
  return [=](const std::string& text) -> std::optional<T> {
    T value{};
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < least || value > most) return std::nullopt;
    return value;
  };
}

bool is_plain_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/';
  });
}

std::optional<std::string> plain_name(const std::string& text) {
  return is_plain_name(text) ? std::optional(text) : std::nullopt;
}

/// Where a display listens: an address, or none for a socket.
std::optional<std::optional<std::string>> display_place(const std::string& text) {
  using Place = std::optional<std::string>;
  if (text == "socket") return Place();
  in6_addr buffer{};
  const bool known = inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
                     inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
  if (!known) return std::nullopt;
  return Place(text);
}

std::optional<std::string> libvirt_uri(const std::string& text) {
  static constexpr std::string_view embedded = "qemu:///embed?root=";
  if (text == "auto" || text == "qemu:///system") return text;
  if (text.starts_with(embedded) && text.size() > embedded.size() + 1 &&
      text[embedded.size()] == '/')
    return text;
  return std::nullopt;
}

std::optional<unsigned> share(const std::string& text) {
  if (!text.ends_with('%')) return std::nullopt;
  return number<unsigned>(0, 90)(text.substr(0, text.size() - 1));
}

using Seconds = std::chrono::seconds;

std::optional<Seconds> deadline(const std::string& text) {
  const auto value = parse_duration(text);
  if (!value || *value < Seconds(10) || *value > std::chrono::hours(24)) return std::nullopt;
  return value;
}

std::optional<Seconds> interval(const std::string& text) {
  const auto value = parse_duration(text);
  const bool never = value && value->count() == 0;
  if (!value || (!never && *value < Seconds(60)) || *value > std::chrono::hours(7 * 24))
    return std::nullopt;
  return value;
}

void read(Section& top, Config& out) {
  top.scalar("host_name", out.host_name, "a name of at most 64 characters without a slash",
             plain_name);
  top.scalar("on_insert", out.on_insert, "resume or ask",
             words<OnInsert>({{"resume", OnInsert::resume}, {"ask", OnInsert::ask}}));

  auto libvirt = top.in("libvirt");
  libvirt.scalar("uri", out.libvirt.uri,
                 "auto, qemu:///system or qemu:///embed?root=/absolute/path", libvirt_uri);
  libvirt.refuse_others();

  auto networks = top.in("networks");
  static constexpr std::string_view network = "a network's name";
  auto map = networks.in("map");
  map.pairs(is_plain_name, network,
            [&](std::string from, std::string to) { out.networks.map.emplace(from, to); });
  networks.scalar("default", out.networks.fallback, network, plain_name);
  networks.scalar(
      "otherwise", out.networks.otherwise, "user or link-down",
      words<Otherwise>({{"user", Otherwise::user}, {"link-down", Otherwise::link_down}}));
  networks.refuse_others();

  auto display = top.in("display");
  display.scalar("listen", out.display.listen, "socket, or an IPv4 or IPv6 address", display_place);
  display.refuse_others();

  auto device = top.in("device");
  device.scalar("patience", out.device.patience, "a duration from 10s to 24h, as in 2min",
                deadline);
  device.refuse_others();

  auto eject = top.in("eject");
  eject.scalar("power_off", out.eject.power_off, "true or false",
               words<PowerOff>({{"true", PowerOff::yes}, {"false", PowerOff::no}}));
  eject.scalar("deadline", out.eject.deadline, "a duration from 10s to 24h, as in 10min", deadline);
  eject.refuse_others();

  static constexpr std::string_view size = "a size as in 512MiB";
  auto checkpoint = top.in("checkpoint");
  checkpoint.scalar("every", out.checkpoint.every, "0s, or a duration from 1min to 7d, as in 30min",
                    interval);
  checkpoint.scalar("size", out.checkpoint.size, size, parse_size);
  checkpoint.scalar("rate", out.checkpoint.rate, size, parse_size);
  checkpoint.refuse_others();

  auto merge = top.in("merge");
  merge.scalar("layers", out.merge.layers, "a whole number from 0 to 250",
               number<unsigned>(0, 250));
  merge.scalar("size", out.merge.size, size, parse_size);
  merge.scalar("rate", out.merge.rate, size, parse_size);
  merge.scalar("while_running", out.merge.while_running, "true or false",
               words<WhileRunning>({{"true", WhileRunning::yes}, {"false", WhileRunning::no}}));
  merge.refuse_others();

  auto fold = top.in("fold");
  fold.scalar("cow_limit", out.fold.cow_limit, cow_limit_expected, parse_cow_limit);
  fold.refuse_others();

  auto compact = top.in("compact");
  compact.scalar("size", out.compact.size, size, parse_size);
  compact.refuse_others();

  auto check = top.in("check");
  check.scalar("disks", out.check.disks, "none, layers or all",
               words<DisksChecked>({{"none", DisksChecked::none},
                                    {"layers", DisksChecked::layers},
                                    {"all", DisksChecked::all}}));
  check.refuse_others();

  auto generations = top.in("generations");
  generations.scalar("keep", out.generations.keep, "a whole number from 0 to 12",
                     number<unsigned>(0, 12));
  generations.scalar("free", out.generations.free_percent, "a share from 0% to 90%", share);
  generations.refuse_others();

  auto space = top.in("space");
  space.scalar("keep_free_host", out.space.keep_free_host, size, parse_size);
  space.scalar("keep_free_device", out.space.keep_free_device, size, parse_size);
  space.refuse_others();

  auto cache = top.in("cache");
  cache.scalar("memory", out.cache.memory, size, parse_size);
  cache.scalar("disks", out.cache.disks, size, parse_size);
  cache.scalar(
      "disks_of", out.cache.disks_of, "home or everywhere",
      words<DisksKept>({{"home", DisksKept::at_home}, {"everywhere", DisksKept::everywhere}}));
  cache.refuse_others();

  auto compression = top.in("compression");
  compression.scalar("level", out.compression.level, "a whole number from 1 to 19",
                     number<int>(1, 19));
  compression.scalar("threads", out.compression.threads, "a whole number from 0 to 256",
                     number<unsigned>(0, 256));
  compression.refuse_others();

  auto log = top.in("log");
  log.scalar("level", out.log.level, "debug, info, warning or error",
             words<LogLevel>({{"debug", LogLevel::debug},
                              {"info", LogLevel::info},
                              {"warning", LogLevel::warning},
                              {"error", LogLevel::error}}));
  log.refuse_others();

  auto capsules = top.in("capsules");
  read_capsules(capsules, out.capsules);

  top.refuse_others();
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, std::string_view origin) {
  MistakeList mistakes(origin);
  const auto text = read_yaml(yaml);
  for (const auto& [place, what] : text.wrong) mistakes.note(place, what);
  Config out;
  Section top(text.root, {}, mistakes);
  read(top, out);
  if (!mistakes.empty()) return tl::unexpected<Mistakes>(mistakes.take());
  return out;
}

}  // namespace satchel
