// All that container-ib writes. In it are the names of users' processes and of files, and what a described
// node's file says: none of that may steer the terminal of who reads it, root's mostly.
#pragma once

#include <cstdio>
#include <string>

namespace cib::cli {

// Lines to standard output, or where it is told; the last has its newline. Anything but printable ASCII
// stands there as \xNN.
void print(const std::string& lines, std::FILE* to = stdout);
// "container-ib plan: no such file" to standard error, in one line whatever is in it.
void complain(const std::string& command, const std::string& line);

// Columns of the terminal that standard output is; else those of $COLUMNS, else 100.
unsigned terminal_width();

// What print() writes.
std::string without_controls(const std::string& lines);

}  // namespace cib::cli
