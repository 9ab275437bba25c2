#include "entries.hpp"

#include <algorithm>
#include <array>

#include "container_ib/hca_selection.hpp"
#include "container_ib/node_names.hpp"
#include "container_ib/site_variables.hpp"
#include "container_ib/underlay.hpp"

namespace cib {

namespace {

// Calls `read` with the table of each entry and the entry itself, until one has an error.
template <class Read>
Status each_entry(const std::string& section, const toml::node& node, const FileErrors& errors,
                  std::string_view allowed, Read read) {
  const auto* entries = node.as_array();
  if (entries == nullptr) return errors.not_allowed(node, section, allowed);
  for (const auto& entry : *entries) {
    const auto* table = entry.as_table();
    if (table == nullptr) return errors.not_allowed(entry, section, allowed);
    CIB_CHECK(read(*table, entry));
  }
  return {};
}

Error unknown_key(const toml::node& value, const std::string& key, const FileErrors& errors,
                  std::string_view keys) {
  return errors.at(value.source(), key + ": unknown key, allowed: " + std::string(keys));
}

// ---- what entries of several kinds say
// --------------------------------------------------------------------------------------

Status read_node_names(const toml::node& node, const std::string& key, const FileErrors& errors,
                       std::vector<std::string>& names) {
  if (!read_texts(node, names) || names.empty())
    return errors.not_allowed(node, key, "Slurm host lists and globs, as in \"gpu[01-16]\" and \"gpu*\"");
  for (const std::string& text : names)
    if (const auto status = check_node_names(text); !status)
      return errors.at(node.source(), key + ": " + status.error().what);
  return {};
}

Status read_hcas(const toml::node& node, const std::string& key, const FileErrors& errors,
                 std::vector<std::string>& texts) {
  constexpr std::string_view allowed =
      "names or globs of devices, ports and network devices, PCI addresses and GUIDs, in a list or with + "
      "between; ^ excludes";
  if (!read_texts(node, texts)) return errors.not_allowed(node, key, allowed);
  for (const std::string& text : texts)
    if (!HcaSelection::parse(text))
      return errors.at(node.source(), key + ": \"" + printable(text) +
                                          "\" can match nothing, allowed: " + std::string(allowed));
  return {};
}

// ---- [[nodes]]
// ----------------------------------------------------------------------------------------------

constexpr std::string_view node_keys = "name, hca";

// The first entry that matches counts. `lines`: of those before it.
void warn_if_never(const NodeRule& rule, const toml::node& entry,
                   const std::vector<toml::source_index>& lines, const FileErrors& errors, SiteConfig& site) {
  for (std::size_t i = 0; i < site.nodes.size(); ++i) {
    const auto& earlier = site.nodes[i].name;
    const auto again = [&](const std::string& text) {
      return std::find(earlier.begin(), earlier.end(), text) != earlier.end();
    };
    if (!names_every_node(earlier) && !std::all_of(rule.name.begin(), rule.name.end(), again)) continue;
    site.warnings.push_back(errors
                                .at(entry.source(), "nodes: this entry is never used, since that of line " +
                                                        std::to_string(lines[i]) +
                                                        " comes first and is for all of its nodes")
                                .what);
    return;
  }
}

Status read_nodes(const toml::node& node, const FileErrors& errors, SiteConfig& site) {
  std::vector<toml::source_index> lines;
  const auto read = [&](const toml::table& table, const toml::node& entry) -> Status {
    NodeRule rule;
    for (const auto& [key, value] : table) {
      const std::string full = "nodes." + printable(key.str());
      if (key.str() == "name")
        CIB_CHECK(read_node_names(value, full, errors, rule.name));
      else if (key.str() == "hca")
        CIB_CHECK(read_hcas(value, full, errors, rule.hca));
      else
        return unknown_key(value, full, errors, node_keys);
    }
    // An empty list of HCAs is a rule too: none of them.
    if (rule.name.empty() || !table.contains("hca"))
      return errors.at(entry.source(), "nodes: an entry lacks a key, allowed: name and hca, both");
    warn_if_never(rule, entry, lines, errors, site);
    site.nodes.push_back(std::move(rule));
    lines.push_back(entry.source().begin.line);
    return {};
  };
  return each_entry("nodes", node, errors, "[[nodes]] entries with name and hca", read);
}

// ---- [[fabrics]]
// ----------------------------------------------------------------------------------------------

constexpr std::string_view fabric_keys = "name, nodes, prefix, sm_lid, hca";

Status read_fabric_key(const std::string& key, const toml::node& value, const FileErrors& errors,
                       SiteFabric& fabric) {
  const std::string full = "fabrics." + printable(key);
  if (key == "nodes") return read_node_names(value, full, errors, fabric.nodes);
  if (key == "hca") return read_hcas(value, full, errors, fabric.hca);
  if (key == "name") {
    Request scratch;  // what users can say of it
    const bool good = read_text(value, fabric.name) && set_key(scratch, "fabric", fabric.name) &&
                      fabric.name != "auto" && fabric.name != "all" && !parse_subnet(fabric.name);
    return good ? Status() : errors.not_allowed(value, full, "letters, digits, _ and -, a letter first");
  }
  if (key == "prefix") {
    std::string text;
    if (read_text(value, text)) fabric.prefix = parse_subnet_prefix(text);
    return fabric.prefix ? Status()
                         : errors.not_allowed(value, full, "a subnet prefix such as fe80:0000:0000:0001");
  }
  if (key == "sm_lid") {
    const auto lid = value.value_exact<std::int64_t>();
    if (!lid || *lid < 1 || *lid > 0xbfff) return errors.not_allowed(value, full, "1 to 49151");
    fabric.sm_lid = static_cast<std::uint32_t>(*lid);
    return {};
  }
  return unknown_key(value, full, errors, fabric_keys);
}

Status read_fabrics(const toml::node& node, const FileErrors& errors, SiteConfig& site) {
  constexpr std::string_view allowed = "[[fabrics]] entries with name, nodes and some of prefix, sm_lid, hca";
  const auto read = [&](const toml::table& table, const toml::node& entry) -> Status {
    SiteFabric fabric;
    for (const auto& [key, value] : table)
      CIB_CHECK(read_fabric_key(std::string(key.str()), value, errors, fabric));
    if (fabric.name.empty() || fabric.nodes.empty() ||
        (!fabric.prefix && fabric.sm_lid == 0 && fabric.hca.empty()))
      return errors.at(entry.source(), "fabrics: an entry lacks a key, allowed: " + std::string(allowed));
    for (const SiteFabric& other : site.fabrics)
      if (other.name == fabric.name)
        return errors.at(entry.source(),
                         "fabrics.name: \"" + fabric.name + "\" is there twice, allowed: once");
    site.fabrics.push_back(std::move(fabric));
    return {};
  };
  return each_entry("fabrics", node, errors, allowed, read);
}

// ---- [[overlay]]
// ----------------------------------------------------------------------------------------------

constexpr std::string_view overlay_keys = "nodes, first";

Status read_overlay(const toml::node& node, const FileErrors& errors, SiteConfig& site) {
  const auto read = [&](const toml::table& table, const toml::node& entry) -> Status {
    OverlayNodes overlay;
    for (const auto& [key, value] : table) {
      const std::string full = "overlay." + printable(key.str());
      if (key.str() == "nodes") {
        if (!read_texts(value, overlay.nodes)) return errors.not_allowed(value, full, "Slurm host lists");
      } else if (key.str() == "first") {
        if (!read_text(value, overlay.first))
          return errors.not_allowed(value, full, "an address such as \"10.20.0.1/16\"");
      } else {
        return unknown_key(value, full, errors, overlay_keys);
      }
    }
    if (overlay.nodes.empty() || overlay.first.empty())
      return errors.at(entry.source(), "overlay: an entry lacks a key, allowed: nodes and first, both");
    if (const auto status = check_overlay_nodes(overlay); !status)
      return errors.at(entry.source(), "overlay: " + status.error().what);
    site.overlay.push_back(std::move(overlay));
    return {};
  };
  return each_entry("overlay", node, errors, "[[overlay]] entries with nodes and first", read);
}

// ---- [[environment]]
// ----------------------------------------------------------------------------------------------

// Of an entry, but for `nodes` and `set`.
struct RuleKey {
  std::string_view name, allowed;
  bool (*read)(const toml::node&, EnvironmentRule&);
};

constexpr std::array rule_keys = {
    RuleKey{
        "link_layer", "\"InfiniBand\" and \"Ethernet\"",
        [](const toml::node& node, EnvironmentRule& rule) { return read_link_layer(node, rule.link_layer); }},
    RuleKey{"driver", "a kernel driver, or a list of them",
            [](const toml::node& node, EnvironmentRule& rule) {
              return read_texts(node, rule.drivers) && !rule.drivers.empty();
            }},
    RuleKey{
        "min_rate_gbps", "a rate in Gb/s",
        [](const toml::node& node, EnvironmentRule& rule) { return read_rate(node, rule.min_rate_gbps); }},
    RuleKey{
        "max_rate_gbps", "a rate in Gb/s",
        [](const toml::node& node, EnvironmentRule& rule) { return read_rate(node, rule.max_rate_gbps); }},
};
constexpr std::string_view rule_key_names = "nodes, link_layer, driver, min_rate_gbps, max_rate_gbps, set";

Status read_variables(const toml::node& node, const std::string& key, const FileErrors& errors,
                      std::vector<EnvironmentChange>& variables) {
  const auto* table = node.as_table();
  if (table == nullptr) return errors.not_allowed(node, key, "a table such as { NCCL_IB_TC = \"41\" }");
  for (const auto& [name, value] : *table) {
    const auto text = as_variable(value);
    if (!text) return errors.not_allowed(value, key + "." + printable(name.str()), "text and whole numbers");
    if (const auto status = check_site_variable(name.str(), *text); !status)
      return errors.at(value.source(), key + "." + status.error().what);
    variables.push_back({std::string(name.str()), *text});
  }
  return {};
}

Status read_rule_key(const std::string& key, const toml::node& value, const FileErrors& errors,
                     EnvironmentRule& rule) {
  const std::string full = "environment." + printable(key);
  if (key == "nodes") return read_node_names(value, full, errors, rule.nodes);
  if (key == "set") return read_variables(value, full, errors, rule.set);
  for (const RuleKey& known : rule_keys) {
    if (known.name != key) continue;
    return known.read(value, rule) ? Status() : errors.not_allowed(value, full, known.allowed);
  }
  return unknown_key(value, full, errors, rule_key_names);
}

Status read_environment(const toml::node& node, const FileErrors& errors, SiteConfig& site) {
  const std::string allowed =
      "at most " + std::to_string(most_environment_rules) + " [[environment]] entries";
  const auto read = [&](const toml::table& table, const toml::node& entry) -> Status {
    EnvironmentRule rule;
    for (const auto& [key, value] : table)
      CIB_CHECK(read_rule_key(std::string(key.str()), value, errors, rule));
    if (rule.set.empty())
      return errors.at(entry.source(),
                       "environment: an entry sets nothing, allowed: set = { NAME = \"value\" }");
    if (rule.min_rate_gbps && rule.max_rate_gbps && *rule.min_rate_gbps > *rule.max_rate_gbps)
      return errors.at(entry.source(),
                       "environment: min_rate_gbps is above max_rate_gbps, so no port has such a rate");
    site.environment.push_back(std::move(rule));
    if (names_of_site_variables(site.environment).size() > most_site_variables)
      return errors.at(entry.source(), "environment: more than " + std::to_string(most_site_variables) +
                                           " variables in all entries");
    return {};
  };
  if (const auto* entries = node.as_array(); entries != nullptr && entries->size() > most_environment_rules)
    return errors.not_allowed(node, "environment", allowed);
  return each_entry("environment", node, errors, allowed, read);
}

}  // namespace

const std::vector<EntrySection>& entry_sections() {
  static const std::vector<EntrySection> sections = {{"nodes", read_nodes, node_keys},
                                                     {"fabrics", read_fabrics, fabric_keys},
                                                     {"overlay", read_overlay, overlay_keys},
                                                     {"environment", read_environment, rule_key_names}};
  return sections;
}

}  // namespace cib
