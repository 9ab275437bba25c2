// Text in columns, as wide as their content.
#pragma once

#include <string>
#include <vector>

namespace cib::cli {

using Row = std::vector<std::string>;

// The first row is the heading. No blanks at the ends of lines; empty cells show as "-".
std::string format_table(const std::vector<Row>& rows);

}  // namespace cib::cli
