#include "histories/truth.hpp"

#include <algorithm>

namespace satchel::histories {

namespace {

/// Less than a head's history keeps, with what is kept of the oldest lines besides.
constexpr std::size_t surely_kept = 24;

}  // namespace

void Truth::committed(const format::Head& head, Deed deed, std::optional<SessionId> by,
                      bool insisted) {
  Node node;
  node.id = head.generation.id;
  node.parent = head.generation.parent;
  node.seq = head.generation.seq;
  node.deed = deed;
  node.by = by;
  node.insisted = insisted;
  if (node.parent) {
    const auto& before = nodes.at(*node.parent);
    node.view = before.view;
    if (deed == Deed::check_out) node.mark = by;
    if (deed == Deed::merge || deed == Deed::fold || deed == Deed::checkpoint)
      node.mark = before.mark;
    if (deed == Deed::undone) node.mark = nodes.at(*before.parent).mark;
    if (deed == Deed::eject || deed == Deed::checkpoint) {
      const auto& run = runs.at(*by);
      node.view = nodes.at(run.base).view;
      for (const auto& [key, value] : deed == Deed::eject ? run.written : run.taken)
        node.view[key] = value;
    }
  }
  nodes[node.id] = std::move(node);
}

void Truth::went_back(const format::Head& head, Sequence to) {
  committed(head, Deed::back, {}, false);
  const auto line = line_to(head.generation.id);
  const auto old = std::find_if(line.begin(), line.end(),
                                [&](const auto& id) { return nodes.at(id).seq == to; });
  nodes.at(head.generation.id).view = nodes.at(*old).view;
}

void Truth::checkpointed(SessionId session, GenerationId by) {
  auto& run = runs.at(session);
  run.checkpoint = by;
  run.base = run.from = by;
  // What the guest wrote since the snapshot is what the device lacks.
  std::erase_if(run.written, [&](const auto& each) {
    const auto taken = run.taken.find(each.first);
    return taken != run.taken.end() && taken->second == each.second;
  });
}

std::vector<GenerationId> Truth::line_to(GenerationId tip) const {
  std::vector<GenerationId> out;
  for (auto at = std::optional(tip); at; at = nodes.at(*at).parent) out.push_back(*at);
  return out;
}

bool Truth::is_ancestor(GenerationId old, GenerationId of) const {
  const auto line = line_to(of);
  return std::find(line.begin(), line.end(), old) != line.end();
}

std::optional<core::Lacking::How> Truth::lacking(std::size_t host, GenerationId tip) const {
  const auto& seen = seen_by[host];
  if (!seen || is_ancestor(*seen, tip)) return std::nullopt;
  return is_ancestor(tip, *seen) ? core::Lacking::How::older_copy
                                 : core::Lacking::How::another_branch;
}

bool Truth::is_deep(std::size_t host, GenerationId tip) const {
  const auto& seen = seen_by[host];
  if (!seen) return false;
  const auto one = line_to(tip);
  const auto other = line_to(*seen);
  const auto parted = std::find_if(one.begin(), one.end(), [&](const auto& id) {
    return std::find(other.begin(), other.end(), id) != other.end();
  });
  const auto seq = parted == one.end() ? 0 : nodes.at(*parted).seq.value;
  return std::max(nodes.at(tip).seq.value, nodes.at(*seen).seq.value) - seq > surely_kept;
}

std::optional<SessionId> Truth::mark(std::size_t host, GenerationId tip) const {
  const auto& there = nodes.at(tip).mark;
  return there == unrun_by[host] ? std::nullopt : there;
}

Expected Truth::examined(std::size_t host, GenerationId tip) {
  Expected out;
  out.lacks = lacking(host, tip);
  out.may_be_unknown = is_deep(host, tip);
  if (!out.lacks) seen_by[host] = tip;
  if (const auto session = session_of[host]) {
    const auto& run = runs.at(*session);
    if (run.checkpoint && !is_ancestor(*run.checkpoint, tip)) {
      // Its mark may be there all the same: what the checkpoint took out of the overlays is not.
      out.state = "diverged";
      return out;
    }
    const bool is_known = is_eject_of(run, tip) && (run.committing == tip || run.from == tip);
    const bool is_in_there = run.committing && nodes.contains(*run.committing) &&
                             is_ancestor(*run.committing, tip) && run.is_off && !run.ran_on;
    if (is_in_there)
      out.may_be_diverged =
          nodes.at(tip).seq.value - nodes.at(*run.committing).seq.value > surely_kept;
    if (mark(host, tip) == *session || (is_known && !is_in_there)) {
      out.state = "running";
      return out;
    }
    if (!is_in_there) {
      out.state = "diverged";
      return out;
    }
  }
  const bool free = !mark(host, tip) && !out.lacks;
  out.state = on_insert == core::OnInsert::resume && free ? "running" : "ready";
  return out;
}

void Truth::stands_on(SessionId session, GenerationId from) {
  auto& run = runs.at(session);
  run.from = from;
  if (!is_eject_of(run, from)) run.base = from;
}

bool Truth::is_eject_of(const Run& run, GenerationId tip) const {
  const auto& node = nodes.at(tip);
  return node.deed == Deed::eject && &runs.at(*node.by) == &run;
}

bool Truth::is_needed(std::size_t host, GenerationId tip) const {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& each) {
    return each.second.host != host && each.second.born && !each.second.over &&
           must_hold(each.second, tip);
  });
}

bool Truth::must_hold(const Run& run, GenerationId tip) const {
  for (auto at = std::optional(tip); at; at = nodes.at(*at).parent) {
    if (is_eject_of(run, *at)) return false;
    if (*at == run.base) return true;
    if (nodes.at(*at).insisted) return false;
  }
  return false;
}

}  // namespace satchel::histories
