#include "eligibility.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

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

bool matches_any(const std::vector<std::string>& globs, const Port& port) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return glob_match(glob, port.device) || glob_match(glob, port.name());
  });
}

// ---- one port by itself; each test answers a reason or nothing
// ---------------------------------------------

// The name goes into lists in the environment, where a comma or a blank would begin another entry.
std::string name_reason(const Port& port, const PlacementOptions&) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  constexpr std::size_t max_name = 63;  // IB_DEVICE_NAME_MAX - 1, Linux rdma_user_ioctl
  const bool good = !port.device.empty() && port.device.size() <= max_name &&
                    port.device.find_first_not_of(allowed) == std::string::npos;
  return good ? "" : "not the name of an RDMA device";
}

std::string driver_reason(const Port& port, const PlacementOptions& options) {
  if (options.drivers.empty()) return {};
  if (std::find(options.drivers.begin(), options.drivers.end(), port.driver) != options.drivers.end())
    return {};
  const std::string driver = port.driver.empty() ? "unknown driver" : "driver " + port.driver;
  return driver + ", allowed are " + join(options.drivers);
}

std::string site_reason(const Port& port, const PlacementOptions& options) {
  if (matches_any(options.site_hca, port)) return {};
  return options.site_hca.empty() ? "the site has no HCA for MPI on this node"
                                  : "not for MPI at this site, which are " + join(options.site_hca);
}

std::string user_reason(const Port& port, const PlacementOptions& options) {
  return matches_any({options.hca}, port) ? "" : "does not match hca=" + options.hca;
}

std::string container_reason(const Port& port, const PlacementOptions& options) {
  if (!options.shown) return {};
  const auto& shown = *options.shown;
  return std::find(shown.begin(), shown.end(), port.device) != shown.end()
             ? ""
             : "not in the container's /sys/class/infiniband";
}

std::string state_reason(const Port& port, const PlacementOptions&) {
  if (port.state == PortState::init && port.phys_state != PhysState::polling)
    return "state INIT: no subnet manager has configured it";
  if (port.state != PortState::active) return "state " + std::string(port_state_name(port.state));
  if (port.phys_state == PhysState::unknown || port.phys_state == PhysState::link_up) return {};
  return "physical state " + std::string(phys_state_name(port.phys_state));
}

std::string link_reason(const Port& port, const PlacementOptions& options) {
  if (port.link_layer == LinkLayer::ethernet) return options.roce ? "" : "Ethernet; roce=yes would allow it";
  if (port.link_layer != LinkLayer::infiniband) return "link layer unknown";
  if (port.lid >= 1 && port.lid <= max_unicast_lid) return {};
  return "LID " + std::to_string(port.lid) + " is not one that a subnet manager gives";
}

// Whoever has it or will have it, it is not to be shared. In a virtual machine that was given one nothing
// shows that it is one, and it is an HCA like any other.
std::string virtual_reason(const Port& port, const PlacementOptions&) {
  return port.physfn ? "a VF; only mode vf hands it out, by its PF" : "";
}

std::string no_vf_reason(const Port& port, const PlacementOptions& options) {
  if (!options.free_vfs) return {};
  const auto free = port.pci ? options.free_vfs->find(*port.pci) : options.free_vfs->end();
  if (free != options.free_vfs->end() && free->second > 0) return {};
  const auto why = port.pci ? options.why_no_vf.find(*port.pci) : options.why_no_vf.end();
  return why != options.why_no_vf.end() ? "no VF: " + why->second : "no free VF";
}

constexpr std::array tests_of_one_port = {name_reason,  virtual_reason, driver_reason,
                                          site_reason,  user_reason,    container_reason,
                                          state_reason, link_reason,    no_vf_reason};

std::string reason_against(const Port& port, const PlacementOptions& options) {
  for (const auto test : tests_of_one_port)
    if (std::string reason = test(port, options); !reason.empty()) return reason;
  return {};
}

// ---- ports against each other
// ------------------------------------------------------------------------------

class Candidates {
 public:
  Candidates(const std::vector<Port>& ports, const std::vector<std::string>& physical)
      : ports_(ports), physical_(physical), reasons_(ports.size()) {}

  void test_each(const PlacementOptions& options) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      reasons_[i] = reason_against(ports_[i], options);
      if (reasons_[i].empty() && !names.insert(ports_[i].name()).second)
        reasons_[i] = "another device has the same name";
    }
  }

  void leave_out_slow(double fraction) {
    double best = 0;
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (reasons_[i].empty()) best = std::max(best, usable_rate(ports_[i]));
    reject([&](std::size_t i) {
      const double rate = usable_rate(ports_[i]);
      if (rate == 0 || rate >= fraction * best) return std::string();
      return number(rate) + " Gb/s is below " + number(fraction) + " of this node's best " + number(best);
    });
  }

  // Ports of different fabrics cannot reach each other, so all tasks must use the same ones.
  void keep_fabric(const std::string& wanted) {
    if (wanted == "all") return;
    const auto prefix = parse_subnet_prefix(wanted);
    const Fabric best = prefix ? Fabric{false, *prefix} : largest_fabric();
    const std::string name = best.ethernet ? "Ethernet" : subnet_prefix_text(best.prefix);
    reject([&](std::size_t i) {
      const Fabric fabric = fabric_of(ports_[i]);
      if (fabric == best || (prefix && !fabric.ethernet && !ports_[i].subnet_prefix)) return std::string();
      return (fabric.ethernet ? "Ethernet" : "subnet prefix " + subnet_prefix_text(fabric.prefix)) +
             ", the step uses " + name;
    });
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

  std::vector<std::string> reasons() && { return std::move(reasons_); }

 private:
  template <class Test>
  void reject(Test test) {
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (reasons_[i].empty()) reasons_[i] = test(i);
  }

  // By the sum of the connectors' rates; the lowest prefix among equals.
  Fabric largest_fabric() const {
    std::map<Fabric, std::map<std::string, double>> connectors;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      if (!reasons_[i].empty()) continue;
      double& rate = connectors[fabric_of(ports_[i])][physical_[i]];
      rate = std::max({rate, usable_rate(ports_[i]), 1.0});  // an unknown rate still counts as a port
    }
    Fabric best;
    double best_sum = 0;
    for (const auto& [fabric, rates] : connectors) {
      double sum = 0;
      for (const auto& [name, rate] : rates) sum += rate;
      if (sum > best_sum) {
        best = fabric;
        best_sum = sum;
      }
    }
    return best;
  }

  const std::vector<Port>& ports_;
  const std::vector<std::string>& physical_;
  std::vector<std::string> reasons_;
};

}  // namespace

Fabric fabric_of(const Port& port) {
  if (port.link_layer == LinkLayer::ethernet) return {true, 0};
  return {false, port.subnet_prefix.value_or(0xfe80000000000000)};  // IBTA's default prefix
}

double usable_rate(const Port& port) {
  return std::isfinite(port.rate_gbps) && port.rate_gbps >= 1 && port.rate_gbps <= 1e5 ? port.rate_gbps : 0;
}

bool may_serve(const Port& port, const PlacementOptions& options) {
  return reason_against(port, options).empty();
}

std::vector<std::string> reasons_against(const std::vector<Port>& ports,
                                         const std::vector<std::string>& physical,
                                         const PlacementOptions& options) {
  Candidates candidates(ports, physical);
  candidates.test_each(options);
  candidates.leave_out_slow(options.min_rate_fraction);
  candidates.keep_fabric(options.fabric);
  candidates.limit_count();
  return std::move(candidates).reasons();
}

}  // namespace cib
