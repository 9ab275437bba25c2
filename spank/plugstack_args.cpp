#include "spank/plugstack_args.hpp"

#include <string_view>

namespace cib {

PlugstackArgs read_plugstack_args(int argc, char** argv) {
  PlugstackArgs args;
  args.agent = CIB_AGENT_PATH;
  args.state = "/run/container-ib";
  for (int i = 0; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    if (key == "default" && !value.empty()) {
      args.by_default = std::string(value);
      continue;
    }
    std::string* slot = key == "config"  ? &args.config
                        : key == "agent" ? &args.agent
                        : key == "state" ? &args.state
                                         : nullptr;
    if (slot != nullptr && value.starts_with('/'))
      *slot = std::string(value);
    else
      args.error =
          "plugstack.conf: argument '" + std::string(word) +
          "' is not one of config=/PATH, agent=/PATH, state=/PATH, default=OPTION; ask your administrator";
  }
  return args;
}

}  // namespace cib
