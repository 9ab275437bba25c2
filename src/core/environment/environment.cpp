#include "container_ib/environment.hpp"

#include <algorithm>

#include "container_ib/text.hpp"
#include "environment_table.hpp"
#include "profiles.hpp"

namespace cib {

namespace {

using Names = std::vector<std::string_view>;

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names active_profiles(const std::vector<std::string>& asked) {
  Names active;
  for (const auto& profile : profiles) {
    const bool by_auto = profile.in_auto && std::find(asked.begin(), asked.end(), "auto") != asked.end();
    if (!by_auto && std::find(asked.begin(), asked.end(), profile.name) == asked.end()) continue;
    active.push_back(profile.name);
    if (!profile.implies.empty())
      for (const auto implied : split(profile.implies, ' ')) active.push_back(implied);
  }
  return active;
}

// The eligible ports of one kind: NCCL connects a port of one rank with any of another's, and those of
// InfiniBand and of Ethernet never reach each other.
std::vector<Port> ports_for_all(const Inventory& node, const Assignment& assignment) {
  std::vector<Port> infiniband, others;
  for (const std::size_t index : eligible_ports(assignment)) {
    const Port& port = node.ports[index];
    (port.link_layer == LinkLayer::infiniband ? infiniband : others).push_back(port);
  }
  return infiniband.empty() ? others : infiniband;
}

// What `of` answers for each of them, if it is the same for all.
template <class Of>
std::optional<unsigned> common(const std::vector<Port>& ports, Of of) {
  std::optional<unsigned> agreed;
  for (const Port& port : ports) {
    const std::optional<unsigned> one = of(port);
    if (!one || (agreed && agreed != one)) return std::nullopt;
    agreed = one;
  }
  return agreed;
}

const Gid* gid_of(const Port& port) {
  return port.link_layer == LinkLayer::ethernet ? roce_gid(port) : nullptr;
}

std::optional<unsigned> gid_index_of(const Port& port) {
  const Gid* gid = gid_of(port);
  return gid != nullptr ? std::optional(gid->index) : std::nullopt;
}

// NCCL finds its GID by itself and anew for each peer; fixing it is for what every rank has: RoCE v2 and
// IPv4.
std::optional<unsigned> ipv4_gid_index_of(const Port& port) {
  const Gid* gid = gid_of(port);
  return gid != nullptr && gid->type == GidType::roce_v2 && is_ipv4(*gid) ? gid_index_of(port) : std::nullopt;
}

// Without a port there is nothing to tune, and env=none asks for no variables.
bool site_counts(const EnvironmentInputs& in) {
  return !in.task_ports.empty() &&
         std::find(in.profiles.begin(), in.profiles.end(), "none") == in.profiles.end();
}

// Sets it, or keeps the user's own.
void decide(const EnvironmentInputs& in, const std::string& name, std::string value, EnvironmentPlan& plan) {
  if (!in.user.contains(name))
    plan.set.push_back({name, std::move(value)});
  else if (std::find(plan.kept.begin(), plan.kept.end(), name) == plan.kept.end())
    plan.kept.push_back(name);
}

}  // namespace

const std::vector<std::string_view>& environment_inputs() {
  static const Names names = [] {
    Names list;
    for (const auto& row : environment_table())
      if (row.profile != own_record && !contains(list, row.name)) list.push_back(row.name);
    for (const auto name : variables_read_only()) list.push_back(name);
    return list;
  }();
  return names;
}

void use_ports(EnvironmentInputs& in, const std::vector<Port>& own, const std::vector<Port>& all) {
  in.task_ports.clear();
  in.node_ports.clear();
  for (const Port& port : own) in.task_ports.push_back(port.name());
  for (const Port& port : all) in.node_ports.push_back(port.name());
  in.gid_index = common(own, gid_index_of);
  in.node_gid_index = common(all, ipv4_gid_index_of);
}

EnvironmentInputs inputs_of_task(const Settings& settings, const Inventory& node,
                                 const Assignment& assignment, const std::vector<std::size_t>& ports,
                                 const std::vector<EnvironmentRule>& rules) {
  EnvironmentInputs in;
  in.mode = settings.mode;
  in.require = settings.require;
  in.profiles = settings.env;
  in.report = settings.report;
  in.pkey = settings.pkey;
  for (const Port& port : node.ports) in.node_devices.push_back(port.device);
  in.plan = assignment.plan;
  std::vector<Port> own;
  for (const std::size_t port : ports) own.push_back(node.ports[port]);
  const auto for_all = ports_for_all(node, assignment);
  use_ports(in, own, for_all);
  const auto all_own = [&](auto test) { return !own.empty() && std::all_of(own.begin(), own.end(), test); };
  in.ethernet = all_own([](const Port& port) { return port.link_layer == LinkLayer::ethernet; });
  in.efa = all_own([](const Port& port) { return port.driver == "efa"; });
  if (in.pkey) in.pkey_index = common(for_all, [&](const Port& port) { return pkey_index(port, *in.pkey); });
  if (!ports.empty()) in.numa = numa_text(node.ports[ports.front()]);
  in.site = site_variables(rules, own);
  return in;
}

std::string nccl_topology_of(const SiteConfig& site) { return site.hand_to_nccl ? site.topology_xml : ""; }

EnvironmentPlan build_environment(const EnvironmentInputs& asked) {
  EnvironmentPlan plan;
  if (asked.mode == Mode::none) return plan;
  EnvironmentInputs in = asked;
  if (!site_counts(in)) in.site.clear();
  const Names active = active_profiles(in.profiles);
  for (const auto& row : environment_table()) {
    const bool own = row.profile == own_record;
    if (!own && (in.task_ports.empty() || !contains(active, row.profile))) continue;
    if (!row.when(in)) continue;
    std::string value = row.value != nullptr ? row.value(in) : std::string(row.constant);
    if (value.empty()) continue;
    const std::string name(row.name);
    if (own)
      plan.set.push_back({name, std::move(value)});
    else if (std::none_of(in.site.begin(), in.site.end(),
                          [&](const auto& change) { return change.name == name; }))
      decide(in, name, std::move(value), plan);
  }
  for (const EnvironmentChange& change : in.site) {
    decide(in, change.name, change.value, plan);
    if (!in.user.contains(change.name)) plan.of_site.push_back(change.name);
  }
  for (const auto& conflict : user_conflicts())
    if (contains(active, conflict.profile) && conflict.holds(in))
      (conflict.harmful ? plan.warnings : plan.notes).emplace_back(conflict.note);
  return plan;
}

}  // namespace cib
