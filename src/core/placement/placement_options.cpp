#include "container_ib/node_names.hpp"
#include "container_ib/placement.hpp"

namespace cib {

PlacementOptions placement_options(const Settings& settings, const SiteConfig& site,
                                   const std::string& node_name) {
  PlacementOptions options;
  options.place = settings.place;
  options.rails = settings.rails;
  options.use_gpus = settings.gpu != Gpus::no;
  options.all_near_gpus = settings.mode == Mode::verbs;
  options.roce = settings.roce;
  options.fabric = settings.fabric;
  options.hca = settings.hca;
  options.pkey = settings.pkey;
  options.drivers = site.drivers;
  options.min_rate_fraction = site.min_rate_fraction;
  for (const auto& rule : site.nodes) {
    if (!names_node(rule.name, node_name)) continue;
    options.site_hca = rule.hca;
    options.has_site_rule = true;
    break;
  }
  return options;
}

std::vector<std::size_t> eligible_ports(const Assignment& assignment) {
  std::vector<std::size_t> ports;
  for (const PortVerdict& verdict : assignment.verdicts)
    if (verdict.eligible) ports.push_back(verdict.port);
  return ports;
}

}  // namespace cib
