#include <array>

#include "plan_svg_parts.hpp"

namespace cib::cli {

namespace {

// Neighbours differ in lightness as well as in hue, for those who see few colours and for grey prints.
constexpr std::array port_colours = {"#2f6fcb", "#e69f00", "#12846c", "#cc5f9b", "#6a4fb3", "#9aa516",
                                     "#1596c4", "#c8492f", "#58a65c", "#8a5a32", "#4453a6", "#c7a20a"};

}  // namespace

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

}  // namespace cib::cli
