#include <algorithm>
#include <array>
#include <exception>

#include "container_ib/address_pool.hpp"
#include "container_ib/config.hpp"
#include "container_ib/text.hpp"
#include "entries.hpp"
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

// As dev_valid_name() in net/core/dev.c has it.
bool is_netdev_name(const std::string& name) {
  return name.size() < 16 && name != "." && name != ".." && name.find_first_of("/: \t") == std::string::npos;
}

bool read_macvlan_parent(const toml::node& node, SiteConfig& site) {
  return node.value_exact<std::string>() == "" ||
         (read_text(node, site.macvlan.parent) && is_netdev_name(site.macvlan.parent));
}

bool read_macvlan_mode(const toml::node& node, SiteConfig& site) {
  std::string text;
  if (!read_text(node, text) || (text != "bridge" && text != "private")) return false;
  site.macvlan.isolated = text == "private";
  return true;
}

bool read_pool(const toml::node& node, SiteConfig& site) {
  return node.value_exact<std::string>() == "" || read_text(node, site.addresses.pool);
}

bool read_address_nodes(const toml::node& node, SiteConfig& site) {
  return read_texts(node, site.addresses.nodes);
}

bool read_per_node(const toml::node& node, SiteConfig& site) {
  unsigned value = 0;
  if (!read_number(node, value) || value < 1 || value > 4096) return false;
  site.addresses.per_node = value;
  return true;
}

constexpr std::string_view modes_allowed = "a list of verbs, vf, ipoib, macvlan, overlay, device, ovs";

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
    ConfigKey{"macvlan", "parent", "the name of a network device, or \"\"", read_macvlan_parent},
    ConfigKey{"macvlan", "mode", "\"bridge\" and \"private\"", read_macvlan_mode},
    ConfigKey{"addresses", "pool", "an IPv4 prefix, or \"\"", read_pool},
    ConfigKey{"addresses", "nodes", "a list of Slurm host lists", read_address_nodes},
    ConfigKey{"addresses", "per_node", "1 to 4096", read_per_node},
    ConfigKey{"verdict", "daemons", "a list of names of processes, as in /proc/PID/comm",
              into<&SiteConfig::daemons, read_texts>},
    ConfigKey{"memlock", "raise", "true and false", into<&SiteConfig::raise_memlock, read_bool>},
    ConfigKey{"memlock", "cap", "\"unlimited\" and a number of bytes, which may end in k, M or G",
              into<&SiteConfig::memlock_bytes, read_bytes>},
    ConfigKey{"timeouts", "rendezvous_s", "1 to 3600", into<&SiteConfig::rendezvous_timeout_s, read_seconds>},
    ConfigKey{"timeouts", "carrier_s", "1 to 3600", into<&SiteConfig::carrier_timeout_s, read_seconds>},
    ConfigKey{"topology", "xml", "an absolute path, or \"\"", read_topology},
    ConfigKey{"topology", "hand_to_nccl", "true and false", into<&SiteConfig::hand_to_nccl, read_bool>},
};

const ConfigKey* find_key(std::string_view section, std::string_view name) {
  for (const auto& entry : key_table)
    if (entry.section == section && entry.name == name) return &entry;
  return nullptr;
}

class Parser {
 public:
  explicit Parser(const FileErrors& errors) : errors_(errors) {}

  Result<SiteConfig> parse(std::string_view text) {
    CIB_TRY(const std::string ascii, ascii_only(text));
    const toml::table parsed = toml::parse(ascii, errors_.file());
    for (const auto& [name, node] : parsed) CIB_CHECK(section(std::string(name.str()), node));
    for (const Mode mode : site_.auto_modes)
      if (std::find(site_.modes.begin(), site_.modes.end(), mode) == site_.modes.end())
        return errors_.at(
            parsed.at_path("modes").node()->source(),
            "modes.auto: " + std::string(mode_name(mode)) + ", allowed: the modes in modes.allow");
    if (site_.hand_to_nccl && site_.topology_xml.empty())
      return errors_.at(parsed.at_path("topology").node()->source(),
                        "topology.hand_to_nccl: true, allowed: with topology.xml, which it is about");
    if (auto status = check_addresses(site_.addresses); !status)
      return std::move(status).error().in(errors_.file());
    return site_;
  }

