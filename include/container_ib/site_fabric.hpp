// Which of the site's fabrics the nodes of a step have in common.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "container_ib/config.hpp"

namespace cib {

// Every node of the step finds the same answer from the site's file alone, without asking the others: the
// first fabric of the file that all of `nodes` have, or the one that is `asked` for by its name (Settings'
// fabric). Empty: the site says nothing of these nodes, or the user has said "all" or a subnet.
// Errors: unusable when they have none in common, or not the one that was asked for.
Result<std::optional<SiteFabric>> fabric_of_step(const std::string& asked, const SiteConfig& site,
                                                 const std::vector<std::string>& nodes);

// The nodes of one of Slurm's host lists; not_found when it cannot be read, unsupported when it has too many.
Result<std::vector<std::string>> nodes_in_list(const std::string& host_list);

}  // namespace cib
