// GUIDs for VFs that have none.
#pragma once

#include <cstdint>

namespace cib {

enum class VfGuid { node, port };

// The same for the same VF in every job and after every boot, and different, but for one chance in 2^54, from
// all others of the fabric. Of the locally administered kind (IEEE EUI-64: bit 57 set, not a group).
std::uint64_t generated_vf_guid(std::uint64_t pf_port_guid, unsigned vf, VfGuid kind);

}  // namespace cib
