#include "adapters/attach/whole_device.hpp"

#include "adapters/attach/pci_function.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/netlink/links.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

Error cannot(const std::string& why) { return error(Errc::unusable, why); }

}  // namespace

Result<WholeDevice> whole_device(const PciAddress& pci) {
  const auto netdevs = netdevs_of(node_sysfs, pci), rdma = rdma_devices_of(node_sysfs, pci);
  if (rdma.size() != 1) return cannot(rdma.empty() ? "has no RDMA device" : "has several RDMA devices");
  if (netdevs.size() != 1)
    return cannot(netdevs.empty() ? "has no network device; is ib_ipoib loaded?"
                                  : "has several network devices (" + join(netdevs) + ")");
  const auto ports =
      names_in(std::string(node_sysfs) + "/class/infiniband/" + rdma.front() + "/ports").value_or({});
  if (ports.size() != 1) return cannot("has " + std::to_string(ports.size()) + " ports");
  // They end with their PF's driver, and their settings are at its interface.
  if (number_of_vfs(pci) != 0) return cannot("has VFs, which mode vf gives");
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link link, links.named(netdevs.front()));
  if (link.master_index != 0) return cannot(link.name + " is part of a bond or bridge");
  CIB_TRY(const bool routed, links.has_routes(link.index));
  if (routed) return cannot("routes of the node go by " + link.name);
  WholeDevice device{
      .netdev = link.name, .rdma = rdma.front(), .addresses = {}, .mtu = link.mtu, .up = link.up};
  CIB_TRY(device.addresses, links.addresses(link.index));
  return device;
}

}  // namespace cib
