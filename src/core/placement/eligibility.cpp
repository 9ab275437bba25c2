#include "eligibility.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "container_ib/hca_selection.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// More connectors than any node has; keeps nonsense input from making the solver slow.
constexpr std::size_t max_connectors = 256;

// IBTA 4.1.3: unicast LIDs are 0x0001 to 0xbfff.
constexpr std::uint32_t max_unicast_lid = 0xbfff;

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

// What the options say, read once for all ports.
struct Wanted {
  explicit Wanted(const PlacementOptions& given)
      : options(given),
        of_site(HcaSelection::parse(given.site_hca).value_or(HcaSelection())),
        of_user(HcaSelection::parse(given.hca).value_or(HcaSelection())) {
    if (given.site_fabric && !given.site_fabric->hca.empty())
      of_fabric = HcaSelection::parse(given.site_fabric->hca);
  }

  const PlacementOptions& options;
  HcaSelection of_site, of_user;
  std::optional<HcaSelection> of_fabric;            // none: all
  std::map<std::string, std::string> parents = {};  // of sub-devices
};

// Devices for management on the PCI function of an HCA that have its GUID: Linux makes one of type SMI for
// each plane of a multiplane HCA (mlx5_ib_add_sub_dev in mlx5/main.c), and its ports carry no data. They are
// told from the HCA by having more ports, or slower ones.
std::map<std::string, std::string> sub_devices(const std::vector<Port>& ports) {
  struct Device {
    std::string name;
    std::size_t ports = 0;
    double rate = 0;
  };
  std::map<std::pair<PciAddress, std::uint64_t>, std::vector<Device>> functions;
  for (const Port& port : ports) {
    if (!port.pci || port.node_guid == 0) continue;
    auto& devices = functions[{*port.pci, port.node_guid}];
    auto device = std::find_if(devices.begin(), devices.end(),
                               [&](const Device& one) { return one.name == port.device; });
    if (device == devices.end()) device = devices.insert(devices.end(), {port.device});
    ++device->ports;
    device->rate = std::max(device->rate, usable_rate(port));
  }
  std::map<std::string, std::string> parents;
  for (auto& [function, devices] : functions) {
    const auto is_above = [](const Device& a, const Device& b) {
      return a.ports != b.ports ? a.ports < b.ports : a.rate > b.rate;
    };
    const auto parent = std::min_element(devices.begin(), devices.end(), is_above);
    for (const Device& device : devices)
      if (is_above(*parent, device)) parents.emplace(device.name, parent->name);
  }
  return parents;
}

// ---- one port by itself; each test answers a reason or nothing
// ---------------------------------------------

// The name goes into lists in the environment, where a comma or a blank would begin another entry.
std::string name_reason(const Port& port, const Wanted&) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  constexpr std::size_t max_name = 63;  // IB_DEVICE_NAME_MAX - 1, Linux rdma_user_ioctl
  const bool good = !port.device.empty() && port.device.size() <= max_name &&
                    port.device.find_first_not_of(allowed) == std::string::npos;
  return good ? "" : "not the name of an RDMA device";
}

std::string driver_reason(const Port& port, const Wanted& wanted) {
  const auto& options = wanted.options;
  if (options.drivers.empty()) return {};
  if (std::find(options.drivers.begin(), options.drivers.end(), port.driver) != options.drivers.end())
    return {};
  const std::string driver = port.driver.empty() ? "unknown driver" : "driver " + port.driver;
  return driver + ", allowed are " + join(options.drivers);
}

std::string sub_device_reason(const Port& port, const Wanted& wanted) {
  const auto parent = wanted.parents.find(port.device);
  return parent == wanted.parents.end()
             ? ""
             : "a sub-device of " + parent->second + " for its management (SMI), not for data";
}

std::string site_reason(const Port& port, const Wanted& wanted) {
  if (wanted.of_site.matches(port)) return {};
  const auto& texts = wanted.options.site_hca;
  return texts.empty() ? "the site has no HCA for MPI on this node"
                       : "not for MPI at this site, which are " + join(texts);
}

std::string user_reason(const Port& port, const Wanted& wanted) {
  return wanted.of_user.matches(port) ? "" : "does not match hca=" + wanted.options.hca;
}

std::string container_reason(const Port& port, const Wanted& wanted) {
  if (!wanted.options.shown) return {};
  const auto& shown = *wanted.options.shown;
  return std::find(shown.begin(), shown.end(), port.device) != shown.end()
             ? ""
             : "not in the container's /sys/class/infiniband";
}

