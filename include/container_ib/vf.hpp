// The settings of an SR-IOV virtual function, which its PF keeps (IFLA_VF_INFO in if_link.h), and GUIDs for
// VFs that have none.
#pragma once

#include <cstdint>
#include <optional>

namespace cib {

// IFLA_VF_LINK_STATE_*: follow the PF's link, or be up or down whatever it does.
enum class VfLinkState { follow = 0, up = 1, down = 2 };

// What is not given is left alone, or is not kept by this PF.
struct VfSettings {
  std::optional<VfLinkState> link_state;
  std::optional<std::uint64_t> node_guid, port_guid;
  // Of Ethernet VFs only.
  std::optional<std::uint32_t> vlan, qos;                 // 802.1Q id (0: none) and priority
  std::optional<std::uint32_t> min_tx_mbps, max_tx_mbps;  // 0: no limit
  std::optional<bool> spoof_check, trust;

  // By the names that a journal and lines for people have.
  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("node_guid", self.node_guid);
    visit("port_guid", self.port_guid);
    visit("vlan", self.vlan);
    visit("qos", self.qos);
    visit("min_tx_mbps", self.min_tx_mbps);
    visit("max_tx_mbps", self.max_tx_mbps);
    visit("spoof_check", self.spoof_check);
    visit("trust", self.trust);
    visit("link_state", self.link_state);
  }
  bool operator==(const VfSettings&) const = default;
};

enum class VfGuid { node, port };

// The same for the same VF in every job and after every boot, and different, but for one chance in 2^54, from
// all others of the fabric. Of the locally administered kind (IEEE EUI-64: bit 57 set, not a group).
std::uint64_t generated_vf_guid(std::uint64_t pf_port_guid, unsigned vf, VfGuid kind);

}  // namespace cib
