// From top to bottom: the node with its packages side by side, the matrix of tasks and ports, what the
// colours mean, the ports that were left out, and the comparison.
#include "plan_svg.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "container_ib/text.hpp"
#include "svg.hpp"

namespace cib::cli {

namespace {

constexpr double margin = 32, gap = 14, padding = 12;
constexpr double least_width = 1120;
constexpr double heading_size = 14, text_size = 11, small_size = 9.5;
constexpr double label_width = 190, least_column = 30, most_column = 64, row_height = 18;
constexpr std::size_t most_rows = 512;  // of the matrix; beyond, a picture helps nobody

constexpr std::string_view faint = "#66727f", frame = "#c3ccd5", paper = "#f5f7f9", white = "#ffffff";

// Neighbours differ in lightness as well as in hue, for those who see few colours and for grey prints.
constexpr std::array port_colours = {"#2f6fcb", "#e69f00", "#12846c", "#cc5f9b", "#6a4fb3", "#9aa516",
                                     "#1596c4", "#c8492f", "#58a65c", "#8a5a32", "#4453a6", "#c7a20a"};

std::string_view colour_of_port(std::size_t port) { return port_colours[port % port_colours.size()]; }

std::string_view colour_of(Nearness nearness) {
  switch (nearness) {
    case Nearness::one_bridge:
    case Nearness::bridges:
      return "#0b6e4f";
    case Nearness::host_bridge:
    case Nearness::numa_node:
      return "#2e9e74";
    case Nearness::package:
      return "#d99a1c";
    case Nearness::other_package:
      return "#cf4f3f";
    case Nearness::unknown:
      break;
  }
  return "#8793a0";
}

// ---- the node
// ----------------------------------------------------------------------------------------------

// A part of the picture, drawn with its upper left corner where it was asked for.
struct Part {
  Drawing drawing;
  double height = 0;
};

// Puts boxes of one height beside each other and below.
class Flow {
 public:
  Flow(const Box& area, double item_height)
      : area_(area), x_(area.x), y_(area.y), item_height_(item_height) {}

  Box next(double width) {
    if (x_ > area_.x && x_ + width > area_.x + area_.width) {
      x_ = area_.x;
      y_ += item_height_ + space;
    }
    const Box box{x_, y_, std::min(width, area_.width), item_height_};
    x_ += width + space;
    any_ = true;
    return box;
  }
  double height() const { return any_ ? y_ + item_height_ + space - area_.y : 0; }