std::string state_reason(const Port& port, const Wanted&) {
  if (port.state == PortState::init && port.phys_state != PhysState::polling)
    return "state INIT: no subnet manager has configured it";
  if (port.state != PortState::active) return "state " + std::string(port_state_name(port.state));
  if (port.phys_state == PhysState::unknown || port.phys_state == PhysState::link_up) return {};
  return "physical state " + std::string(phys_state_name(port.phys_state));
}

// EFA has no LIDs: its addresses are the device's own GID and queue pair number (efa_verbs.c).
std::string link_reason(const Port& port, const Wanted& wanted) {
  const Roce roce = wanted.options.roce;
  switch (kind_of(port)) {
    case Fabric::Kind::ethernet:
      return roce == Roce::no ? "Ethernet; roce=yes would allow it" : "";
    case Fabric::Kind::efa:
      return {};
    case Fabric::Kind::infiniband:
      break;
  }
  if (port.link_layer != LinkLayer::infiniband) return "link layer unknown";
  if (roce == Roce::only) return "InfiniBand, and roce=only";
  if (port.lid >= 1 && port.lid <= max_unicast_lid) return {};
  return "LID " + std::to_string(port.lid) + " is not one that a subnet manager gives";
}

std::string address_reason(const Port& port, const Wanted&) {
  if (!port.without_gid) return {};
  return port.link_layer == LinkLayer::ethernet ? "no GID: its network device has no address or is down"
                                                : "no GID: its port has no GUID";
}

// What a port has that proves it to be outside of a subnet; empty when nothing does. `prefix` and `sm_lid`:
// of the subnet, where they are known.
std::string other_subnet(const Port& port, std::optional<std::uint64_t> prefix, std::uint32_t sm_lid) {
  if (kind_of(port) != Fabric::Kind::infiniband) return std::string(kind_name(kind_of(port)));
  if (prefix && port.subnet_prefix && *port.subnet_prefix != *prefix)
    return "subnet prefix " + subnet_prefix_text(*port.subnet_prefix);
  if (sm_lid != 0 && port.sm_lid != 0 && port.sm_lid != sm_lid)
    return "subnet manager at LID " + std::to_string(port.sm_lid);
  return {};
}

std::string fabric_reason(const Port& port, const Wanted& wanted) {
  const auto& fabric = wanted.options.site_fabric;
  if (!fabric) return {};
  std::string what;
  if (wanted.of_fabric && !wanted.of_fabric->matches(port))
    what = "among its HCAs are " + join(fabric->hca);
  else if (fabric->prefix || fabric->sm_lid != 0)
    what = other_subnet(port, fabric->prefix, fabric->sm_lid);
  return what.empty() ? what : what + ", not of fabric " + fabric->name;
}

std::string pkey_reason(const Port& port, const Wanted& wanted) {
  const auto pkey = wanted.options.pkey;
  if (!pkey || port.pkeys.empty() || kind_of(port) == Fabric::Kind::efa || pkey_index(port, *pkey)) return {};
  return "its P_Key table lacks " + pkey_text(*pkey);
}

// Of a step in mode device.
std::string claimed_reason(const Port& port, const Wanted& wanted) {
  const auto& claimed = wanted.options.claimed;
  return !port.physfn && port.pci && claimed.contains(*port.pci)
             ? claimed.at(*port.pci) + " has the whole device"
             : "";
}

// Whoever has it or will have it, it is not to be shared, unless somebody means this one. In a virtual
// machine that was given one nothing shows that it is one, and it is an HCA like any other.
std::string virtual_reason(const Port& port, const Wanted& wanted) {
  if (!port.physfn) return {};
  const auto& claimed = wanted.options.claimed;
  if (port.pci && claimed.contains(*port.pci)) return "a VF that " + claimed.at(*port.pci) + " has";
  if (wanted.options.free_vfs) return "a VF; only mode vf hands it out, by its PF";
  return wanted.of_user.names(port) || wanted.of_site.names(port)
             ? ""
             : "a VF; only mode vf hands it out, unless hca= names it";
}

std::string no_vf_reason(const Port& port, const Wanted& wanted) {
  const auto& options = wanted.options;
  if (!options.free_vfs) return {};
  const auto free = port.pci ? options.free_vfs->find(*port.pci) : options.free_vfs->end();
  if (free != options.free_vfs->end() && free->second > 0) return {};
  const auto why = port.pci ? options.why_no_vf.find(*port.pci) : options.why_no_vf.end();
  if (options.whole_devices) return why != options.why_no_vf.end() ? why->second : "another step has it";
  return why != options.why_no_vf.end() ? "no VF: " + why->second : "no free VF";
}

