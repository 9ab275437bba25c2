#include <algorithm>
#include <array>
#include <exception>

#include "container_ib/address_pool.hpp"
#include "container_ib/config.hpp"
#include "container_ib/hca_selection.hpp"
#include "container_ib/node_names.hpp"
#include "container_ib/text.hpp"
#include "values.hpp"

namespace cib {

namespace {

struct ConfigKey {
  std::string_view section, name;
  std::string_view allowed;
  bool (*read)(const toml::node&, SiteConfig&);
};

template <auto Field, auto Read>
bool into(const toml::node& node, SiteConfig& site) {
  return Read(node, site.*Field);
}

bool read_forbid(const toml::node& node, SiteConfig& site) {
  const auto* array = node.as_array();
  if (array == nullptr || (!array->empty() && !read_texts(node, site.forbid))) return false;
  const auto& known = request_keys();
  return std::all_of(site.forbid.begin(), site.forbid.end(), [&](const std::string& key) {
    return std::find(known.begin(), known.end(), key) != known.end();
  });
}

bool read_topology(const toml::node& node, SiteConfig& site) {
  site.topology_xml_line = static_cast<unsigned>(node.source().begin.line);
  return node.value_exact<std::string>() == "" || read_absolute_path(node, site.topology_xml);
}

template <auto Member>
bool into_vf(const toml::node& node, SiteConfig& site) {
  using Value = typename std::remove_reference_t<decltype(site.vf.settings.*Member)>::value_type;
  if constexpr (std::is_same_v<Value, bool>) {
    bool value = false;
    if (!read_bool(node, value)) return false;
    site.vf.settings.*Member = value;
  } else {
    unsigned value = 0;
    if (!read_number(node, value)) return false;
    site.vf.settings.*Member = value;
  }
  return true;
}

bool read_vlan(const toml::node& node, SiteConfig& site) {
  return into_vf<&VfSettings::vlan>(node, site) && *site.vf.settings.vlan <= 4094;
}

bool read_qos(const toml::node& node, SiteConfig& site) {
  return into_vf<&VfSettings::qos>(node, site) && *site.vf.settings.qos <= 7;
}

bool read_guids(const toml::node& node, SiteConfig& site) {
  std::string text;
  if (!read_text(node, text) || (text != "keep" && text != "generate")) return false;
  site.vf.generate_guids = text == "generate";
  return true;
}

bool read_shared_rdma(const toml::node& node, SiteConfig& site) {
  std::string text;
  if (!read_text(node, text) || (text != "allow" && text != "forbid")) return false;
  site.vf.shared_rdma = text == "allow";
  return true;
}

template <auto Member>
bool into_vf_policy(const toml::node& node, SiteConfig& site) {
  return read_number(node, site.vf.*Member);
}

bool read_link_state(const toml::node& node, SiteConfig& site) {
  std::string text;
  if (!read_text(node, text)) return false;
  if (text == "follow") site.vf.settings.link_state = VfLinkState::follow;
  if (text == "up") site.vf.settings.link_state = VfLinkState::up;
  if (text == "down") site.vf.settings.link_state = VfLinkState::down;
  return site.vf.settings.link_state.has_value();
}

bool read_ipoib_mode(const toml::node& node, SiteConfig& site) {
  std::string text;
  if (!read_text(node, text) || (text != "datagram" && text != "connected")) return false;
  site.ipoib_connected = text == "connected";
  return true;
}

bool read_pool(const toml::node& node, SiteConfig& site) {
  return node.value_exact<std::string>() == "" || read_text(node, site.addresses.pool);
}

bool read_address_nodes(const toml::node& node, SiteConfig& site) {
  const auto* array = node.as_array();
  return (array != nullptr && array->empty()) || read_texts(node, site.addresses.nodes);
}

bool read_daemons(const toml::node& node, SiteConfig& site) {
  const auto* array = node.as_array();
  if (array != nullptr && array->empty()) return site.daemons.clear(), true;
  return read_texts(node, site.daemons);
}

bool read_per_node(const toml::node& node, SiteConfig& site) {
  unsigned value = 0;
  if (!read_number(node, value) || value < 1 || value > 4096) return false;
  site.addresses.per_node = value;
  return true;
}

constexpr std::string_view modes_allowed = "a list of verbs, vf, ipoib, macvlan, overlay, ovs";

constexpr std::array key_table = {
    ConfigKey{"devices", "drivers", "a list of kernel drivers", into<&SiteConfig::drivers, read_texts>},
    ConfigKey{"devices", "min_rate_fraction", "0.0 to 1.0",
              into<&SiteConfig::min_rate_fraction, read_fraction>},
    ConfigKey{"modes", "allow", modes_allowed, into<&SiteConfig::modes, read_modes>},
    ConfigKey{"modes", "auto", modes_allowed, into<&SiteConfig::auto_modes, read_modes>},
    ConfigKey{"users", "forbid", "a list of keys of --container-ib", read_forbid},
    ConfigKey{"users", "allow_umad", "true and false", into<&SiteConfig::allow_umad, read_bool>},
    ConfigKey{"users", "allow_inject", "true and false", into<&SiteConfig::allow_inject, read_bool>},
    ConfigKey{"pkeys", "allow", "a list of P_Keys such as 0x8001", into<&SiteConfig::pkeys, read_pkeys>},
    ConfigKey{"vf", "guids", "\"keep\" and \"generate\"", read_guids},
    ConfigKey{"vf", "shared_rdma", "\"allow\" and \"forbid\"", read_shared_rdma},
    ConfigKey{"vf", "per_step", "a number of VFs, or 0", into_vf_policy<&VfPolicy::per_step>},
    ConfigKey{"vf", "per_user", "a number of VFs, or 0", into_vf_policy<&VfPolicy::per_user>},
    ConfigKey{"vf", "link_state", "\"follow\", \"up\" and \"down\"", read_link_state},
    ConfigKey{"vf", "vlan", "0 to 4094", read_vlan},
    ConfigKey{"vf", "qos", "0 to 7", read_qos},
    ConfigKey{"vf", "min_tx_mbps", "a rate in Mb/s", into_vf<&VfSettings::min_tx_mbps>},
    ConfigKey{"vf", "max_tx_mbps", "a rate in Mb/s", into_vf<&VfSettings::max_tx_mbps>},
    ConfigKey{"vf", "spoof_check", "true and false", into_vf<&VfSettings::spoof_check>},
    ConfigKey{"vf", "trust", "true and false", into_vf<&VfSettings::trust>},
    ConfigKey{"ipoib", "mode", "\"datagram\" and \"connected\"", read_ipoib_mode},
    ConfigKey{"addresses", "pool", "an IPv4 prefix, or \"\"", read_pool},
    ConfigKey{"addresses", "nodes", "a list of Slurm host lists", read_address_nodes},
    ConfigKey{"addresses", "per_node", "1 to 4096", read_per_node},
    ConfigKey{"verdict", "daemons", "a list of names of processes, as in /proc/PID/comm", read_daemons},
    ConfigKey{"memlock", "raise", "true and false", into<&SiteConfig::raise_memlock, read_bool>},
    ConfigKey{"memlock", "cap", "\"unlimited\" and a number of bytes, which may end in k, M or G",
              into<&SiteConfig::memlock_bytes, read_bytes>},
    ConfigKey{"timeouts", "rendezvous_s", "1 to 3600", into<&SiteConfig::rendezvous_timeout_s, read_seconds>},
    ConfigKey{"timeouts", "carrier_s", "1 to 3600", into<&SiteConfig::carrier_timeout_s, read_seconds>},
    ConfigKey{"topology", "xml", "an absolute path, or \"\"", read_topology},
    ConfigKey{"topology", "hand_to_nccl", "true and false", into<&SiteConfig::hand_to_nccl, read_bool>},
};

// Sections whose keys are not in the table above.
constexpr std::array<std::string_view, 5> other_sections = {"defaults", "force", "nodes", "fabrics",
                                                            "environment"};

// Of one entry of [[environment]], but for `set`.
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

const ConfigKey* find_key(std::string_view section, std::string_view name) {
  for (const auto& entry : key_table)
    if (entry.section == section && entry.name == name) return &entry;
  return nullptr;
}

class Parser {
 public:
  explicit Parser(const std::string& file) : file_(file) {}

