// From top to bottom: the node, the matrix, what the colours mean, the ports that were left out, the
// comparison.
#include "plan_svg.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "plan_svg_parts.hpp"

namespace cib::cli {

namespace {

Part draw_legend(const PlanModel& model, double y) {
  std::set<Nearness> used;
  for (const auto& task : model.tasks) used.insert(task.to_port.begin(), task.to_port.end());
  for (const auto& gpu : model.gpus) used.insert(gpu.to_port.begin(), gpu.to_port.end());
  Part part;
  double x = margin;
  for (const auto nearness : used) {
    const std::string text = fmt::format("{} {}", nearness_code(nearness), nearness_text(nearness));
    part.drawing.rectangle({x, y, 12, 12}, {.fill = colour_of(nearness), .radius = 2});
    part.drawing.text(x + 18, y + 10, text, {.size = text_size, .fill = faint});
    x += 18 + text_width(text, text_size) + 24;
  }
  part.drawing.text(margin, y + 30,
                    "A filled cell is the task's port; a task's frame has the colour of its distance.",
                    {.size = text_size, .fill = faint});
  part.height = 38;
  return part;
}

Part draw_left_out(const PlanModel& model, double y, double width) {
  Part part;
  if (model.left_out.empty()) return part;
  part.drawing.text(margin, y + 12, "Not for MPI", {.size = heading_size, .bold = true});
  part.height = 22;
  for (const auto& port : model.left_out) {
    part.drawing.text(margin, y + part.height + 12,
                      fit(port.name + "  " + port.why_not, width - 2 * margin, text_size),
                      {.size = text_size});
    part.height += 17;
  }
  return part;
}

// Overload and distance as bars on one scale each.
Part draw_comparison(const PlanModel& model, double y) {
  Part part;
  if (model.rules.empty()) return part;
  constexpr double name_width = 150, bar_width = 260, column = 420;
  part.drawing.text(margin, y + 12, "Other rules", {.size = heading_size, .bold = true});
  part.drawing.text(margin + name_width, y + 12, "overload, 1.00 is best",
                    {.size = text_size, .fill = faint});
  part.drawing.text(margin + name_width + column, y + 12, "distance, 1.00 is the same NUMA node",
                    {.size = text_size, .fill = faint});
  part.height = 24;
  double overload = 1, distance = 1000;
  for (const auto& rule : model.rules) {
    overload = std::max(overload, rule.score.overload);
    distance = std::max(distance, rule.score.distance);
  }
  for (const auto& rule : model.rules) {
    const double top = y + part.height;
    const bool ours = &rule == &model.rules.front();
    part.drawing.text(margin, top + 13, rule.name, {.size = text_size, .bold = ours});
    const auto bar = [&](double x, double share, const std::string& text) {
      part.drawing.rectangle({x, top + 3, std::max(bar_width * share, 1.0), 12},
                             {.fill = ours ? "#2f6fcb" : "#9fb0c0", .radius = 2});
      part.drawing.text(x + bar_width * share + 8, top + 13, text, {.size = text_size});
    };
    bar(margin + name_width, rule.score.overload / overload,
        fmt::format("{:.2f}, {} of {} used", rule.score.overload, rule.score.connectors_used,
                    rule.score.loads.size()));
    bar(margin + name_width + column, rule.score.distance / distance,
        fmt::format("{:.2f}, {:.0f}% other package", rule.score.distance / 1000,
                    100 * rule.score.other_package));
    part.height += 21;
  }
  return part;
}

}  // namespace

std::string plan_svg(const PlanModel& model) {
  constexpr double least_width = 1120;
  const double wanted = 2 * margin + label_width + least_column * static_cast<double>(model.ports.size());
  const double width = std::max(least_width, wanted);
  Drawing picture;
  picture.text(margin, 42, "container-ib plan " + model.plan, {.size = 20, .bold = true});
  picture.text(margin, 62, model.summary, {.size = text_size, .fill = faint});
  double y = 80;
  const auto add = [&](const Part& part) {
    picture.add(part.drawing);
    if (part.height > 0) y += part.height + gap;
  };
  add(draw_node(model, y, width));
  add(draw_matrix(model, y, width));
  add(draw_legend(model, y));
  add(draw_left_out(model, y, width));
  add(draw_comparison(model, y));
  return picture.document(width, y + margin - gap, "container-ib plan " + model.plan + ": " + model.summary);
}

}  // namespace cib::cli
