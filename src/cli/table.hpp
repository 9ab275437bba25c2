// Text as people read it: columns as wide as their content, long names cut, numbers as ranges.
#pragma once

#include <string>
#include <vector>

namespace cib::cli {

using Row = std::vector<std::string>;

// The first row is the heading. No blanks at the ends of lines; empty cells show as "-".
std::string format_table(const std::vector<Row>& rows);

// At most `length` characters, ".." in the place of the middle: names often differ only at their ends.
std::string shortened(const std::string& text, std::size_t length);

// "0-3,8" for ascending numbers; every other of many as "0-62:2".
std::string ranges(const std::vector<unsigned>& numbers);

}  // namespace cib::cli
