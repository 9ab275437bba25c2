#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cache.hpp"
#include "container_ib/inventory.hpp"
#include "container_ib/text.hpp"
#include "hwloc/read_topology.hpp"
#include "isolated.hpp"
#include "linux/bounded_read.hpp"
#include "nccl/nccl_topology.hpp"
#include "sysfs/gpu_uuids.hpp"
#include "sysfs/small_files.hpp"
#include "sysfs/sysfs.hpp"

namespace cib {

namespace {

constexpr const char* this_machines_sysfs = "/sys";

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

// ---- a description in a file, hwloc's or NCCL's
// ------------------------------------------------------------

struct Described {
  Inventory inventory;
  bool by_nccl = false;
};

constexpr std::string_view by_nccl_mark = "nccl ";

// Nothing when it is another program's, or no file at all, which hwloc is to say.
Result<std::optional<std::string>> nccl_text(const std::string& path) {
  constexpr std::size_t enough = 64UL * 1024;  // of comments before the first element
  const std::optional<std::string> none;
  const UniqueFd file = open_regular_file(AT_FDCWD, path);
  if (!file) return none;
  CIB_TRY(std::string text, read_up_to(file.get(), "it", enough));
  if (!is_nccl_topology(text)) return none;
  CIB_TRY(const std::string rest,
          read_whole(file.get(), "it", max_nccl_topology - enough,
                     error(Errc::not_found, "NCCL's topology XML of more than 1 MiB")));
  return std::optional(text + rest);
}

Result<Described> read_description(const InventorySource& source) {
  const auto read = [&]() -> Result<std::string> {
    CIB_TRY(const auto nccl, nccl_text(source.path));
    CIB_TRY(const Inventory inventory, nccl ? parse_nccl_topology(*nccl) : read_topology(source));
    return std::string(nccl ? by_nccl_mark : "") + encode_inventory(inventory);
  };
  CIB_TRY(const std::string answer, run_isolated_for_text(describe(source), [&]() -> Result<std::string> {
            auto text = read();
            if (!text) return std::move(text).error().in(describe(source));
            return text;
          }));
  const bool by_nccl = answer.starts_with(by_nccl_mark);
  CIB_TRY(Inventory inventory,
          decode_inventory(std::string_view(answer).substr(by_nccl ? by_nccl_mark.size() : 0)));
  return Described{std::move(inventory), by_nccl};
}

// Which HCAs there are and all of the machine but where its PCI devices are is not NCCL's to say where sysfs
// does.
Result<Inventory> over_sysfs(const InventorySource& source, const Inventory& description) {
  InventorySource machine{.sysfs = source.sysfs, .tables = source.tables, .cache = source.cache};
  Inventory node;
  if (is_this_machines(*source.sysfs)) {
    if (*source.sysfs == this_machines_sysfs) machine.sysfs.reset();
    CIB_TRY(node, load_inventory(machine));
  } else if (check_saved_tree(*source.sysfs)) {
    machine.kind = InventorySource::Kind::fsroot;
    machine.path = *source.sysfs;
    machine.sysfs.reset();
    CIB_TRY(node, load_inventory(machine));
  } else {
    node = description;
    node.ports.clear();
    CIB_CHECK(merge_sysfs(*source.sysfs, {.tables = source.tables}, node));
  }
  locate_by_nccl(description, node);
  return node;
}

Result<Inventory> load_description(const InventorySource& source) {
  CIB_TRY(Described described, read_description(source));
  if (source.nccl_only && !described.by_nccl)
    return error(Errc::unsupported, source.path + " is not NCCL's topology XML");
  if (!source.sysfs) return std::move(described.inventory);
  if (described.by_nccl) return over_sysfs(source, described.inventory);
  CIB_CHECK(merge_sysfs(*source.sysfs, {.tables = source.tables}, described.inventory));
  return std::move(described.inventory);
}

}  // namespace

bool is_this_machines(const std::string& sysfs) {
  if (sysfs == this_machines_sysfs) return true;
  struct statfs status {};
  return ::statfs(sysfs.c_str(), &status) == 0 && status.f_type == SYSFS_MAGIC;
}

Status check_saved_tree(const std::string& root) {
  const auto tree = Directory::open(root);
  if (!tree) return error(Errc::not_found, root + " is no directory that can be read", errno);
  const auto cpus = tree->sub("sys/devices/system/cpu");
  const auto names = cpus ? cpus->names() : std::vector<std::string>();
  const auto is_cpu = [](const std::string& name) {
    return name.starts_with("cpu") && whole_number<unsigned>(std::string_view(name).substr(3));
  };
  const bool has_proc = tree->sub("proc").has_value();
  const bool has_cpus = std::any_of(names.begin(), names.end(), is_cpu);
  if (has_proc && has_cpus) return {};
  const std::string missing = has_proc   ? "sys/devices/system/cpu with CPUs in it"
                              : has_cpus ? "proc"
                                         : "proc and sys/devices/system/cpu with CPUs in it";
  return error(Errc::not_found, "no saved tree of a machine below " + root + ": it lacks " + missing +
                                    " (hwloc-gather-topology writes such trees, as an archive to unpack)");
}

Result<bool> is_nccl_file(const std::string& path) {
  CIB_TRY(const Described described, read_description({.kind = InventorySource::Kind::xml, .path = path}));
  return described.by_nccl;
}

Result<Inventory> load_inventory(const InventorySource& source) {
  if (source.kind == InventorySource::Kind::xml) return load_description(source);
  if (source.kind == InventorySource::Kind::fsroot) CIB_CHECK(check_saved_tree(source.path));
  CIB_TRY(Inventory inventory, structure(source));
  read_gpu_uuids(source.kind == InventorySource::Kind::live ? "/proc" : source.path + "/proc", inventory);
  const std::string root = source.sysfs.value_or(
      source.kind == InventorySource::Kind::fsroot ? source.path + "/sys" : this_machines_sysfs);
  CIB_CHECK(merge_sysfs(root, {.tables = source.tables, .complete = !source.sysfs}, inventory));
  return inventory;
}

}  // namespace cib
