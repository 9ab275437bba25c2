#include "adapters/attach/free_vfs.hpp"

#include <algorithm>

#include "adapters/attach/pci_function.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/sysfs/small_files.hpp"
#include "container_ib/text.hpp"

namespace cib {

Result<VfsOfPf> vfs_of(const PciAddress& pf, const std::map<std::string, std::string>& claims) {
  VfsOfPf vfs;
  const auto folder = Directory::open(std::string(node_sysfs) + "/bus/pci/devices/" + pf.text());
  const auto count =
      folder ? whole_number<unsigned>(folder->line("sriov_numvfs").value_or("0")) : std::nullopt;
  if (!count || *count == 0) return vfs;
  CIB_TRY(const int pf_index, ipoib_index(pf, 1));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto in_use, links.with_addresses());
  for (unsigned vf = 0; vf < *count; ++vf) {
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
    vfs.free.push_back(
        {{.pci = *pci, .physfn = pf, .index = vf, .owner = ""}, netdevs.front(), rdma.front(), settings});
  }
  return vfs;
}

}  // namespace cib
