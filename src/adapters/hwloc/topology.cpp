#include "topology.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>

namespace cib {

namespace {

// x86 binds the caller to every PU in turn. The others start GPU drivers, some of which have been seen to
// hang inside slurmstepd; the GPUs' PCI functions are enough for us.
constexpr std::array blacklist = {"x86", "cuda", "nvml", "opencl", "rsmi", "levelzero", "gl"};
// Distributions ship these as plugins that load the drivers' libraries before any blacklist is looked at.
constexpr const char* plugin_blacklist =
    "hwloc_cuda.so,hwloc_nvml.so,hwloc_opencl.so,hwloc_rsmi.so,hwloc_levelzero.so,hwloc_gl.so";

int configure(hwloc_topology_t topology, const InventorySource& source) {
  for (const char* component : blacklist)
    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component);

  // Groups keep their structure: they are what a device is attached to when its NUMA node has no other object
  // of its own.
  hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
  hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);

  // The whole node, also from inside a restricted cgroup: other tasks' CPUs and NUMA nodes count too. No
  // memory attributes and CPU kinds, which take most of the time on large nodes.
  unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;
#if HWLOC_API_VERSION >= 0x00020500
  flags |= HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
#endif
#if HWLOC_API_VERSION >= 0x00020800
  flags |= HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;
#endif
  if (hwloc_topology_set_flags(topology, flags) != 0) return -1;
  if (source.kind == InventorySource::Kind::xml) return hwloc_topology_set_xml(topology, source.path.c_str());
  return 0;
}

// hwloc takes its plugins and the root of a saved tree only from the environment.
void set_environment(const InventorySource& source) {
  ::setenv("HWLOC_PLUGINS_BLACKLIST", plugin_blacklist, 1);
  ::setenv("HWLOC_HIDE_ERRORS", "2", 1);
  for (const char* name : {"HWLOC_FSROOT", "HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_COMPONENTS"})
    ::unsetenv(name);
  if (source.kind == InventorySource::Kind::fsroot) ::setenv("HWLOC_FSROOT", source.path.c_str(), 1);
}

}  // namespace

Result<Topology> load_topology(const InventorySource& source) {
  set_environment(source);
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return error(Errc::kernel, "initialise hwloc", errno);
  Topology topology(raw);
  errno = 0;
  if (configure(raw, source) != 0 || hwloc_topology_load(raw) != 0)
    return error(Errc::not_found, "hwloc cannot load it (hwloc-ls -v says more)", errno);
  return topology;
}

}  // namespace cib