 private:
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
        return error(Errc::bad_config, errors_.file() + ":" + std::to_string(line) +
                                           ": other than ASCII, allowed: only in lines that are comments");
      c = '?';
    }
    return ascii;
  }

  Status section(const std::string& name, const toml::node& node) {
    for (const EntrySection& entries : entry_sections())
      if (entries.name == name) return entries.read(node, errors_, site_);
    if (name == "defaults") return key_rules(name, node, site_.defaults);
    if (name == "force") return key_rules(name, node, site_.force);
    if (name == "state")  // slurmd's start and the epilog read no file of ours
      return errors_.at(
          node.source(),
          "state: not in this file, allowed: state=/PATH behind the plugin in plugstack.conf, and "
          "'container-ib ... --state PATH'");
    std::vector<std::string_view> sections, keys;
    for (const auto& entry : key_table) {
      if (entry.section == name) keys.push_back(entry.name);
      if (sections.empty() || sections.back() != entry.section) sections.push_back(entry.section);
    }
    if (keys.empty()) {
      sections.insert(sections.end(), {"defaults", "force"});
      for (const EntrySection& entries : entry_sections()) sections.push_back(entries.name);
      return errors_.at(node.source(), printable(name) + ": unknown section, " +
                                           did_you_mean(name, sections) + "allowed: " + join(sections));
    }
    if (!node.is_table()) return errors_.not_allowed(node, name, "a section with " + join(keys));
    for (const auto& [key, value] : *node.as_table()) {
      const std::string full = name + "." + printable(key.str());
      const ConfigKey* entry = find_key(name, key.str());
      if (entry == nullptr)
        return errors_.at(value.source(), full + ": unknown key, " + did_you_mean(key.str(), keys) +
                                              "allowed: " + join(keys));
      if (!entry->read(value, site_)) return errors_.not_allowed(value, full, entry->allowed);
    }
    return {};
  }

  Status key_rules(const std::string& section, const toml::node& node, std::vector<KeyRule>& rules) {
    if (!node.is_table()) return errors_.not_allowed(node, section, "a section with keys of --container-ib");
    for (const auto& [key, value] : *node.as_table()) {
      const std::string name(key.str());
      const auto text = as_option_text(name, value);
      if (!text)
        return errors_.not_allowed(value, section + "." + printable(name), "text, a number, true and false");
      Request scratch;
      if (const auto status = set_key(scratch, name, *text); !status)
        return errors_.at(value.source(), section + ": " + status.error().what);
      rules.push_back({name, *text});
    }
    return {};
  }

  const FileErrors& errors_;
  SiteConfig site_;
};

}  // namespace

std::vector<ConfigKeyName> config_keys() {
  std::vector<ConfigKeyName> names;
  for (const auto& entry : key_table) names.push_back({std::string(entry.section), std::string(entry.name)});
  for (const EntrySection& entries : entry_sections())
    for (const std::string_view key : split(entries.keys, ','))
      names.push_back(
          {'[' + std::string(entries.name) + ']', std::string(key.substr(key.find_first_not_of(' ')))});
  return names;
}

Result<SiteConfig> parse_config(std::string_view text, const std::string& file) {
  try {
    return Parser(FileErrors(file)).parse(text);
  } catch (const toml::parse_error& failure) {
    return error(Errc::bad_config, file + ":" + std::to_string(failure.source().begin.line) + ": " +
                                       printable(failure.description(), 160) + ", allowed: TOML 1.0");
  } catch (const std::exception& failure) {
    return error(Errc::bad_config, file + ": " + printable(failure.what(), 160));
  }
}

}  // namespace cib
