// What really happened in a random history: every generation that was committed, by which deed, and
// what each session wrote. It knows nothing of marks, history lines or journals as the product
// reads them; what the product says is held against it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/words.hpp"
#include "format/head.hpp"

namespace satchel::histories {

/// What a guest sees on its disk.
using View = std::map<int, int>;

enum class Deed { pack, check_out, undone, eject, checkpoint, merge, fold, back };

struct Node {
  GenerationId id;
  std::optional<GenerationId> parent;
  Sequence seq;
  Deed deed = Deed::pack;
  std::optional<SessionId> by;    ///< of a check-out, an eject and a checkpoint
  std::optional<SessionId> mark;  ///< who has it out
  bool insisted = false;          ///< a merge or fold although another session needs the files
  View view;
};

struct Run {
  std::size_t host = 0;
  GenerationId base;  ///< its check-out, or a checkpoint, merge or fold of its own since
  GenerationId
      from{};    ///< the newest that it goes on from: also what an eject of its own committed
  View written;  ///< on top of the base
  View taken{};  ///< what of it a checkpoint that is under way ships
  std::optional<GenerationId> checkpoint{};  ///< the last that its journal knows of
  bool born = false;                         ///< the guest has lived
  bool is_off = false;                       ///< the guest is neither in memory nor in a save image
  bool ran_on = false;  ///< after an eject that had written down what it would commit
  bool over = false;    ///< given up by a choice, or on a device
  std::optional<GenerationId> committing;
};

/// One device of the copies that there are.
struct Medium {
  std::size_t number = 0;
  GenerationId tip;
  std::optional<std::size_t> host{};  ///< in whose port it is
  bool is_checked = false;            ///< nothing can have changed on it since
};

struct Expected {
  std::string state;
  std::optional<core::Lacking::How> lacks;
  /// A history line that would tell may be gone: then "nothing known" is right as well.
  bool may_be_unknown = false;
  /// The same of the line that tells of this host's own eject: then "diverged" is right as well.
  bool may_be_diverged = false;
};

class Truth {
 public:
  std::map<GenerationId, Node> nodes;
  std::map<SessionId, Run> runs;
  std::vector<std::optional<SessionId>> session_of;  ///< by host
  std::vector<std::optional<GenerationId>> seen_by;  ///< by host
  std::vector<std::optional<SessionId>> unrun_by;    ///< by host: the last that it began in vain
  core::OnInsert on_insert = core::OnInsert::ask;

  void committed(const format::Head& head, Deed deed, std::optional<SessionId> by, bool insisted);
  /// A way back to the generation of that number.
  void went_back(const format::Head& head, Sequence to);
  bool is_ancestor(GenerationId old, GenerationId of) const;
  /// The session's journal knows that its checkpoint is on a device.
  void checkpointed(SessionId session, GenerationId by);
  std::optional<core::Lacking::How> lacking(std::size_t host, GenerationId tip) const;
  /// Whether history lines may no longer reach from there to where the two parted.
  bool is_deep(std::size_t host, GenerationId tip) const;

  /// Whose check-out mark guards something, as that host can know.
  std::optional<SessionId> mark(std::size_t host, GenerationId tip) const;

  /// What the host has to make of the device, as it is read now; notes that it was.
  Expected examined(std::size_t host, GenerationId tip);
  /// The host goes on from there.
  void goes_on(std::size_t host, GenerationId tip) { seen_by[host] = tip; }
  /// The session's disks are read over that generation's, or were before its eject committed it.
  void stands_on(SessionId session, GenerationId from);

  /// Whether a session of another host, not over, still needs the files of this generation.
  bool is_needed(std::size_t host, GenerationId tip) const;
  /// Whether the device with this tip has to have the files that the session's base consists of.
  bool must_hold(const Run& run, GenerationId tip) const;

 private:
  std::vector<GenerationId> line_to(GenerationId tip) const;  ///< newest first
  bool is_eject_of(const Run& run, GenerationId tip) const;
};

}  // namespace satchel::histories