  Result<SiteConfig> parse(std::string_view text) {
    CIB_TRY(const std::string ascii, ascii_only(text));
    const toml::table parsed = toml::parse(ascii, file_);
    for (const auto& [name, node] : parsed) CIB_CHECK(section(std::string(name.str()), node));
    for (const Mode mode : site_.auto_modes)
      if (std::find(site_.modes.begin(), site_.modes.end(), mode) == site_.modes.end())
        return at(parsed.at_path("modes").node()->source(),
                  "modes.auto: " + std::string(mode_name(mode)) + ", allowed: the modes in modes.allow");
    if (site_.hand_to_nccl && site_.topology_xml.empty())
      return at(parsed.at_path("topology").node()->source(),
                "topology.hand_to_nccl: true, allowed: with topology.xml, which it is about");
    if (auto status = check_addresses(site_.addresses); !status) return std::move(status).error().in(file_);
    return site_;
  }

 private:
  Error at(const toml::source_region& where, const std::string& what) const {
    return error(Errc::bad_config, file_ + ":" + std::to_string(where.begin.line) + ": " + what);
  }
  Error not_allowed(const toml::node& node, const std::string& key, std::string_view allowed) const {
    return at(node.source(), key + ": " + shown(node) + ", allowed: " + std::string(allowed));
  }

