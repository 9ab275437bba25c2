// The site's configuration, and what it makes of the node: the same for the agent and the command line.
#pragma once

#include <string>

#include "container_ib/config.hpp"
#include "container_ib/inventory.hpp"

namespace cib {

inline constexpr const char* usual_site_file = "/etc/slurm/container-ib.conf";

struct SiteFile {
  std::string path;
  bool found = true;  // false: there is none, and the defaults hold
  SiteConfig site = {};
};

// As root reads it for a step. A site that named no file may have none; one that it named must be there.
// Errors are bad_config when others than root can write it, or when it is wrong.
Result<SiteFile> read_site_file(const std::string& named);

// The same for whoever asks about a file, be it his own: at most 1 MiB.
Result<SiteConfig> look_at_site_file(const std::string& path);

// That the file which topology.xml names can be used as a step uses it; the error begins with the line of the
// site's file `path` that names it. Fine when none is named.
Status check_topology_file(const SiteConfig& site, const std::string& path);

// What is wrong where topology.hand_to_nccl is about a file that is not NCCL's.
Error not_for_nccl(const SiteConfig& site);

// This machine, or what the site says that it is: the administrator knows better in a virtual machine. States
// and rates stay live.
InventorySource inventory_source(const SiteConfig& site);

}  // namespace cib
