#include "container_ib/inventory.hpp"
#include "hwloc/read_topology.hpp"
#include "sysfs/sysfs.hpp"

namespace cib {

Result<Inventory> load_inventory(const InventorySource& source) {
  CIB_TRY(Inventory inventory, read_topology(source));
  const bool same_machine = source.kind != InventorySource::Kind::xml;
  if (!source.sysfs && !same_machine) return inventory;
  const std::string root =
      source.sysfs.value_or(source.kind == InventorySource::Kind::fsroot ? source.path + "/sys" : "/sys");
  CIB_CHECK(merge_sysfs(root, {.pkeys = source.pkeys, .complete = same_machine && !source.sysfs}, inventory));
  return inventory;
}

}  // namespace cib