  // toml++ 3.3 has undefined behaviour for some letters where it expects others, and no name of ours needs
  // any: in lines that are comments they become '?', elsewhere they are refused.
  Result<std::string> ascii_only(std::string_view text) const {
    std::string ascii(text);
    std::size_t line = 1;
    bool at_begin = true, comment = false;
    for (char& c : ascii) {
      if (at_begin && c != ' ' && c != '\t') {
        comment = c == '#';
        at_begin = false;
      }
      if (c == '\n') {
        ++line;
        at_begin = true;
        comment = false;
      }
      if (static_cast<unsigned char>(c) <= 0x7f) continue;
      if (!comment)
        return error(Errc::bad_config, file_ + ":" + std::to_string(line) +
                                           ": other than ASCII, allowed: only in lines that are comments");
      c = '?';
    }
    return ascii;
  }

  Status section(const std::string& name, const toml::node& node) {
    if (name == "nodes") return nodes(node);
    if (name == "fabrics") return fabrics(node);
    if (name == "environment") return environment(node);
    if (name == "defaults") return key_rules(name, node, site_.defaults);
    if (name == "force") return key_rules(name, node, site_.force);
    if (name == "state")  // slurmd's start and the epilog read no file of ours
      return at(node.source(),
                "state: not in this file, allowed: state=/PATH behind the plugin in plugstack.conf, and "
                "'container-ib ... --state PATH'");
    std::vector<std::string_view> sections, keys;
    for (const auto& entry : key_table) {
      if (entry.section == name) keys.push_back(entry.name);
      if (sections.empty() || sections.back() != entry.section) sections.push_back(entry.section);
    }
    if (keys.empty()) {
      sections.insert(sections.end(), other_sections.begin(), other_sections.end());
      return at(node.source(), printable(name) + ": unknown section, allowed: " + join(sections));
    }
    if (!node.is_table()) return not_allowed(node, name, "a section with " + join(keys));
    for (const auto& [key, value] : *node.as_table()) {
      const std::string full = name + "." + printable(key.str());
      const ConfigKey* entry = find_key(name, key.str());
      if (entry == nullptr) return at(value.source(), full + ": unknown key, allowed: " + join(keys));
      if (!entry->read(value, site_)) return not_allowed(value, full, entry->allowed);
    }
    return {};
  }

  Status key_rules(const std::string& section, const toml::node& node, std::vector<KeyRule>& rules) {
    if (!node.is_table()) return not_allowed(node, section, "a section with keys of --container-ib");
    for (const auto& [key, value] : *node.as_table()) {
      const std::string name(key.str());
      const auto text = as_option_text(name, value);
      if (!text) return not_allowed(value, section + "." + printable(name), "text, a number, true and false");
      Request scratch;
      if (const auto status = set_key(scratch, name, *text); !status)
        return at(value.source(), section + ": " + status.error().what);
      rules.push_back({name, *text});
    }
    return {};
  }

