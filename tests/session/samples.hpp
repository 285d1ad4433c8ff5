// A session with everything in it.
#pragma once

#include "session/session.hpp"

namespace satchel::samples {

inline Uuid uuid(std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes{};
  bytes.back() = number;
  return Uuid(bytes);
}

inline Session session(std::uint8_t capsule = 1) {
  Session out;
  out.capsule = CapsuleId(uuid(capsule));
  out.capsule_name = "forge \"north\"\n";
  out.session = SessionId(uuid(2));
  out.domain = DomainId(uuid(3));
  out.domain_name = "forge";
  out.fs_uuid = "3A4B-11FF";
  out.disk_sequence = 41;
  out.base = GenerationId(uuid(4));
  out.base_sequence = Sequence(17);
  out.checkpointed = Sequence(16);
  out.checkpoint = GenerationId(uuid(6));
  out.on_copies = true;
  out.committing = GenerationId(uuid(5));
  out.written = UnixMicros(1764382000123456);
  out.phase = Phase::ejecting;
  out.disks = {
      {"vda", "/var/lib/satchel/sessions/a/vda.qcow2", {"vda/layer-17.qcow2", "vda/cow.qcow2"}},
      {"vdb",
       "/var/lib/satchel/sessions/a/vdb-2.qcow2",
       {},
       {"/var/lib/satchel/sessions/a/vdb.qcow2", "/var/lib/satchel/sessions/a/vdb-1.qcow2"}}};
  out.guest_was = GuestWas::paused;
  out.defined_by = DefinedBy::user;
  out.original_definition = "<domain type='kvm'>\n  <name>forge</name>\n</domain>\n";
  out.nvram = "/var/lib/satchel/sessions/a/nvram";
  out.save_image = "/var/lib/satchel/sessions/a/save";
  out.started = UnixMicros(1'795'340'040'000'001);
  return out;
}

}  // namespace satchel::samples
