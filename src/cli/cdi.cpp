#include "container_ib/cdi.hpp"

#include <memory>

#include "adapters/linux/devices.hpp"
#include "adapters/sysfs/device_names.hpp"
#include "command.hpp"
#include "json.hpp"
#include "node_options.hpp"
#include "output.hpp"

namespace cib::cli {

namespace {

struct CdiOptions {
  NodeOptions node;
  std::string ports;
  std::vector<std::string> netdevs;
  bool json = false;  // it is, whatever is said
};

Result<DeviceNames> names_of_this_machine(const std::vector<Port>& ports, bool umad) {
  CIB_TRY(const auto nodes, find_device_nodes(ports, umad));
  DeviceNames names;
  for (const DeviceNode& node : nodes)
    (node.owner.empty() ? names.shared : names.of_device[node.owner]).push_back(node.name);
  return names;
}

Status add_nodes(const NodeOptions& options, CdiQuestion& question) {
  std::vector<Port> ports;
  for (const std::size_t index : question.ports) ports.push_back(question.node.ports[index]);
  const bool umad = question.settings.umad;
  auto names = options.live()
                   ? names_of_this_machine(ports, umad)
                   : read_device_names(options.sysfs.empty() ? options.topology : options.sysfs, ports, umad);
  if (!names) return std::move(names).error();
  question.nodes = std::move(names->of_device);
  question.shared_nodes = std::move(names->shared);
  return {};
}

Result<CdiQuestion> question_of(const CdiOptions& options) {
  CdiQuestion question;
  for (const std::string& text : options.netdevs) {
    CIB_TRY(CdiNetdev netdev, parse_cdi_netdev(text));
    question.netdevs.push_back(std::move(netdev));
  }
  CIB_TRY(NodeQuestion asked, ask(options.node));
  if (asked.settings.mode != Mode::verbs)
    return error(Errc::bad_request, "a specification has mode verbs only, not " +
                                        std::string(mode_name(asked.settings.mode)) +
                                        "; --netdev adds an interface");
  question.assignment = place(asked.inventory, {}, asked.placement);
  question.settings = std::move(asked.settings);
  question.rules = std::move(asked.rules);
  question.node = std::move(asked.inventory);
  if (options.ports.empty()) {
    question.ports = eligible_ports(question.assignment);
  } else {
    CIB_TRY(question.ports, ports_of_list(options.ports, question.node, question.assignment));
  }
  return question;
}

nlohmann::ordered_json device_json(const CdiDevice& device) {
  auto env = nlohmann::ordered_json::array(), mounts = env;
  for (const auto& change : device.env) env.push_back(change.name + "=" + change.value);
  for (const std::string& path : device.mounts)
    mounts.push_back({{"hostPath", path}, {"containerPath", path}, {"options", cdi_mount_options}});
  nlohmann::ordered_json edits = {{"env", env}, {"mounts", mounts}};
  for (const CdiNetdev& netdev : device.netdevs)
    edits["netDevices"].push_back({{"hostInterfaceName", netdev.host}, {"name", netdev.name}});
  return {{"name", device.name}, {"containerEdits", edits}};
}

nlohmann::ordered_json specification_json(const CdiSpecification& specification) {
  auto devices = nlohmann::ordered_json::array();
  for (const CdiDevice& device : specification.devices) devices.push_back(device_json(device));
  return {{"cdiVersion", specification.version}, {"kind", cdi_kind}, {"devices", devices}};
}

int cannot(const Error& why) {
  complain("cdi", why.message());
  return usage;
}

int run(const CdiOptions& options) {
  auto question = question_of(options);
  if (!question) return cannot(question.error());
  if (question->ports.empty()) {
    complain("cdi", "no eligible port");
    return finding;
  }
  if (const auto status = add_nodes(options.node, *question); !status) return cannot(status.error());
  const auto specification = cdi_specification(*question);
  if (!specification) return cannot(specification.error());
  print(dump(specification_json(*specification)) + "\n");
  return fine;
}

}  // namespace

void add_cdi(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CdiOptions>();
  CLI::App* command =
      app.add_subcommand("cdi", "Print a CDI specification of this node's HCAs, for container engines");
  options->node.add_to(*command);
  command
      ->add_option("--ports", options->ports,
                   "these ports only, as CONTAINER_IB_PORTS has a task's; default: all for MPI")
      ->type_name("PORT,...");
  command
      ->add_option("--netdev", options->netdevs,
                   "move this interface into the container too, for device `all` (CDI 1.1.0)")
      ->type_name("HOST:NAME");
  command->add_flag("--json", options->json, "for programs, as it always is");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
