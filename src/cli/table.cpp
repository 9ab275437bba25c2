#include "table.hpp"

#include <algorithm>
#include <cstddef>

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

std::string ranges(const std::vector<unsigned>& numbers) {
  constexpr std::size_t worth_a_step = 4;  // "0,2,4" says as much as "0-4:2"
  std::string text;
  for (std::size_t begin = 0; begin < numbers.size();) {
    const unsigned step = begin + 1 < numbers.size() ? numbers[begin + 1] - numbers[begin] : 1;
    std::size_t end = begin + 1;
    while (end < numbers.size() && numbers[end] - numbers[end - 1] == step) ++end;
    if (step != 1 && end - begin < worth_a_step) end = begin + 1;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[begin]);
    if (end - begin > 1) text += '-' + std::to_string(numbers[end - 1]);
    if (end - begin > 1 && step != 1) text += ':' + std::to_string(step);
    begin = end;
  }
  return text;
}

}  // namespace cib::cli
