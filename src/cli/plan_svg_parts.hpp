// The parts of a plan's picture, and what they have in common.
#pragma once

#include <string_view>

#include "plan_model.hpp"
#include "svg.hpp"

namespace cib::cli {

inline constexpr double margin = 32, gap = 14;
inline constexpr double heading_size = 14, text_size = 11, small_size = 9.5;
inline constexpr double label_width = 190, least_column = 30;  // of the matrix
inline constexpr std::string_view faint = "#66727f", frame = "#c3ccd5", white = "#ffffff";

std::string_view colour_of_port(std::size_t port);
std::string_view colour_of(Nearness nearness);

// Drawn with its upper edge where it was asked for.
struct Part {
  Drawing drawing;
  double height = 0;
};

// Packages side by side, in them their NUMA nodes with ports, GPUs and tasks.
Part draw_node(const PlanModel& model, double y, double width);

// Tasks and GPUs against ports.
Part draw_matrix(const PlanModel& model, double y, double width);

}  // namespace cib::cli
