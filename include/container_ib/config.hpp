// The site's configuration (/etc/slurm/container-ib.conf, TOML) and what it makes of a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/request.hpp"
#include "container_ib/site_variables.hpp"
#include "container_ib/vf.hpp"

namespace cib {

// Which HCAs of the nodes that `name` names (node_names.hpp) are for MPI. The first matching entry counts.
struct NodeRule {
  std::vector<std::string> name;
  std::vector<std::string> hca;  // as HcaSelection reads them; a port is for MPI when it matches
};

// A fabric that the site has given a name. A port is of it when all that is said here is true of the port.
struct SiteFabric {
  std::string name;
  std::vector<std::string> nodes;  // that have it, as `name` of NodeRule
  std::optional<std::uint64_t> prefix;
  std::uint32_t sm_lid = 0;      // 0: any
  std::vector<std::string> hca;  // as HcaSelection reads them; empty: any
};

// Default, forced value or prohibition of one user key, kept as option text ("rails=2") until resolve()
// applies it.
struct KeyRule {
  std::string key;
  std::string value;
};

// What mode vf sets on a VF while a step has it. What is empty is left as it is.
struct VfPolicy {
  VfSettings settings;
  bool generate_guids = false;  // a VF without GUIDs gets some of its own; else it is not used
  bool shared_rdma =
      true;  // given out too where the RDMA subsystem is in shared mode, which isolates nothing
  // Of one node, at a time; 0: no limit.
  unsigned per_step = 0, per_user = 0;
};

// Where the addresses of the tasks' own interfaces come from; without a prefix they have none.
struct AddressPolicy {
  std::string pool;                // "10.40.0.0/16"
  std::vector<std::string> nodes;  // Slurm host lists: "n[0-511]"; a node's place decides what is its own
  unsigned per_node = 64;
};

// The addresses that nodes have on a network that overlays run over, one after the other.
struct OverlayNodes {
  std::vector<std::string> nodes;  // Slurm host lists, in the order of the addresses
  std::string first;               // of the first node: "10.20.0.1/16"
};

// What mode macvlan's interfaces lie on, and whether they reach each other on a node.
struct MacvlanPolicy {
  std::string parent;     // a network device of every node, beside which HCAs are as in mode verbs; empty: a
                          // RoCE port's own
  bool isolated = false;  // "private" instead of "bridge"
};

struct SiteConfig {
  std::vector<std::string> drivers = {"mlx5_core", "mlx4_core"};  // whose devices count
  double min_rate_fraction = 0.5;                                 // of the node's best eligible rate
  std::vector<Mode> modes = {Mode::verbs};                        // allowed
  std::vector<Mode> auto_modes = {Mode::verbs};                   // what auto tries, in this order
  std::vector<KeyRule> defaults;                                  // [defaults]
  std::vector<KeyRule> force;                                     // [force]
  std::vector<std::string> forbid;                                // keys that users may not give
  bool allow_umad = false;                                        // whether a user may say umad=yes
  bool allow_inject = false;                                      // and inject=providers
  std::vector<std::uint16_t> pkeys;                               // P_Keys that users may ask for
  std::vector<NodeRule> nodes;                                    // empty: every HCA of every node
  std::vector<SiteFabric> fabrics;           // the first that a step's nodes share counts
  std::vector<EnvironmentRule> environment;  // [[environment]], in the file's order
  VfPolicy vf;
  AddressPolicy addresses;
  std::vector<OverlayNodes> overlay;  // the first network that a step's nodes share counts
  MacvlanPolicy macvlan;
  // Root's processes by these names use ports beside steps without voiding their verdicts.
  std::vector<std::string> daemons = {"mmfsd", "ibacm"};
  bool ipoib_connected = false;                // connected mode instead of datagram
  unsigned carrier_timeout_s = 10;             // for a new interface to be running
  std::optional<std::uint64_t> memlock_bytes;  // cap of the raise; empty: unlimited
  bool raise_memlock = true;
  unsigned rendezvous_timeout_s = 30;  // for all tasks of a node to report
  std::string topology_xml;            // administrator's override (VMs); empty: discover
  unsigned topology_xml_line = 0;      // where the file says so, for messages
  bool hand_to_nccl = false;           // tasks are told of topology_xml, which is NCCL's then

  // What is no error but hardly meant, a line each with file and line. No step is told.
  std::vector<std::string> warnings;
};

// Strict: an unknown key, a wrong type or a bad value gives an error of code bad_config whose text names
// file, line, key and what is allowed. `file` is only for messages.
Result<SiteConfig> parse_config(std::string_view text, const std::string& file);

// Every key that the file may have, for documentation and its tests; the keys of [defaults] and [force] are
// request_keys().
struct ConfigKeyName {
  std::string section, key;
};
std::vector<ConfigKeyName> config_keys();

// A request with every key decided: user's value, else the site's default, else the built-in default.
struct Settings {
  Mode mode = Mode::verbs;  // never auto
  bool require = false;
  unsigned rails = 0;  // 0: auto; all_rails
  std::string hca = "*";
  Place place = Place::balanced;
  std::string fabric = "auto";
  Roce roce = Roce::no;
  Gpus gpu = Gpus::auto_;
  Scope scope = Scope::auto_;
  std::optional<std::uint16_t> pkey;  // empty: the port's index 0
  std::optional<unsigned> mtu;        // empty: the parent's
  std::vector<std::string> env = {"auto"};
  ReportLevel report = ReportLevel::off;
  bool umad = false;
  Inject inject = Inject::no;
  bool batch = false;
  unsigned wait_s = 0;
  Folder folder = Folder::auto_;
};

// Whether the site has the mode in modes.allow.
bool is_allowed(Mode mode, const SiteConfig& site);

enum class AskedBy { user, site };

// Applies the site's policy. Errors are bad_request (a forbidden or not allowed value, named, with what is
// allowed); what users may not give the site may.
Result<Settings> resolve(const Request& request, const SiteConfig& site, AskedBy by = AskedBy::user);

// One line for each value of the user's that the site's [force] replaces by another one.
std::vector<std::string> forced_over(const Request& request, const SiteConfig& site);

}  // namespace cib
