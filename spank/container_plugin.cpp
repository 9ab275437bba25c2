#include "spank/container_plugin.hpp"

#include <link.h>

#include <string_view>

#include "spank/job.hpp"

namespace cib {

namespace {

// What asks a plugin for a container: its option, or a variable of the job's in its place, which says nothing
// where the plugin is not loaded.
struct Sign {
  const char* option;
  const char* variable;  // null: none
  const char* library;   // in the name of the plugin's file
};

constexpr Sign signs[] = {
    // pyxis: args.c
    {"container-image", "PYXIS_CONTAINER_IMAGE", "pyxis"},
    {"container-name", "PYXIS_CONTAINER_NAME", "pyxis"},
    // Skybox (sarus-suite): args.rs
    {"edf", nullptr, "skybox"},
};

bool option_is_given(spank_t spank, const char* name) {
  spank_option option{};
  option.name = const_cast<char*>(name);
  option.has_arg = 1;
  char* argument = nullptr;  // Slurm's memory, for which there is no call that a plugin could free it by
  return spank_option_getopt(spank, &option, &argument) == ESPANK_SUCCESS;
}

int is_named(dl_phdr_info* object, std::size_t, void* name) {
  const std::string_view path = object->dlpi_name == nullptr ? "" : object->dlpi_name;
  return path.find(static_cast<const char*>(name)) != std::string_view::npos ? 1 : 0;
}

bool is_loaded(const char* library) { return ::dl_iterate_phdr(is_named, const_cast<char*>(library)) != 0; }

}  // namespace

std::string container_option(spank_t spank) {
  for (const Sign& sign : signs) {
    const bool given =
        option_is_given(spank, sign.option) ||
        (sign.variable != nullptr && variable_is_set(spank, sign.variable) && is_loaded(sign.library));
    if (given) return std::string("--") + sign.option;
  }
  return {};
}

}  // namespace cib
