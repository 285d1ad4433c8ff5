// drop-cache: what this computer keeps of machines that were here goes.
#include <nlohmann/json.hpp>
#include <ostream>

#include "commands.hpp"
#include "json.hpp"
#include "names.hpp"

namespace satchel::cli {

namespace {

/// A machine's stick may be anywhere: its UUID will do.
CapsuleId wanted(const HostView& host, const std::string& word) {
  if (const auto id = Uuid::parse(word); id && !id->is_nil()) return CapsuleId(*id);
  return find_capsule(host, word).id;
}

}  // namespace

Task<ExitCode> drop_cache(Context& context, std::string word) {
  Dictionary options;
  if (!word.empty()) {
    auto asking = context.client.overview();
    options["capsule"] = wanted(co_await std::move(asking), word).value.str();
  }
  auto dropping = context.client.ask(root_path, manager_interface, "DropCache", options);
  auto reply = co_await std::move(dropping);
  const auto freed = ByteCount(reply.read<std::uint64_t>());
  if (context.output == Output::json)
    context.out << nlohmann::json{{"freed", freed.value}}.dump() << '\n';
  else if (freed.value == 0)
    context.out << "Nothing was kept here.\n";
  else
    context.out << to_string(freed) << " were kept here and are gone.\n";
  co_return ExitCode::done;
}

}  // namespace satchel::cli
