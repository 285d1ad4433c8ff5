#include "sync/decide.hpp"

namespace satchel::sync {
namespace {

Answer same(const std::optional<Version>& a, const Version& b) {
  return a ? same(*a, b) : Answer::no;
}

Verdict first_meeting(const Version* guest, const Version* host) {
  if (guest == nullptr) return Verdict::nothing;
  if (host == nullptr) return Verdict::create;
  switch (same(*guest, *host)) {
    case Answer::yes:
      return Verdict::agree;
    case Answer::unknown:
      return Verdict::ask;
    case Answer::no:
      break;
  }
  return Verdict::conflict;
}

Verdict gone_in_guest(const Record& record, const Version* host) {
  if (host == nullptr) return Verdict::forget;
  switch (same(record.agreed, *host)) {
    case Answer::yes:
      return host->kind == Kind::directory ? Verdict::directory_gone : Verdict::trash;
    case Answer::unknown:
      return Verdict::ask;
    case Answer::no:
      break;
  }
  return Verdict::keep;
}

Verdict unchanged_in_guest(const Record& record, const Version& guest, const Version* host) {
  if (host == nullptr) return Verdict::nothing;
  const Answer both = same(guest, *host);
  if (both == Answer::yes) return Verdict::agree;
  // After a conflict, whether the host has taken over the guest's version is worth the look.
  const bool was_agreed = same(record.agreed, record.guest.version) == Answer::yes;
  return both == Answer::unknown && !was_agreed ? Verdict::ask : Verdict::nothing;
}

Verdict changed_in_guest(const Record& record, const Version& guest, const Version* host) {
  if (host == nullptr) return Verdict::bring_back;
  const Answer both = same(guest, *host);
  if (both == Answer::yes) return Verdict::agree;
  const Answer untouched = same(record.agreed, *host);
  if (both == Answer::unknown || untouched == Answer::unknown) return Verdict::ask;
  if (untouched == Answer::no) return Verdict::conflict;
  return guest.kind == host->kind ? Verdict::update : Verdict::replace;
}

}  // namespace

Answer same(const Version& a, const Version& b) {
  if (a.kind != b.kind || a.kind == Kind::other) return Answer::no;
  if (a.kind == Kind::directory) return Answer::yes;
  if (a.kind == Kind::file && a.size != b.size) return Answer::no;
  if (!a.digest || !b.digest) return Answer::unknown;
  return *a.digest == *b.digest ? Answer::yes : Answer::no;
}

Verdict decide(const Record* record, const Version* guest, const Version* host) {
  if (record == nullptr) return first_meeting(guest, host);
  if (guest == nullptr) return gone_in_guest(*record, host);
  switch (same(record->guest.version, *guest)) {
    case Answer::yes:
      return unchanged_in_guest(*record, *guest, host);
    case Answer::no:
      return changed_in_guest(*record, *guest, host);
    case Answer::unknown:
      break;
  }
  return Verdict::ask;
}

}  // namespace satchel::sync
