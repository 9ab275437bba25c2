#include "doctor_image.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "adapters/hwloc/pci_driver.hpp"
#include "adapters/linux/image.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "adapters/sysfs/sysfs.hpp"
#include "container_ib/text.hpp"

namespace cib::cli {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<UniqueFd> open_folder(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return error(Errc::not_found, "open " + path, errno);
  return folder;
}

// Whether a task with these ports ("mlx5_0:1,mlx5_1:1") uses the device; where none are named, all are used.
bool is_used(const std::string& device, const std::string& ports) {
  const auto named = split(ports, ',');
  return ports.empty() || std::any_of(named.begin(), named.end(), [&](std::string_view port) {
           return port.substr(0, port.rfind(':')) == device;
         });
}

Result<std::vector<ImageNeeds::Hca>> find_hcas(const std::string& sysfs) {
  Inventory inventory;
  SysfsOptions options;
  options.complete = sysfs.empty();
  CIB_CHECK(merge_sysfs(sysfs.empty() ? "/sys" : sysfs, options, inventory));
  const std::string ports = variable("CONTAINER_IB_PORTS");
  std::vector<ImageNeeds::Hca> hcas;
  for (const auto& port : inventory.ports)
    if (is_used(port.device, ports) && (hcas.empty() || hcas.back().device != port.device))
      hcas.push_back({port.device, port.driver.empty() ? guess_driver(0, 0, port.device) : port.driver});
  return hcas;
}

}  // namespace

Result<std::vector<ImageLine>> examine_image(const std::string& root, const std::string& sysfs) {
  ImageNeeds needs;
  CIB_TRY(needs.hcas, find_hcas(sysfs));
  needs.pmix_server = variable("PMIX_VERSION");
  const bool inside = root.empty();
  CIB_TRY(const UniqueFd top, open_folder(inside ? "/" : root));
  CIB_TRY(const UniqueFd proc, open_folder("/proc"));
  CIB_TRY(const ImageFacts facts,
          look_at_image(top.get(), proc.get(), inside ? variable("LD_LIBRARY_PATH") : ""));
  return judge_image(facts, needs);
}

}  // namespace cib::cli