  Status nodes(const toml::node& node) {
    constexpr std::string_view allowed = "[[nodes]] entries with name and hca";
    const auto* entries = node.as_array();
    if (entries == nullptr) return not_allowed(node, "nodes", allowed);
    for (const auto& entry : *entries) {
      const auto* table = entry.as_table();
      if (table == nullptr) return not_allowed(entry, "nodes", allowed);
      NodeRule rule;
      bool hca_given = false;  // an empty list is a rule too: none of them
      for (const auto& [key, value] : *table) {
        const std::string full = "nodes." + printable(key.str());
        if (key.str() == "name") {
          CIB_CHECK(node_names(value, full, rule.name));
        } else if (key.str() == "hca") {
          hca_given = read_texts(value, rule.hca);
          CIB_CHECK(hcas(value, full, hca_given, rule.hca));
        } else {
          return at(value.source(), full + ": unknown key, allowed: name, hca");
        }
      }
      if (rule.name.empty() || !hca_given)
        return at(entry.source(), "nodes: an entry lacks a key, allowed: name and hca, both");
      warn_if_never(rule, entry);
      site_.nodes.push_back(std::move(rule));
      lines_of_nodes_.push_back(entry.source().begin.line);
    }
    return {};
  }

  Status hcas(const toml::node& node, const std::string& key, bool read,
              const std::vector<std::string>& texts) const {
    constexpr std::string_view allowed =
        "names or globs of devices, ports and network devices, PCI addresses and GUIDs, in a list or with + "
        "between; ^ excludes";
    if (!read) return not_allowed(node, key, allowed);
    for (const std::string& text : texts)
      if (!HcaSelection::parse(text))
        return at(node.source(),
                  key + ": \"" + printable(text) + "\" can match nothing, allowed: " + std::string(allowed));
    return {};
  }

  Status fabrics(const toml::node& node) {
    constexpr std::string_view allowed =
        "[[fabrics]] entries with name, nodes and some of prefix, sm_lid, hca";
    const auto* entries = node.as_array();
    if (entries == nullptr) return not_allowed(node, "fabrics", allowed);
    for (const auto& entry : *entries) {
      const auto* table = entry.as_table();
      if (table == nullptr) return not_allowed(entry, "fabrics", allowed);
      SiteFabric fabric;
      for (const auto& [key, value] : *table) CIB_CHECK(fabric_key(std::string(key.str()), value, fabric));
      if (fabric.name.empty() || fabric.nodes.empty() ||
          (!fabric.prefix && fabric.sm_lid == 0 && fabric.hca.empty()))
        return at(entry.source(), "fabrics: an entry lacks a key, allowed: " + std::string(allowed));
      for (const SiteFabric& other : site_.fabrics)
        if (other.name == fabric.name)
          return at(entry.source(), "fabrics.name: \"" + fabric.name + "\" is there twice, allowed: once");
      site_.fabrics.push_back(std::move(fabric));
    }
    return {};
  }

  Status fabric_key(const std::string& key, const toml::node& value, SiteFabric& fabric) const {
    const std::string full = "fabrics." + printable(key);
    if (key == "nodes") return node_names(value, full, fabric.nodes);
    if (key == "hca") return hcas(value, full, read_texts(value, fabric.hca), fabric.hca);
    if (key == "name") {
      Request scratch;  // what users can say of it
      const bool good = read_text(value, fabric.name) && set_key(scratch, "fabric", fabric.name) &&
                        fabric.name != "auto" && fabric.name != "all" && !parse_subnet(fabric.name);
      return good ? Status() : not_allowed(value, full, "letters, digits, _ and -, a letter first");
    }
    if (key == "prefix") {
      std::string text;
      if (read_text(value, text)) fabric.prefix = parse_subnet_prefix(text);
      return fabric.prefix ? Status()
                           : not_allowed(value, full, "a subnet prefix such as fe80:0000:0000:0001");
    }
    if (key == "sm_lid") {
      const auto lid = value.value_exact<std::int64_t>();
      if (!lid || *lid < 1 || *lid > 0xbfff) return not_allowed(value, full, "1 to 49151");
      fabric.sm_lid = static_cast<std::uint32_t>(*lid);
      return {};
    }
    return at(value.source(), full + ": unknown key, allowed: name, nodes, prefix, sm_lid, hca");
  }

