#include "adapters/attach/pci_function.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "adapters/sysfs/small_files.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int pause_ms = 5;

std::string folder_of(const std::string& sysfs, const PciAddress& pci) {
  return sysfs + "/bus/pci/devices/" + pci.text();
}

Status write_attribute(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return error(Errc::kernel, "write '" + text + "' to " + path, errno);
  return {};
}

constexpr std::string_view infiniband = "32", ethernet = "1";  // ARPHRD_*

// A representor is called pf0vf3 by its switch (devlink_port_phys_port_name in devlink), a port p0.
bool is_representor(const Directory& folder) {
  const auto name = folder.line("phys_port_name");
  return name && name->find("vf") != std::string::npos;
}

std::optional<int> index_of(const PciAddress& pci, unsigned port,
                            std::initializer_list<std::string_view> types) {
  for (const std::string& name : netdevs_of(node_sysfs, pci)) {
    const auto folder = Directory::open(folder_of(node_sysfs, pci) + "/net/" + name);
    if (!folder || is_representor(*folder)) continue;
    const auto type = folder->line("type"), number = folder->line("dev_port"),
               index = folder->line("ifindex");
    if (!type || std::find(types.begin(), types.end(), *type) == types.end()) continue;
    if (number != std::to_string(port - 1) || !index) continue;
    if (const auto value = whole_number<int>(*index)) return *value;
  }
  return {};
}

}  // namespace

std::vector<std::string> netdevs_of(const std::string& sysfs, const PciAddress& pci) {
  return names_in(folder_of(sysfs, pci) + "/net").value_or({});
}

std::vector<std::string> rdma_devices_of(const std::string& sysfs, const PciAddress& pci) {
  return names_in(folder_of(sysfs, pci) + "/infiniband").value_or({});
}

Status await_vf_at_home(const PciAddress& pci, int timeout_ms) {
  // Who was killed halfway through bind_driver_again() has left it without a driver.
  const auto folder = Directory::open(folder_of(node_sysfs, pci));
  if (folder && !folder->link_name("driver"))
    CIB_CHECK(write_attribute(std::string(node_sysfs) + "/bus/pci/drivers_probe", pci.text()));
  const bool at_home = poll_until(Deadline(timeout_ms), pause_ms, [&] {
    return !netdevs_of(node_sysfs, pci).empty() && !rdma_devices_of(node_sysfs, pci).empty();
  });
  if (at_home) return {};
  return error(Errc::timed_out, pci.text() + " has no interface and RDMA device on the node after " +
                                    std::to_string(timeout_ms) + " ms");
}

Result<int> port_netdev_index(const PciAddress& pci, unsigned port) {
  if (const auto index = index_of(pci, port, {infiniband, ethernet})) return *index;
  return error(Errc::not_found, "port " + std::to_string(port) + " of " + pci.text() +
                                    " has no network device on the node; is ib_ipoib loaded?");
}

Result<int> ipoib_index(const PciAddress& pci, unsigned port) {
  if (const auto index = index_of(pci, port, {infiniband})) return *index;
  return error(Errc::not_found, "port " + std::to_string(port) + " of " + pci.text() +
                                    " has no IPoIB interface on the node; is ib_ipoib loaded?");
}

unsigned number_of_vfs(const PciAddress& pf) {
  const auto folder = Directory::open(folder_of(node_sysfs, pf));
  return whole_number<unsigned>(folder ? folder->line("sriov_numvfs").value_or("0") : "0").value_or(0);
}

Status bind_driver_again(const PciAddress& pci) {
  const auto folder = Directory::open(folder_of(node_sysfs, pci));
  const auto driver = folder ? folder->link_name("driver") : std::nullopt;
  if (!driver) return error(Errc::not_found, pci.text() + " has no driver");
  const std::string path = std::string(node_sysfs) + "/bus/pci/drivers/" + *driver;
  CIB_CHECK(write_attribute(path + "/unbind", pci.text()));
  return write_attribute(path + "/bind", pci.text());
}

}  // namespace cib
