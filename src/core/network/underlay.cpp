#include "container_ib/underlay.hpp"

#include <algorithm>
#include <optional>

#include "container_ib/address_pool.hpp"
#include "container_ib/ipv4.hpp"
#include "container_ib/text.hpp"
#include "host_list.hpp"

namespace cib {

namespace {

// A node's address by one entry; empty when the entry is not about it.
std::optional<Ipv4OnNetwork> address_by(const OverlayNodes& entry, const std::string& node) {
  auto at = Ipv4OnNetwork::parse(entry.first);
  const auto place = place_in_host_lists(entry.nodes, node);
  if (!at || !place) return {};
  at->address += static_cast<std::uint32_t>(*place);
  return at;
}

bool is_same_network(const Ipv4OnNetwork& a, const Ipv4OnNetwork& b) {
  return a.length == b.length && a.network() == b.network();
}

// On that network, by whichever entry names the node.
std::optional<std::uint32_t> address_on(const Ipv4OnNetwork& network, const std::vector<OverlayNodes>& site,
                                        const std::string& node) {
  for (const OverlayNodes& entry : site)
    if (const auto at = address_by(entry, node); at && is_same_network(*at, network)) return at->address;
  return {};
}

Error names_no_network(const std::string& node_name) {
  return error(Errc::bad_config,
               "[[overlay]] of the site's file names no network that node " + printable(node_name) + " has");
}

}  // namespace

Status check_underlay(const std::vector<OverlayNodes>& site, const std::string& node_name) {
  const bool named = std::any_of(site.begin(), site.end(), [&](const OverlayNodes& entry) {
    return address_by(entry, node_name).has_value();
  });
  return named ? Status() : names_no_network(node_name);
}

Result<Underlay> underlay_of_step(const std::vector<OverlayNodes>& site, const std::string& node_name,
                                  const std::vector<std::string>& nodes) {
  CIB_CHECK(check_underlay(site, node_name));
  std::vector<std::string> why_not;
  for (const OverlayNodes& entry : site) {
    const auto here = address_by(entry, node_name);
    if (!here) continue;
    Underlay underlay{.local = here->address, .peers = {}};
    std::string lacking;
    for (const std::string& node : nodes) {
      if (node == node_name) continue;
      const auto there = address_on(*here, site, node);
      if (!there) {
        lacking = node;
        break;
      }
      underlay.peers.push_back(*there);
    }
    if (lacking.empty()) return underlay;
    why_not.push_back(printable(lacking) + " has no address on " + ipv4_text(here->network()) + '/' +
                      std::to_string(here->length));
  }
  return error(Errc::unusable,
               "the nodes of this step have no network of [[overlay]] in common (" + join(why_not) + ")");
}

Status check_overlay_nodes(const OverlayNodes& entry) {
  const auto at = Ipv4OnNetwork::parse(entry.first);
  if (!at)
    return error(Errc::bad_config,
                 "'" + printable(entry.first) + "' is no address of a node such as 10.20.0.1/16");
  std::uint64_t count = 0;
  for (const std::string& text : entry.nodes) {
    const auto list = HostList::parse(text);
    if (!list) return error(Errc::bad_config, "'" + printable(text) + "' is no host list such as n[001-512]");
    count += list->size();
  }
  const std::uint64_t within = at->address & at->host_mask();  // 0 names the network
  if (within != 0 && within + count - 1 <= at->usable()) return {};
  return error(Errc::bad_config, "the addresses of " + std::to_string(count) + " nodes from " + at->text() +
                                     " on are not all within its network");
}

unsigned overlay_vni(std::uint32_t job, std::uint32_t step) { return (job & 0xffff) << 8 | (step & 0xff); }

}  // namespace cib