constexpr std::array tests_of_one_port = {name_reason,   sub_device_reason, claimed_reason, virtual_reason,
                                          driver_reason, site_reason,       user_reason,    container_reason,
                                          state_reason,  link_reason,       address_reason, fabric_reason,
                                          pkey_reason,   no_vf_reason};

std::string reason_against(const Port& port, const Wanted& wanted) {
  for (const auto test : tests_of_one_port)
    if (std::string reason = test(port, wanted); !reason.empty()) return reason;
  return {};
}

// ---- ports against each other
// ------------------------------------------------------------------------------

class Candidates {
 public:
  Candidates(const std::vector<Port>& ports, const std::vector<std::string>& physical)
      : ports_(ports), physical_(physical), answer_{{}, std::vector<std::string>(ports.size()), {}, {}} {}

  void test_each(const PlacementOptions& options) {
    Wanted wanted(options);
    wanted.parents = sub_devices(ports_);
    std::set<std::string> names;
    for (const Port& port : ports_) {
      auto& reason = answer_.reasons.emplace_back(reason_against(port, wanted));
      if (reason.empty() && !names.insert(port.name()).second) reason = "another device has the same name";
    }
  }

  // A port that has come up slower than what it is built for still works, and nobody notices.
  void compare_siblings() {
    std::map<std::pair<Fabric::Kind, std::string>, double> best;
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (is_candidate(i) && !ports_[i].model.empty())
        best[model_of(i)] = std::max(best[model_of(i)], usable_rate(ports_[i]));
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      const double rate = usable_rate(ports_[i]);
      if (!is_candidate(i) || ports_[i].model.empty() || rate == 0 || rate >= best[model_of(i)]) continue;
      answer_.remarks[i] = "slower than its siblings: " + number(rate) + " Gb/s, others of its model (" +
                           ports_[i].model + ") " + number(best[model_of(i)]);
      answer_.notes.push_back(ports_[i].name() + " is " + answer_.remarks[i] + "; its cable or switch port?");
    }
  }

  void use_ethernet_last(Roce roce) {
    if (roce != Roce::fallback) return;
    bool infiniband = false;
    for (std::size_t i = 0; i < ports_.size(); ++i)
      infiniband = infiniband || (is_candidate(i) && kind(i) == Fabric::Kind::infiniband);
    reject([&](std::size_t i) {
      return infiniband && kind(i) == Fabric::Kind::ethernet
                 ? "Ethernet, and roce=fallback while there is InfiniBand"
                 : "";
    });
  }

  // Among ports of one kind: a rate of Ethernet says nothing about InfiniBand's.
  void leave_out_slow(double fraction) {
    std::map<Fabric::Kind, double> best;
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (is_candidate(i)) best[kind(i)] = std::max(best[kind(i)], usable_rate(ports_[i]));
    reject([&](std::size_t i) {
      const double rate = usable_rate(ports_[i]);
      if (rate == 0 || rate >= fraction * best[kind(i)]) return std::string();
      return number(rate) + " Gb/s is below " + number(fraction) + " of this node's best " +
             number(best[kind(i)]) + (answer_.remarks[i].empty() ? "" : "; " + answer_.remarks[i]);
    });
  }

  // Ports of different subnets cannot reach each other, so all tasks must use the same ones. Ethernet stands
  // beside them: it is added to InfiniBand, and never taken instead.
  void keep_fabric(const PlacementOptions& options) {
    std::vector<bool> counts;
    for (std::size_t i = 0; i < ports_.size(); ++i) counts.push_back(is_candidate(i));
    answer_.fabrics = fabrics_of(ports_, physical_, counts);
    if (options.fabric == "all") return;
    keep_wanted(options.fabric);
    keep_largest();
    for (Fabric& fabric : answer_.fabrics) fabric = {fabric.kind};
  }

  void limit_count() {
    std::set<std::string> kept;
    reject([&](std::size_t i) {
      if (kept.contains(physical_[i])) return std::string();
      if (kept.size() == max_connectors)
        return "more than " + std::to_string(max_connectors) + " ports on one node";
      kept.insert(physical_[i]);
      return std::string();
    });
  }

  Eligibility answer() && { return std::move(answer_); }

 private:
  bool is_candidate(std::size_t i) const { return answer_.reasons[i].empty(); }
  Fabric::Kind kind(std::size_t i) const { return kind_of(ports_[i]); }
  std::pair<Fabric::Kind, std::string> model_of(std::size_t i) const { return {kind(i), ports_[i].model}; }

  template <class Test>
  void reject(Test test) {
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (is_candidate(i)) answer_.reasons[i] = test(i);
  }

  void keep_wanted(const std::string& wanted) {
    const auto subnet = parse_subnet(wanted);
    if (!subnet) return;
    reject([&](std::size_t i) -> std::string {
      if (const std::string what = other_subnet(ports_[i], subnet->prefix, subnet->sm_lid); !what.empty())
        return what + ", the step uses " + wanted;
      // One that does not know its own is taken to be there.
      answer_.fabrics[i].prefix = subnet->prefix;
      if (subnet->sm_lid != 0) answer_.fabrics[i].sm_lid = subnet->sm_lid;
      return {};
    });
  }

  void keep_largest() {
    const auto subnets = connectors_by_subnet();
    if (subnets.size() < 2) return;
    const Fabric best = largest(subnets);
    const std::string name = subnet_text({best.prefix, best.sm_lid});
    reject([&](std::size_t i) -> std::string {
      const Fabric& fabric = answer_.fabrics[i];
      if (fabric.kind != Fabric::Kind::infiniband || fabric == best) return {};
      if (fabric.prefix == best.prefix && fabric.sm_lid == best.sm_lid)
        return "another subnet than the step's: " + owner_of_lid(i, best) + " has LID " +
               std::to_string(ports_[i].lid) + " too";
      if (fabric.prefix == best.prefix)
        return "in the subnet of the manager at LID " + std::to_string(fabric.sm_lid) +
               ", the step uses that of LID " + std::to_string(best.sm_lid);
      return fabric_text(fabric) + ", the step uses " + name;
    });
    note_proof(subnets, best);
  }

  using Subnets = std::map<Fabric, std::map<std::string, double>>;  // rates of the connectors

  Subnets connectors_by_subnet() const {
    Subnets subnets;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      if (!is_candidate(i) || kind(i) != Fabric::Kind::infiniband) continue;
      double& rate = subnets[answer_.fabrics[i]][physical_[i]];
      rate = std::max({rate, usable_rate(ports_[i]), 1.0});  // an unknown rate still counts as a port
    }
    return subnets;
  }

  // By the sum of the connectors' rates; the lowest prefix among equals.
  static Fabric largest(const Subnets& subnets) {
    Fabric best;
    double best_sum = 0;
    for (const auto& [fabric, rates] : subnets) {
      double sum = 0;
      for (const auto& [name, rate] : rates) sum += rate;
      if (sum > best_sum) {
        best = fabric;
        best_sum = sum;
      }
    }
    return best;
  }

  std::string owner_of_lid(std::size_t of, const Fabric& fabric) const {
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (is_candidate(i) && answer_.fabrics[i] == fabric && ports_[i].lid == ports_[of].lid)
        return ports_[i].name();
    return "a port of that";
  }

  // Who has given his subnets prefixes knows of them; that there are two with one prefix is news.
  void note_proof(const Subnets& subnets, const Fabric& best) {
    const auto same_prefix = std::count_if(subnets.begin(), subnets.end(), [&](const auto& subnet) {
      return subnet.first.prefix == best.prefix;
    });
    if (same_prefix < 2) return;
    answer_.notes.push_back(
        std::to_string(same_prefix) + " InfiniBand subnets have the prefix " +
        subnet_prefix_text(best.prefix) + " here, as their LIDs and subnet managers prove; tasks use " +
        (best.sm_lid != 0 ? "that of the manager at LID " + std::to_string(best.sm_lid) : "the larger one") +
        ", fabric=all would give each a port in every one");
  }

  const std::vector<Port>& ports_;
  const std::vector<std::string>& physical_;
  Eligibility answer_;
};

}  // namespace

double usable_rate(const Port& port) {
  return std::isfinite(port.rate_gbps) && port.rate_gbps >= 1 && port.rate_gbps <= 1e5 ? port.rate_gbps : 0;
}

bool may_serve(const Port& port, const PlacementOptions& options) {
  return reason_against(port, Wanted(options)).empty();
}

Eligibility judge_ports(const std::vector<Port>& ports, const std::vector<std::string>& physical,
                        const PlacementOptions& options) {
  Candidates candidates(ports, physical);
  candidates.test_each(options);
  candidates.compare_siblings();
  candidates.use_ethernet_last(options.roce);
  candidates.leave_out_slow(options.min_rate_fraction);
  candidates.keep_fabric(options);
  candidates.limit_count();
  return std::move(candidates).answer();
}

}  // namespace cib
