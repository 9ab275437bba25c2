#pragma once

namespace cib::cli {

// Columns of the terminal that standard output is; else those of $COLUMNS, else 100.
unsigned terminal_width();

}  // namespace cib::cli
