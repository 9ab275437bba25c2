// The few shapes that our pictures are made of, as SVG text.
#pragma once

#include <string>
#include <string_view>

namespace cib::cli {

// Text as it may stand in an element or an attribute: markup escaped, what XML 1.0 does not allow as \xNN.
std::string xml_text(std::string_view text);

// As much of the text as fits into `width` in our monospaced font of that size.
std::string fit(const std::string& text, double width, double font_size);
double text_width(const std::string& text, double font_size);

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

struct Paint {
  std::string_view fill = "none";
  double opacity = 1;
  std::string_view stroke = "none";
  double stroke_width = 1;
  double radius = 0;
};

struct Font {
  double size = 12;
  std::string_view fill = "#1f2933";
  std::string_view anchor = "start";  // start, middle or end
  bool bold = false;
};

// Shapes in the order in which they were added, later ones on top.
class Drawing {
 public:
  void rectangle(const Box& box, const Paint& paint);
  void text(double x, double y, const std::string& text, const Font& font);
  void line(double x1, double y1, double x2, double y2, std::string_view stroke);
  void add(const Drawing& other) { shapes_ += other.shapes_; }

  // The whole document, with a title for screen readers.
  std::string document(double width, double height, const std::string& title) const;

 private:
  std::string shapes_;
};

}  // namespace cib::cli
