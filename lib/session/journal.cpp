#include <nlohmann/json.hpp>

#include "base/fault.hpp"
#include "session/journal_words.hpp"
#include "session/session.hpp"

namespace satchel {

std::string_view to_string(Phase phase) { return journal::word(journal::phases, phase); }

std::vector<std::string> DiskOverlay::overlays() const {
  std::vector<std::string> out{path};
  out.insert(out.end(), frozen.rbegin(), frozen.rend());
  return out;
}

std::string write_journal(const Session& session) {
  using journal::word;
  nlohmann::ordered_json out;
  out["version"] = journal::version;
  out["capsule"] = session.capsule.value.str();
  out["capsule_name"] = session.capsule_name;
  out["session"] = session.session.value.str();
  out["domain"] = session.domain.value.str();
  out["domain_name"] = session.domain_name;
  out["fs_uuid"] = session.fs_uuid;
  out["disk_sequence"] = session.disk_sequence;
  out["base"] = session.base.value.str();
  out["base_sequence"] = session.base_sequence.value;
  if (session.checkpointed) out["checkpointed"] = session.checkpointed->value;
  if (session.checkpoint) out["checkpoint"] = session.checkpoint->value.str();
  if (session.committing) out["committing"] = session.committing->value.str();
  if (session.written) out["written"] = session.written->value;
  out["phase"] = word(journal::phases, session.phase);
  out["disks"] = nlohmann::ordered_json::array();
  for (const auto& disk : session.disks) {
    nlohmann::ordered_json entry;
    entry["target"] = disk.target;
    entry["path"] = disk.path;
    entry["chain"] = disk.chain;
    if (!disk.frozen.empty()) entry["frozen"] = disk.frozen;
    if (disk.leaving) entry["leaving"] = true;
    out["disks"].push_back(std::move(entry));
  }
  out["guest_was"] = word(journal::guests, session.guest_was);
  out["defined_by"] = word(journal::definers, session.defined_by);
  if (session.original_definition) out["original_definition"] = *session.original_definition;
  if (session.nvram) out["nvram"] = *session.nvram;
  if (session.save_image) out["save_image"] = *session.save_image;
  if (session.on_copies) out["on_copies"] = true;
  out["started"] = session.started.value;
  try {
    return out.dump(2) + "\n";
  } catch (const nlohmann::json::exception& error) {
    throw Fault(Remedy::fix_request, {"write down", "the session of " + session.capsule.value.str(),
                                      error.what(), "Use names and paths in UTF-8."});
  }
}

}  // namespace satchel
