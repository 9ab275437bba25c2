#include "ranges.hpp"

#include <cstddef>

namespace cib::cli {

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
