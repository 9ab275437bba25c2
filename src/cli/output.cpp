#include "output.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "container_ib/text.hpp"

namespace cib::cli {

std::string without_controls(const std::string& lines) {
  std::string text;
  for (const std::string_view line : split(lines, '\n')) text += printable(line, std::string::npos) + '\n';
  text.pop_back();  // behind the last newline there is an empty line more
  return text;
}

void print(const std::string& lines, std::FILE* to) { fmt::print(to, "{}", without_controls(lines)); }

void complain(const std::string& command, const std::string& line) {
  fmt::print(stderr, "container-ib{}{}: {}\n", command.empty() ? "" : " ", command,
             printable(line, std::string::npos));
}

unsigned terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  constexpr unsigned usual = 100;
  const char* columns = std::getenv("COLUMNS");
  return columns == nullptr ? usual : whole_number<unsigned>(columns).value_or(usual);
}

}  // namespace cib::cli
