// The settings of an SR-IOV virtual function, which its PF keeps (IFLA_VF_INFO in if_link.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "container_ib/result.hpp"

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

  bool operator==(const VfSettings&) const = default;
};

// As fields of a journal's record, each name with this prefix, and back. Other text is an error of code
// corrupt.
std::map<std::string, std::string> vf_fields(const VfSettings& settings, const std::string& prefix);
Result<VfSettings> vf_settings(const std::map<std::string, std::string>& fields, const std::string& prefix);

}  // namespace cib
