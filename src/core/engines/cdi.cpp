#include "container_ib/cdi.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// CDI's SPEC.md, and what its library asks for beyond the published schema.
constexpr const char* oldest_version = "0.3.0";
constexpr const char* with_first_digits = "0.5.0";  // before, a device's name began with a letter
constexpr const char* with_netdevs = "1.1.0";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_device_name(std::string_view name) {
  const auto plain = [](char c) { return is_letter(c) || is_digit(c); };
  const auto allowed = [&](char c) {
    return plain(c) || std::string_view("_-.:").find(c) != std::string_view::npos;
  };
  return !name.empty() && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), allowed);
}

// What the kernel takes as the name of an interface (dev_valid_name), without a ':'.
bool is_interface(std::string_view name) {
  constexpr std::size_t longest = 15;
  const auto refused = [](char c) { return c == '/' || c == ':' || c <= ' ' || c > '~'; };
  return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), refused);
}

Status check_names(const CdiQuestion& question) {
  for (const std::size_t index : question.ports) {
    const std::string& name = question.node.ports[index].device;
    if (!is_device_name(name) || name == cdi_all)
      return error(Errc::unsupported,
                   "CDI cannot name the HCA '" + printable(name) + "'; leave it out with --ports");
  }
  return {};
}

// Nothing was planned, as nobody knows yet where a container will run, and it sees no other ports than these.
std::vector<EnvironmentChange> environment_of(const CdiQuestion& question,
                                              const std::vector<std::size_t>& ports,
                                              const std::vector<CdiNetdev>& netdevs) {
  EnvironmentInputs in =
      inputs_of_task(question.settings, question.node, question.assignment, ports, question.rules);
  in.plan.clear();
  in.node_ports = in.task_ports;
  std::vector<std::string> names;
  for (const CdiNetdev& netdev : netdevs) names.push_back(netdev.name);
  in.netdev = join(names, ",");
  return build_environment(in).set;
}

Result<std::vector<std::string>> mounts_of(const CdiQuestion& question,
                                           const std::vector<std::string>& hcas) {
  const std::string directory = "/dev/infiniband/";
  std::vector<std::string> mounts;
  for (const std::string& hca : hcas) {
    const auto found = question.nodes.find(hca);
    if (found == question.nodes.end() || found->second.empty())
      return error(Errc::not_found, hca + " has no node in /dev/infiniband that is known here");
    for (const std::string& node : found->second) mounts.push_back(directory + node);
  }
  for (const std::string& node : question.shared_nodes) mounts.push_back(directory + node);
  return mounts;
}

Result<CdiDevice> device_of(const CdiQuestion& question, std::string_view name,
                            const std::vector<std::string>& hcas, const std::vector<CdiNetdev>& netdevs) {
  std::vector<std::size_t> ports;
  for (const std::size_t index : question.ports)
    if (std::find(hcas.begin(), hcas.end(), question.node.ports[index].device) != hcas.end())
      ports.push_back(index);
  CdiDevice device{.name = std::string(name),
                   .env = environment_of(question, ports, netdevs),
                   .mounts = {},
                   .netdevs = netdevs};
  CIB_TRY(device.mounts, mounts_of(question, hcas));
  return device;
}

std::string lowest_version(const CdiSpecification& specification) {
  std::string version = oldest_version;
  for (const CdiDevice& device : specification.devices) {
    if (!device.netdevs.empty()) return with_netdevs;
    if (is_digit(device.name.front())) version = with_first_digits;
  }
  return version;
}

}  // namespace

Result<CdiNetdev> parse_cdi_netdev(std::string_view text) {
  const auto words = split(text, ':');
  if (words.size() != 2 || !is_interface(words[0]) || !is_interface(words[1]))
    return error(Errc::bad_request, "--netdev " + printable(text) +
                                        ": an interface and its name inside are wanted, as in ib1:ib0");
  return CdiNetdev{std::string(words[0]), std::string(words[1])};
}

Result<std::vector<std::size_t>> ports_of_list(std::string_view list, const Inventory& node,
                                               const Assignment& assignment) {
  std::vector<std::size_t> ports;
  for (const std::string_view name : split(list, ',')) {
    const auto is_it = [&](const PortVerdict& verdict) { return node.ports[verdict.port].name() == name; };
    const auto found = std::find_if(assignment.verdicts.begin(), assignment.verdicts.end(), is_it);
    const std::string what = "--ports " + printable(name) + ": ";
    if (found == assignment.verdicts.end())
      return error(Errc::not_found, what + "this node has no such port; `container-ib topo` names them");
    if (!found->eligible) return error(Errc::unusable, what + found->why_not);
    if (std::find(ports.begin(), ports.end(), found->port) != ports.end())
      return error(Errc::bad_request, what + "named twice");
    ports.push_back(found->port);
  }
  return ports;
}

Result<CdiSpecification> cdi_specification(const CdiQuestion& question) {
  CIB_CHECK(check_names(question));
  std::vector<std::string> hcas;
  for (const std::size_t index : question.ports) {
    const std::string& name = question.node.ports[index].device;
    if (std::find(hcas.begin(), hcas.end(), name) == hcas.end()) hcas.push_back(name);
  }
  CdiSpecification specification;
  for (const std::string& hca : hcas) {
    CIB_TRY(CdiDevice device, device_of(question, hca, {hca}, {}));
    specification.devices.push_back(std::move(device));
  }
  CIB_TRY(CdiDevice all, device_of(question, cdi_all, hcas, question.netdevs));
  specification.devices.push_back(std::move(all));
  specification.version = lowest_version(specification);
  return specification;
}

}  // namespace cib
