#include "adapters/attach/free_vfs.hpp"

#include <algorithm>

#include "adapters/attach/pci_function.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/sysfs/small_files.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// As its PF was told.
bool has_guids(const VfSettings& settings) {
  return settings.node_guid.value_or(0) != 0 && settings.port_guid.value_or(0) != 0;
}

// A PF of Ethernet knows no GUIDs of its VFs: the driver makes them from the VF's MAC, if it has one.
bool has_node_guid(const std::string& device) {
  const auto folder = Directory::open(std::string(node_sysfs) + "/class/infiniband/" + device);
  const auto layer = folder ? folder->line("ports/1/link_layer") : std::nullopt;
  const auto guid = layer == "Ethernet" ? folder->line("node_guid") : std::nullopt;
  return guid && guid->find_first_not_of("0:") != std::string::npos;
}

}  // namespace

Result<VfsOfPf> vfs_of(const PciAddress& pf, const std::map<std::string, std::string>& claims) {
  VfsOfPf vfs;
  const unsigned count = number_of_vfs(pf);
  const auto folder = Directory::open(std::string(node_sysfs) + "/bus/pci/devices/" + pf.text());
  if (count == 0 || !folder) return vfs;
  CIB_TRY(const int pf_index, port_netdev_index(pf, 1));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto in_use, links.with_addresses());
  for (unsigned vf = 0; vf < count; ++vf) {
    const auto link = folder->link_name("virtfn" + std::to_string(vf));
    const auto pci = link ? PciAddress::parse(*link) : Result<PciAddress>(error(Errc::not_found, "no VF"));
    if (!pci) continue;
    if (claims.contains(pci->text())) {
      ++vfs.claimed;
      continue;
    }
    const auto netdevs = netdevs_of(node_sysfs, *pci), rdma = rdma_devices_of(node_sysfs, *pci);
    if (netdevs.empty() || rdma.empty()) continue;
    if (std::find(in_use.begin(), in_use.end(), netdevs.front()) != in_use.end()) continue;
    CIB_TRY(const VfSettings settings, links.vf(pf_index, vf));
    vfs.free.push_back({.identity = {.pci = *pci, .physfn = pf, .index = vf, .owner = ""},
                        .netdev = netdevs.front(),
                        .rdma = rdma.front(),
                        .settings = settings,
                        .has_guids = has_guids(settings) || has_node_guid(rdma.front())});
  }
  return vfs;
}

}  // namespace cib
