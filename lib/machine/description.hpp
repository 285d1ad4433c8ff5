// A machine as it travels: the typed model of a libvirt domain, nothing in it that names a host.
// Made from domain XML when a machine is packed (read_domain), kept in every head as JSON, turned
// into domain XML for one session on one host (write_domain). Values only; any thread.
#pragma once
