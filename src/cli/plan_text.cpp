#include "plan_text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "container_ib/text.hpp"
#include "table.hpp"

namespace cib::cli {

namespace {

using Indexes = PlanModel::Indexes;

constexpr std::size_t max_list = 28;  // characters of CPUs or port names in a column

std::string percent(double part) { return fmt::format("{:.0f}%", 100 * part); }

// ---- the node as a tree
// ------------------------------------------------------------------------------------

// "T0-3,T8": things of one kind by their numbers.
template <class Things>
std::string names_of(const Indexes& indexes, const Things& things) {
  if (indexes.empty()) return {};
  std::vector<unsigned> numbers;
  for (const std::size_t i : indexes)
    numbers.push_back(whole_number<unsigned>(std::string_view(things[i].id).substr(1)).value_or(0));
  return things[indexes.front()].id[0] + ranges(numbers);
}

std::string tree(const PlanModel& model) {
  std::vector<Row> rows;
  for (const auto& package : model.packages) {
    rows.push_back({package.name});
    for (std::size_t i = 0; i < package.numa_nodes.size(); ++i) {
      const auto& numa = package.numa_nodes[i];
      const std::string branch = i + 1 < package.numa_nodes.size() ? "|- " : "`- ";
      const bool known = !numa.name.empty();
      const std::string cpus = numa.cpus.empty() ? "no CPUs" : "CPUs " + shortened(numa.cpus, max_list);
      Row row = {known ? branch + numa.name : branch + "somewhere", known ? cpus : " ",
                 names_of(numa.ports, model.ports)};
      if (!model.gpus.empty()) row.push_back(names_of(numa.gpus, model.gpus));
      row.push_back(names_of(numa.tasks, model.tasks));
      rows.push_back(std::move(row));
    }
  }
  return format_table(rows);
}

// ---- the matrix
// --------------------------------------------------------------------------------------------

// A row of the matrix: what stands before the ports' columns, and the columns.
struct TableLine {
  Row heading;
  std::vector<std::string> cells;
};

std::string cell(Nearness nearness, bool used) {
  const std::string code(nearness_code(nearness));
  return used ? "[" + code + "]" : code;
}

TableLine head_of(const PlanModel& model, bool with_gpus) {
  TableLine line{{" ", "CPUS", "NUMA"}, {}};
  if (with_gpus) line.heading.emplace_back("GPUS");
  line.heading.insert(line.heading.end(), {"USES", "DISTANCE"});
  for (const auto& port : model.ports) line.cells.push_back(port.id);
  return line;
}

TableLine line_of(const PlanModel& model, const PlanModel::Task& task, bool with_gpus) {
  std::vector<std::string> uses;
  for (const std::size_t port : task.ports) uses.push_back(model.ports[port].name);
  TableLine line{{task.id, shortened(task.cpus, max_list), task.numa}, {}};
  if (with_gpus) line.heading.push_back(shortened(task.gpus, max_list));
  line.heading.insert(line.heading.end(),
                      {uses.empty() ? "none" : shortened(join(uses, ","), max_list), task.distance});
  for (std::size_t port = 0; port < model.ports.size(); ++port)
    line.cells.push_back(
        cell(task.to_port[port], std::find(task.ports.begin(), task.ports.end(), port) != task.ports.end()));
  return line;
}

std::vector<TableLine> lines_of(const PlanModel& model) {
  const bool with_gpus = std::any_of(model.tasks.begin(), model.tasks.end(),
                                     [](const PlanModel::Task& task) { return !task.gpus.empty(); });
  std::vector<TableLine> lines = {head_of(model, with_gpus)};
  const std::size_t columns = lines.front().heading.size();
  for (const auto& task : model.tasks) lines.push_back(line_of(model, task, with_gpus));
  for (const auto& gpu : model.gpus) {
    TableLine line{Row(columns, " "), {}};
    line.heading.front() = gpu.id;
    for (const auto nearness : gpu.to_port) line.cells.push_back(cell(nearness, false));
    lines.push_back(std::move(line));
  }
  TableLine tasks{Row(columns, " "), {}}, fill = tasks;
  tasks.heading.front() = "tasks";
  fill.heading.front() = "fill";
  for (const auto& port : model.ports) {
    tasks.cells.push_back(std::to_string(port.tasks));
    fill.cells.push_back(percent(port.fill));
  }
  lines.insert(lines.end(), {std::move(tasks), std::move(fill)});
  return lines;
}

std::size_t text_width(const std::vector<Row>& rows) {
  const std::string text = format_table(rows);
  std::size_t width = 0;
  for (const auto line : split(text, '\n')) width = std::max(width, line.size());
  return width;
}

// As many columns of ports as fit go beside the headings, the others below, beside the names alone.
std::string matrix(const PlanModel& model, unsigned width) {
  const auto lines = lines_of(model);
  std::vector<Row> headings, names;
  std::size_t column = 1;
  for (const auto& line : lines) {
    headings.push_back(line.heading);
    names.push_back({line.heading.front()});
    for (const auto& text : line.cells) column = std::max(column, text.size());
  }
  column += 2;

  std::string text;
  std::size_t begin = 0;
  do {
    auto rows = begin == 0 && text.empty() ? headings : names;
    const std::size_t used = text_width(rows);
    const std::size_t fit = width > used ? (width - used) / column : 0;
    const std::size_t end =
        std::min(begin + std::max<std::size_t>(fit, text.empty() ? 0 : 1), model.ports.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      rows[i].insert(rows[i].end(), lines[i].cells.begin() + static_cast<std::ptrdiff_t>(begin),
                     lines[i].cells.begin() + static_cast<std::ptrdiff_t>(end));
    text += (text.empty() ? "" : "\n") + format_table(rows);
    begin = end;
  } while (begin < model.ports.size());
  return text;
}

// ---- what the letters mean
// ---------------------------------------------------------------------------------

std::string ports_and_rest(const PlanModel& model) {
  std::vector<Row> rows = {{"", "PORT", "PCI", "NUMA", "GBIT/S", "CONNECTOR"}};
  rows.front().front() = " ";
  for (const auto& port : model.ports)
    rows.push_back({port.id, port.name, port.pci, port.numa, port.rate, port.connector});
  for (const auto& gpu : model.gpus)
    rows.push_back({gpu.id, gpu.name.empty() ? "GPU" : gpu.name, gpu.pci, " "});
  std::string text = rows.size() > 1 ? format_table(rows) : std::string();
  for (const auto& port : model.left_out) text += "not for MPI: " + port.name + ": " + port.why_not + "\n";
  return text;
}

std::string legend(const PlanModel& model) {
  std::set<Nearness> used;
  for (const auto& task : model.tasks) used.insert(task.to_port.begin(), task.to_port.end());
  for (const auto& gpu : model.gpus) used.insert(gpu.to_port.begin(), gpu.to_port.end());
  if (used.empty()) return {};
  std::vector<Row> rows;
  for (const auto nearness : used)
    rows.push_back({std::string(nearness_code(nearness)), std::string(nearness_text(nearness))});
  rows.push_back({"[ ]", "the task uses this port"});
  rows.push_back(
      {"fill", "load of the connector for its speed; 100% is the fullest one of the fairest distribution"});
  return format_table(rows) + "\n";
}

}  // namespace

std::string plan_text(const PlanModel& model, unsigned width) {
  return model.summary + "\n\n" + tree(model) + "\n" + matrix(model, width) + "\n" + ports_and_rest(model) +
         "\n" + legend(model) + "plan " + model.plan + "\n";
}

std::string comparison_text(const PlanModel& model) {
  constexpr std::size_t max_connectors = 16;  // beyond that the row of numbers says nothing at a glance
  std::vector<Row> rows = {{"RULE", "OVERLOAD", "DISTANCE", "OTHER PACKAGE", "CONNECTORS"}};
  const bool with_loads = !model.rules.empty() && model.rules.front().score.loads.size() <= max_connectors;
  if (with_loads) rows.front().emplace_back("TASKS ON EACH");
  for (const auto& rule : model.rules) {
    const Score& score = rule.score;
    rows.push_back({rule.name, fmt::format("{:.2f}", score.overload),
                    fmt::format("{:.2f}", score.distance / 1000), percent(score.other_package),
                    fmt::format("{} of {}", score.connectors_used, score.loads.size())});
    std::vector<std::string> loads;
    for (const auto& load : score.loads) loads.push_back(std::to_string(load.tasks));
    if (with_loads) rows.back().push_back(join(loads, " "));
  }
  return format_table(rows) +
         "\nOverload: the fullest connector against the fullest of the fairest distribution; 1.00 is best.\n"
         "Distance: mean of the tasks and their ports; 1.00 is the same NUMA node.\n";
}

}  // namespace cib::cli
