#include "svg.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "container_ib/text.hpp"
#include "table.hpp"

namespace cib::cli {

namespace {

constexpr double character = 0.602;  // width of a character of DejaVu Sans Mono, for a size of 1
constexpr std::string_view fonts = "DejaVu Sans Mono, Menlo, Consolas, monospace";

}  // namespace

std::string xml_text(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, 4 * text.size())) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

double text_width(const std::string& text, double font_size) {
  return static_cast<double>(text.size()) * character * font_size;
}

std::string fit(const std::string& text, double width, double font_size) {
  return shortened(text, static_cast<std::size_t>(std::max(width / (character * font_size), 0.0)));
}

void Drawing::rectangle(const Box& box, const Paint& paint) {
  shapes_ += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}")", box.x,
                         box.y, box.width, box.height, paint.fill);
  if (paint.opacity != 1) shapes_ += fmt::format(R"( fill-opacity="{:.2f}")", paint.opacity);
  if (paint.stroke != "none")
    shapes_ += fmt::format(R"( stroke="{}" stroke-width="{:.1f}")", paint.stroke, paint.stroke_width);
  if (paint.radius != 0) shapes_ += fmt::format(R"( rx="{:.1f}")", paint.radius);
  shapes_ += "/>\n";
}

void Drawing::text(double x, double y, const std::string& text, const Font& font) {
  shapes_ +=
      fmt::format(R"(<text x="{:.1f}" y="{:.1f}" font-size="{:.1f}" fill="{}")", x, y, font.size, font.fill);
  if (font.anchor != "start") shapes_ += fmt::format(R"( text-anchor="{}")", font.anchor);
  if (font.bold) shapes_ += R"( font-weight="bold")";
  shapes_ += fmt::format(">{}</text>\n", xml_text(text));
}

void Drawing::line(double x1, double y1, double x2, double y2, std::string_view stroke) {
  shapes_ += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)", x1, y1, x2,
                         y2, stroke) +
             "\n";
}

std::string Drawing::document(double width, double height, const std::string& title) const {
  return fmt::format(
             R"(<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}"
  font-family="{2}">
<title>{3}</title>
<rect width="{0:.0f}" height="{1:.0f}" fill="#ffffff"/>
)",
             width, height, fonts, xml_text(title)) +
         shapes_ + "</svg>\n";
}

}  // namespace cib::cli
