#include "container_ib/site_fabric.hpp"

#include <algorithm>

#include "container_ib/node_names.hpp"
#include "container_ib/text.hpp"
#include "host_list.hpp"

namespace cib {

namespace {

constexpr std::uint64_t max_nodes = 65536;  // Slurm's own limit (MAX_SLURM_NODES in slurm_protocol_defs.c)

// The first node that lacks it; empty: none does.
std::string node_without(const SiteFabric& fabric, const std::vector<std::string>& nodes) {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const std::string& node) { return !names_node(fabric.nodes, node); });
  return found == nodes.end() ? std::string() : *found;
}

Result<std::optional<SiteFabric>> by_name(const std::string& name, const SiteConfig& site,
                                          const std::vector<std::string>& nodes) {
  std::vector<std::string> names;
  for (const SiteFabric& fabric : site.fabrics) {
    names.push_back(fabric.name);
    if (fabric.name != name) continue;
    const std::string lacking = node_without(fabric, nodes);
    if (lacking.empty()) return std::optional(fabric);
    return error(Errc::unusable,
                 "fabric=" + name + ": node " + printable(lacking) + " of this step is not in it");
  }
  return error(Errc::bad_request, "fabric=" + printable(name) +
                                      " is none of this site's; allowed are auto, all, a " + "subnet prefix" +
                                      (names.empty() ? "" : ", " + join(names)));
}

}  // namespace

Result<std::optional<SiteFabric>> fabric_of_step(const std::string& asked, const SiteConfig& site,
                                                 const std::vector<std::string>& nodes) {
  if (asked == "all" || parse_subnet(asked)) return std::optional<SiteFabric>();
  if (asked != "auto") return by_name(asked, site, nodes);
  std::vector<std::string> why_not;
  for (const SiteFabric& fabric : site.fabrics) {
    const std::string lacking = node_without(fabric, nodes);
    if (lacking.empty()) return std::optional(fabric);
    const bool concerned = std::any_of(
        nodes.begin(), nodes.end(), [&](const std::string& node) { return names_node(fabric.nodes, node); });
    if (concerned) why_not.push_back(printable(lacking) + " is not in " + fabric.name);
  }
  if (why_not.empty()) return std::optional<SiteFabric>();
  return error(Errc::unusable, "the nodes of this step have no fabric in common (" + join(why_not) +
                                   "); take nodes of one fabric");
}

Result<std::vector<std::string>> nodes_in_list(const std::string& host_list) {
  const auto list = HostList::parse(host_list);
  if (!list) return error(Errc::not_found, "'" + printable(host_list) + "' is no host list");
  if (list->size() > max_nodes)
    return error(Errc::unsupported, "'" + printable(host_list) + "' has more than 65,536 nodes");
  std::vector<std::string> names;
  for (std::uint64_t place = 0; place < list->size(); ++place) names.push_back(list->name_at(place));
  return names;
}

}  // namespace cib
