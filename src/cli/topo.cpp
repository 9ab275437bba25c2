#include <fmt/core.h>

#include <map>
#include <memory>

#include "adapters/verbs/verbs_devices.hpp"
#include "command.hpp"
#include "container_ib/proposal.hpp"
#include "container_ib/text.hpp"
#include "json.hpp"
#include "mode_answers.hpp"
#include "output.hpp"
#include "ports_view.hpp"
#include "table.hpp"

namespace cib::cli {

namespace {

struct TopoOptions {
  NodeOptions node;
  bool json = false;
};

using DeviceReasons = std::map<std::string, std::string>;

// Of each HCA, why a program on this machine cannot use it by libibverbs; empty when it can. What sysfs says
// of a port does not tell that: the provider may be missing, or the device node.
DeviceReasons verbs_of(const NodeQuestion& question) {
  const auto found = verbs_devices();
  DeviceReasons reasons;
  for (const Port& port : question.inventory.ports) {
    std::string& reason = reasons[port.device];
    if (!found)
      reason = "cannot be asked for: libibverbs is not installed here";
    else if (const auto device = found->find(port.device); device != found->end())
      reason = device->second;
    else
      reason = "is not found: its node in /dev/infiniband or its provider (rdma-core) is missing";
  }
  return reasons;
}

std::optional<NodeProposal> proposal_of(const NodeQuestion& question, const Assignment& assignment) {
  return propose_node_rule(question.inventory, question.placement, assignment,
                           question.node.empty() ? "*" : question.node);
}

nlohmann::ordered_json proposal_json(const std::optional<NodeProposal>& proposal) {
  if (!proposal) return nullptr;
  return {{"name", proposal->name},
          {"hca", proposal->hca},
          {"left_out", proposal->left_out},
          {"toml", proposal->toml()}};
}

void print_proposal(const NodeProposal& proposal) {
  const std::size_t left_out = proposal.left_out.size();
  print(
      fmt::format("{} of these ports {} no PCIe switch with a GPU, others do: {}\n"
                  "If {} for storage or the front end, this entry of the site's file keeps MPI off:\n\n",
                  left_out, left_out == 1 ? "shares" : "share", join(proposal.left_out, " "),
                  left_out == 1 ? "it is" : "they are"));
  print(proposal.toml() + "\n");
}

void print_json(const NodeQuestion& question, const Assignment& assignment,
                const std::vector<ModeAnswer>& answers, const DeviceReasons& verbs) {
  auto modes = nlohmann::ordered_json::object();
  for (const auto& [mode, why_not, caveat] : answers) {
    auto& one = modes[std::string(mode_name(mode))];
    one = {{"possible", why_not.empty()}, {"why_not", why_not}};
    if (why_not.empty() && !caveat.empty()) one["caveat"] = caveat;
  }
  auto numa = nlohmann::ordered_json::array();
  for (const auto& node : question.inventory.numa_nodes)
    numa.push_back({{"os_index", node.os_index}, {"cpus", node.cpus.hex()}});
  auto gpus = nlohmann::ordered_json::array();
  for (const auto& gpu : question.inventory.gpus)
    gpus.push_back({{"pci", gpu.pci.text()}, {"name", gpu.name}, {"numa", gpu.numa}});
  nlohmann::ordered_json node = {{"ports", ports_json(question.inventory, assignment)},
                                 {"numa_nodes", numa},
                                 {"distances", question.inventory.distances},
                                 {"gpus", gpus},
                                 {"modes", modes},
                                 {"notes", assignment.notes},
                                 {"proposal", proposal_json(proposal_of(question, assignment))}};
  for (const auto& [name, reason] : verbs)
    node["verbs"][name] = {{"opens", reason.empty()}, {"why_not", reason}};
  for (const Port& port : question.inventory.ports) {
    if (port.pkeys.empty() && port.gids.empty()) continue;
    auto& tables = node["tables"][port.name()];
    tables = {{"pkeys", port.pkeys}, {"gids", nlohmann::ordered_json::object()}};
    for (const Gid& gid : port.gids) tables["gids"][std::to_string(gid.index)] = gid.text;
  }
  print(dump(node) + "\n");
}

std::string pkeys_text(const Port& port) {
  std::string text;
  for (const auto pkey : port.pkeys) text += fmt::format("{}{:#06x}", text.empty() ? "" : " ", pkey);
  return text;
}

// What a site's P_Keys and UCX_IB_GID_INDEX are about. Nothing where no table could be read.
void print_tables(const Inventory& node) {
  std::vector<Row> rows = {{"PORT", "LID", "P_KEYS", "GID"}};
  for (const Port& port : node.ports) {
    if (port.pkeys.empty() && port.gids.empty()) continue;
    rows.push_back({port.name(), std::to_string(port.lid), pkeys_text(port), ""});
    for (std::size_t i = 0; i < port.gids.size(); ++i) {
      const std::string gid = fmt::format("{}: {}", port.gids[i].index, port.gids[i].text);
      if (i == 0)
        rows.back()[3] = gid;
      else
        rows.push_back({port.name(), "", "", gid});
    }
  }
  if (rows.size() > 1) print(format_table(rows) + "\n");
}

void print_text(const NodeQuestion& question, const Assignment& assignment,
                const std::vector<ModeAnswer>& answers, const DeviceReasons& verbs) {
  const auto& node = question.inventory;
  print(fmt::format("{} cores, {} NUMA nodes, {} GPUs, {} RDMA ports\n\n", node.cores.size(),
                    node.numa_nodes.size(), node.gpus.size(), node.ports.size()));
  if (!node.ports.empty()) print(format_table(ports_table(node, assignment)) + "\n");
  for (const std::string& note : assignment.notes) print("note: " + note + "\n");
  if (!assignment.notes.empty()) print("\n");
  if (const auto proposal = proposal_of(question, assignment)) print_proposal(*proposal);
  print_tables(node);
  bool told = false;
  for (const auto& [name, reason] : verbs) {
    if (reason.empty()) continue;
    print(fmt::format("libibverbs: {} {}\n", name, reason));
    told = true;
  }
  if (told) print("\n");
  std::vector<Row> rows = {{"MODE", "HERE"}};
  for (const auto& [mode, why_not, caveat] : answers)
    rows.push_back({std::string(mode_name(mode)), !why_not.empty() ? "no: " + why_not
                                                  : caveat.empty() ? "yes"
                                                                   : "yes, " + caveat});
  print(format_table(rows));
}

int run(const TopoOptions& options) {
  const auto question = ask(options.node);
  if (!question) {
    complain("topo", question.error().message());
    return usage;
  }
  const Assignment assignment = place(question->inventory, {}, question->placement);
  const bool has_port = !eligible_ports(question->inventory, assignment).empty();
  const auto answers = mode_answers(facts_of(*question, options.node.live()), has_port);
  const DeviceReasons verbs = options.node.live() ? verbs_of(*question) : DeviceReasons{};
  if (options.json)
    print_json(*question, assignment, answers, verbs);
  else
    print_text(*question, assignment, answers, verbs);
  return has_port ? fine : finding;
}

}  // namespace

void add_topo(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TopoOptions>();
  CLI::App* command =
      app.add_subcommand("topo", "Show a node's ports, whether they are for MPI, and its modes");
  options->node.tables = true;
  options->node.add_to(*command);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
