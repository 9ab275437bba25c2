#include <fmt/core.h>

#include <algorithm>

#include "container_ib/text.hpp"
#include "plan_svg_parts.hpp"

namespace cib::cli {

namespace {

constexpr double padding = 12;
constexpr std::string_view paper = "#f5f7f9";

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
  const bool alone = port.tasks == port.connector_tasks;  // or other devices use its connector too
  const std::string load =
      (alone ? "" : fmt::format("{} of ", port.tasks)) +
      fmt::format("{} {}", port.connector_tasks, port.connector_tasks == 1 ? "task" : "tasks");
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

}  // namespace

Part draw_node(const PlanModel& model, double y, double width) {
  const std::size_t columns = model.packages.size() > 1 ? 2 : 1;
  return in_columns(model.packages.size(), columns, {margin, y, width - 2 * margin, 0},
                    {.fill = paper, .stroke = frame, .radius = 8},
                    [&](std::size_t i, double left, double top, double wide) {
                      return draw_package(model, model.packages[i], left, top, wide);
                    });
}

}  // namespace cib::cli
