#include "table.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib::cli {

std::string format_table(const std::vector<Row>& rows) {
  std::vector<Row> shown = rows;  // a newline in a cell would begin a row of its own
  for (auto& row : shown)
    for (auto& cell : row) cell = printable(cell, std::string::npos);
  std::vector<std::size_t> widths;
  for (const auto& row : shown) {
    widths.resize(std::max(widths.size(), row.size()), 1);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : shown) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = row[i].empty() ? "-" : row[i];
      line += cell + std::string(widths[i] - cell.size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string shortened(const std::string& text, std::size_t length) {
  if (text.size() <= length) return text;
  if (length <= 2) return text.substr(0, length);
  const std::size_t end = (length - 2) / 2;
  return text.substr(0, length - 2 - end) + ".." + text.substr(text.size() - end);
}

}  // namespace cib::cli
