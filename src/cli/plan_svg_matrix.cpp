#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "plan_svg_parts.hpp"

namespace cib::cli {

namespace {

constexpr double most_column = 64, row_height = 18;
constexpr std::size_t most_rows = 512;  // beyond, a picture helps nobody

class Matrix {
 public:
  Matrix(const PlanModel& model, double y, double width) : model_(model), y_(y) {
    const auto columns = static_cast<double>(std::max<std::size_t>(model.ports.size(), 1));
    column_ = std::clamp((width - 2 * margin - label_width) / columns, least_column, most_column);
  }

  Part draw() && {
    const double top = y_;
    head();
    const std::size_t shown = std::min(model_.tasks.size(), most_rows);
    for (std::size_t i = 0; i < shown; ++i) task(model_.tasks[i]);
    if (shown < model_.tasks.size()) {
      heading("...", fmt::format("and {} more", model_.tasks.size() - shown));
      y_ += row_height;
    }
    for (const auto& gpu : model_.gpus) {
      heading(gpu.id, gpu.pci);
      row(gpu.to_port, {});
    }
    totals();
    part_.height = y_ - top;
    return std::move(part_);
  }

 private:
  double x(std::size_t port) const { return margin + label_width + static_cast<double>(port) * column_; }
  double middle(std::size_t port) const { return x(port) + column_ / 2; }

  void head() {
    for (std::size_t port = 0; port < model_.ports.size(); ++port) {
      part_.drawing.rectangle({x(port) + 2, y_ + 16, column_ - 4, 4},
                              {.fill = colour_of_port(port), .radius = 2});
      part_.drawing.text(middle(port), y_ + 11, model_.ports[port].id,
                         {.size = text_size, .anchor = "middle", .bold = true});
    }
    y_ += 24;
  }

  void heading(const std::string& name, const std::string& more) {
    part_.drawing.text(margin, y_ + 13, name, {.size = text_size, .bold = true});
    part_.drawing.text(margin + 52, y_ + 13, fit(more, label_width - 58, small_size),
                       {.size = small_size, .fill = faint});
  }

  void task(const PlanModel::Task& task) {
    heading(task.id, (task.gpus.empty() ? "" : task.gpus + " ") +
                         (task.cpus.empty() ? "no mask" : "CPUs " + task.cpus));
    row(task.to_port, {task.ports.begin(), task.ports.end()});
  }

  void row(const std::vector<Nearness>& to_port, const std::set<std::size_t>& used) {
    for (std::size_t port = 0; port < to_port.size(); ++port) {
      const bool chosen = used.contains(port);
      part_.drawing.rectangle({x(port) + 1, y_ + 1, column_ - 2, row_height - 2},
                              {.fill = colour_of(to_port[port]), .opacity = chosen ? 1 : 0.16, .radius = 2});
      part_.drawing.text(
          middle(port), y_ + 12.5, std::string(nearness_code(to_port[port])),
          {.size = small_size, .fill = chosen ? white : faint, .anchor = "middle", .bold = chosen});
    }
    y_ += row_height;
  }

  void totals() {
    part_.drawing.line(margin, y_ + 3, x(model_.ports.size()), y_ + 3, frame);
    y_ += 5;
    heading("tasks", "that use the port");
    for (std::size_t port = 0; port < model_.ports.size(); ++port)
      part_.drawing.text(middle(port), y_ + 13, std::to_string(model_.ports[port].tasks),
                         {.size = text_size, .anchor = "middle"});
    y_ += row_height;
    heading("fill", "of the connector");
    for (std::size_t port = 0; port < model_.ports.size(); ++port)
      part_.drawing.text(middle(port), y_ + 13, fmt::format("{:.0f}%", 100 * model_.ports[port].fill),
                         {.size = small_size, .anchor = "middle"});
    y_ += row_height;
  }

  const PlanModel& model_;
  double y_, column_ = 0;
  Part part_;
};

}  // namespace

Part draw_matrix(const PlanModel& model, double y, double width) { return Matrix(model, y, width).draw(); }

}  // namespace cib::cli
