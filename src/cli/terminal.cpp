#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "container_ib/text.hpp"

namespace cib::cli {

unsigned terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  constexpr unsigned usual = 100;
  const char* columns = std::getenv("COLUMNS");
  return columns == nullptr ? usual : whole_number<unsigned>(columns).value_or(usual);
}

}  // namespace cib::cli