 private:
  static constexpr double space = 6;
  Box area_;
  double x_, y_, item_height_;
  bool any_ = false;
};

void draw_port(Drawing& drawing, const Box& box, const PlanModel::Port& port, std::size_t index) {
  drawing.rectangle(box, {.fill = white, .stroke = frame, .radius = 4});
  drawing.rectangle({box.x, box.y, 6, box.height}, {.fill = colour_of_port(index), .radius = 3});
  const double left = box.x + 13, width = box.width - 20;
  const std::string load = fmt::format("{} {}", port.tasks, port.tasks == 1 ? "task" : "tasks");
  drawing.text(left, box.y + 15, fit(port.id + " " + port.name, width, text_size),
               {.size = text_size, .bold = true});
  const std::string facts = (port.rate.empty() ? "" : port.rate + " Gb/s ") + port.pci;
  drawing.text(left, box.y + 28, fit(facts, width, small_size), {.size = small_size, .fill = faint});
  // A bar that is full where the fairest distribution's fullest is, and red beyond.
  const double bar = width - text_width(load, small_size) - 6, y = box.y + 35;
  drawing.rectangle({left, y, bar, 5}, {.fill = "#e3e8ed", .radius = 2});
  const double full = bar * std::min(port.fill, 1.0);
  if (full > 0)
    drawing.rectangle({left, y, full, 5},
                      {.fill = port.fill > 1.25 ? "#cf4f3f" : colour_of_port(index), .radius = 2});
  drawing.text(box.x + box.width - 7, y + 6, load, {.size = small_size, .fill = faint, .anchor = "end"});
}

std::string chip_text(const PlanModel& model, const PlanModel::Task& task) {
  std::vector<std::string> ports;
  for (const std::size_t port : task.ports) ports.push_back(model.ports[port].id);
  return task.id + (ports.empty() ? ": none" : ">" + fit(join(ports, ","), 120, text_size));
}

// In the colour of the port that the task uses; the frame says how far that is.
void draw_task(Drawing& drawing, const Box& box, const PlanModel& model, const PlanModel::Task& task) {
  if (task.ports.empty()) {
    drawing.rectangle(box, {.fill = white, .stroke = frame, .radius = 4});
  } else {
    const std::size_t port = task.ports.front();
    drawing.rectangle(box, {.fill = white, .radius = 4});
    drawing.rectangle(box, {.fill = colour_of_port(port),
                            .opacity = 0.30,
                            .stroke = colour_of(task.to_port[port]),
                            .stroke_width = 1.6,
                            .radius = 4});
  }
  drawing.text(box.x + box.width / 2, box.y + 14.5, chip_text(model, task),
               {.size = text_size, .anchor = "middle"});
}

void draw_gpu(Drawing& drawing, const Box& box, const PlanModel::Gpu& gpu) {
  drawing.rectangle(box, {.fill = "#3d4853", .radius = 4});
  drawing.text(box.x + box.width / 2, box.y + 14.5, gpu.id,
               {.size = text_size, .fill = white, .anchor = "middle"});
}

Part draw_numa_node(const PlanModel& model, const PlanModel::NumaNode& numa, double x, double y,
                    double width) {
  constexpr double port_width = 158, port_height = 47, chip_height = 21;
  Part part;
  double at = y + 8;
  if (!numa.name.empty()) {
    const std::string cpus = numa.cpus.empty() ? "no CPUs" : "CPUs " + numa.cpus;
    part.drawing.text(x + padding, y + 19, numa.name, {.size = text_size, .bold = true});
    const double used = text_width(numa.name, text_size) + padding + 10;
    part.drawing.text(x + used, y + 19, fit(cpus, width - used - padding, small_size),
                      {.size = small_size, .fill = faint});
    at = y + 28;
  }
  const auto area = [&] { return Box{x + padding, at, width - 2 * padding, 0}; };
  Flow ports(area(), port_height);
  for (const std::size_t port : numa.ports)
    draw_port(part.drawing, ports.next(port_width), model.ports[port], port);
  at += ports.height();
  Flow gpus(area(), chip_height);
  for (const std::size_t gpu : numa.gpus) draw_gpu(part.drawing, gpus.next(38), model.gpus[gpu]);
  at += gpus.height();
  Flow tasks(area(), chip_height);
  for (const std::size_t task : numa.tasks)
    draw_task(part.drawing, tasks.next(text_width(chip_text(model, model.tasks[task]), text_size) + 14),
              model, model.tasks[task]);
  at += tasks.height();
  part.height = at - y + 4;
  return part;
}

// Parts in as many columns, row by row as high as the highest of it, each in a frame.
template <class Draw>
Part in_columns(std::size_t count, std::size_t columns, const Box& area, const Paint& paint,
                const Draw& draw) {
  Part all;
  const double width = (area.width - gap * static_cast<double>(columns - 1)) / static_cast<double>(columns);
  for (std::size_t begin = 0; begin < count; begin += columns) {
    std::vector<Part> row;
    double height = 0;
    const auto x = [&](std::size_t column) { return area.x + static_cast<double>(column) * (width + gap); };
    for (std::size_t i = begin; i < std::min(begin + columns, count); ++i) {
      row.push_back(draw(i, x(i - begin), area.y + all.height, width));
      height = std::max(height, row.back().height);
    }
    for (std::size_t column = 0; column < row.size(); ++column) {
      all.drawing.rectangle({x(column), area.y + all.height, width, height}, paint);
      all.drawing.add(row[column].drawing);
    }
    all.height += height + gap;
  }
  return all;
}

Part draw_package(const PlanModel& model, const PlanModel::Package& package, double x, double y,
                  double width) {
  constexpr double two_columns = 420;
  Part part;
  part.drawing.text(x + padding, y + 22, package.name, {.size = heading_size, .bold = true});
  const std::size_t columns = package.numa_nodes.size() > 1 && width >= two_columns ? 2 : 1;
  const Part nodes =
      in_columns(package.numa_nodes.size(), columns, {x + padding, y + 34, width - 2 * padding, 0},
                 {.fill = white, .stroke = frame, .radius = 6},
                 [&](std::size_t i, double left, double top, double wide) {
                   return draw_numa_node(model, package.numa_nodes[i], left, top, wide);
                 });
  part.drawing.add(nodes.drawing);
  part.height = 34 + nodes.height;
  return part;
}

Part draw_node(const PlanModel& model, double y, double width) {
  const std::size_t columns = model.packages.size() > 1 ? 2 : 1;
  return in_columns(model.packages.size(), columns, {margin, y, width - 2 * margin, 0},
                    {.fill = paper, .stroke = frame, .radius = 8},
                    [&](std::size_t i, double left, double top, double wide) {
                      return draw_package(model, model.packages[i], left, top, wide);
                    });
}

// ---- the matrix
// --------------------------------------------------------------------------------------------

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
    heading("fill", "100%: fairest");
    for (std::size_t port = 0; port < model_.ports.size(); ++port)
      part_.drawing.text(middle(port), y_ + 13, fmt::format("{:.0f}%", 100 * model_.ports[port].fill),
                         {.size = small_size, .anchor = "middle"});
    y_ += row_height;
  }

  const PlanModel& model_;
  double y_, column_ = 0;
  Part part_;
};

// ---- what else there is to say
// -----------------------------------------------------------------------------

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
                    rule.score.connectors));
    bar(margin + name_width + column, rule.score.distance / distance,
        fmt::format("{:.2f}, {:.0f}% other package", rule.score.distance / 1000,
                    100 * rule.score.other_package));
    part.height += 21;
  }
  return part;
}

}  // namespace

std::string plan_svg(const PlanModel& model) {
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
  add(Matrix(model, y, width).draw());
  add(draw_legend(model, y));
  add(draw_left_out(model, y, width));
  add(draw_comparison(model, y));
  return picture.document(width, y + margin - gap, "container-ib plan " + model.plan + ": " + model.summary);
}

}  // namespace cib::cli
