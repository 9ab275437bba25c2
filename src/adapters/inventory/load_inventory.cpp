#include "cache.hpp"
#include "container_ib/inventory.hpp"
#include "hwloc/read_topology.hpp"
#include "isolated.hpp"
#include "sysfs/gpu_uuids.hpp"
#include "sysfs/sysfs.hpp"

namespace cib {

namespace {

std::string describe(const InventorySource& source) {
  switch (source.kind) {
    case InventorySource::Kind::xml:
      return "topology " + source.path;
    case InventorySource::Kind::fsroot:
      return "topology below " + source.path;
    case InventorySource::Kind::live:
      break;
  }
  return "topology of this machine";
}

// What a subnet manager or a cable can change without a trace in the fingerprint.
Inventory without_live_facts(Inventory inventory) {
  for (Port& port : inventory.ports) {
    port.state = PortState::unknown;
    port.phys_state = PhysState::unknown;
    port.link_layer = LinkLayer::unknown;
    port.rate_gbps = 0;
    port.lid = port.sm_lid = 0;
    port.port_guid = 0;
    port.subnet_prefix.reset();
    port.pkeys.clear();
    port.gids.clear();
    port.without_gid = false;
    port.uverbs.reset();
    port.netdevs.clear();
  }
  return inventory;
}

Result<Inventory> structure(const InventorySource& source) {
  const auto discover = [&] {
    return run_isolated(describe(source), [&source]() -> Result<Inventory> {
      auto inventory = read_topology(source);
      if (!inventory) return std::move(inventory).error().in(describe(source));
      return inventory;
    });
  };
  if (source.kind != InventorySource::Kind::live || source.cache.empty()) return discover();
  const std::string fingerprint = machine_fingerprint();
  if (auto cached = read_cache(source.cache, fingerprint)) return *std::move(cached);
  auto found = discover();
  if (!found) return found;
  auto kept = without_live_facts(*std::move(found));
  write_cache(source.cache, fingerprint, kept);
  return kept;
}

}  // namespace

Result<Inventory> load_inventory(const InventorySource& source) {
  CIB_TRY(Inventory inventory, structure(source));
  if (source.kind != InventorySource::Kind::xml)
    read_gpu_uuids(source.kind == InventorySource::Kind::live ? "/proc" : source.path + "/proc", inventory);
  const bool same_machine = source.kind != InventorySource::Kind::xml;
  if (!source.sysfs && !same_machine) return inventory;
  const std::string root =
      source.sysfs.value_or(source.kind == InventorySource::Kind::fsroot ? source.path + "/sys" : "/sys");
  CIB_CHECK(
      merge_sysfs(root, {.tables = source.tables, .complete = same_machine && !source.sysfs}, inventory));
  return inventory;
}

}  // namespace cib
