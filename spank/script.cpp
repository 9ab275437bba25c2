#include "spank/script.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "adapters/linux/bounded_read.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t longest_script = 64UL * 1024;
constexpr std::size_t words_looked_at = 16;

// Empty when there is no such file, or none that can be read.
std::string begin_of_file(const std::string& path) {
  const UniqueFd file = open_regular_file(AT_FDCWD, path);
  auto text = file ? read_up_to(file.get(), path, longest_script) : Result<std::string>(std::string());
  return text ? *std::move(text) : std::string();
}

std::string found_in(std::string_view path, std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  for (const std::string_view folder : split(path, ':')) {
    std::string file = std::string(folder.empty() ? "." : folder) + "/" + std::string(name);
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return std::string(name);
}

bool is_shell(std::string_view word) {
  constexpr std::array shells = {"sh", "bash", "dash", "zsh", "ksh"};
  return std::find(shells.begin(), shells.end(), last_component(word)) != shells.end();
}

}  // namespace

std::string scripts_of(std::span<const std::string_view> command, std::string_view path) {
  std::string scripts;
  bool shell = false;  // what is not marked as a script is one if a shell is to read it
  for (std::size_t i = 0; i < std::min(command.size(), words_looked_at); ++i) {
    std::string text = begin_of_file(i == 0 ? found_in(path, command[i]) : std::string(command[i]));
    if (text.starts_with("#!") || (shell && text.find('\0') == std::string::npos)) scripts += text + '\n';
    shell = shell || is_shell(command[i]);
  }
  return scripts;
}

}  // namespace cib