  Status environment(const toml::node& node) {
    const std::string allowed =
        "at most " + std::to_string(most_environment_rules) + " [[environment]] entries";
    const auto* entries = node.as_array();
    if (entries == nullptr || entries->size() > most_environment_rules)
      return not_allowed(node, "environment", allowed);
    for (const auto& entry : *entries) {
      const auto* table = entry.as_table();
      if (table == nullptr) return not_allowed(entry, "environment", allowed);
      EnvironmentRule rule;
      for (const auto& [key, value] : *table) CIB_CHECK(rule_key(std::string(key.str()), value, rule));
      if (rule.set.empty())
        return at(entry.source(), "environment: an entry sets nothing, allowed: set = { NAME = \"value\" }");
      if (rule.min_rate_gbps && rule.max_rate_gbps && *rule.min_rate_gbps > *rule.max_rate_gbps)
        return at(entry.source(),
                  "environment: min_rate_gbps is above max_rate_gbps, so no port has such a rate");
      site_.environment.push_back(std::move(rule));
      if (names_of_site_variables(site_.environment).size() > most_site_variables)
        return at(entry.source(), "environment: more than " + std::to_string(most_site_variables) +
                                      " variables in all entries");
    }
    return {};
  }

  Status rule_key(const std::string& key, const toml::node& value, EnvironmentRule& rule) const {
    const std::string full = "environment." + printable(key);
    if (key == "nodes") return node_names(value, full, rule.nodes);
    if (key == "set") return variables(value, full, rule.set);
    for (const RuleKey& known : rule_keys) {
      if (known.name != key) continue;
      if (!known.read(value, rule)) return not_allowed(value, full, known.allowed);
      return {};
    }
    return at(value.source(), full + ": unknown key, allowed: " + std::string(rule_key_names));
  }

  Status variables(const toml::node& node, const std::string& key,
                   std::vector<EnvironmentChange>& variables) const {
    const auto* table = node.as_table();
    if (table == nullptr) return not_allowed(node, key, "a table such as { NCCL_IB_TC = \"41\" }");
    for (const auto& [name, value] : *table) {
      const auto text = as_variable(value);
      if (!text) return not_allowed(value, key + "." + printable(name.str()), "text and whole numbers");
      if (const auto status = check_site_variable(name.str(), *text); !status)
        return at(value.source(), key + "." + status.error().what);
      variables.push_back({std::string(name.str()), *text});
    }
    return {};
  }

  Status node_names(const toml::node& node, const std::string& key, std::vector<std::string>& names) const {
    if (!read_texts(node, names) || names.empty())
      return not_allowed(node, key, "Slurm host lists and globs, as in \"gpu[01-16]\" and \"gpu*\"");
    for (const std::string& text : names)
      if (const auto status = check_node_names(text); !status)
        return at(node.source(), key + ": " + status.error().what);
    return {};
  }

  // The first entry that matches counts.
  void warn_if_never(const NodeRule& rule, const toml::node& entry) {
    for (std::size_t i = 0; i < site_.nodes.size(); ++i) {
      const auto& earlier = site_.nodes[i].name;
      const auto again = [&](const std::string& text) {
        return std::find(earlier.begin(), earlier.end(), text) != earlier.end();
      };
      if (!names_every_node(earlier) && !std::all_of(rule.name.begin(), rule.name.end(), again)) continue;
      site_.warnings.push_back(at(entry.source(), "nodes: this entry is never used, since that of line " +
                                                      std::to_string(lines_of_nodes_[i]) +
                                                      " comes first and is for all of its nodes")
                                   .what);
      return;
    }
  }

  std::string file_;
  SiteConfig site_;
  std::vector<toml::source_index> lines_of_nodes_;
};

}  // namespace

std::vector<ConfigKeyName> config_keys() {
  std::vector<ConfigKeyName> names;
  for (const auto& entry : key_table) names.push_back({std::string(entry.section), std::string(entry.name)});
  for (const char* key : {"name", "hca"}) names.push_back({"[nodes]", key});
  for (const char* key : {"name", "nodes", "prefix", "sm_lid", "hca"}) names.push_back({"[fabrics]", key});
  for (const std::string_view key : split(rule_key_names, ','))
    names.push_back({"[environment]", std::string(key.substr(key.find_first_not_of(' ')))});
  return names;
}

Result<SiteConfig> parse_config(std::string_view text, const std::string& file) {
  try {
    return Parser(file).parse(text);
  } catch (const toml::parse_error& failure) {
    return error(Errc::bad_config, file + ":" + std::to_string(failure.source().begin.line) + ": " +
                                       printable(failure.description(), 160) + ", allowed: TOML 1.0");
  } catch (const std::exception& failure) {
    return error(Errc::bad_config, file + ": " + printable(failure.what(), 160));
  }
}

}  // namespace cib
