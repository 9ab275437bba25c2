#include "spank/option.hpp"

#include <array>
#include <cstdlib>

#include "container_ib/request.hpp"
#include "container_ib/wire.hpp"
#include "spank/say.hpp"

namespace cib {

namespace {

constexpr const char* variable = "CONTAINER_IB";
// By which srun takes an option of ours from its environment (spank.8:
// SLURM_SPANK__SLURM_SPANK_OPTION_plugin_option, where '-' is '_').
constexpr const char* slurms_variable = "SLURM_SPANK__SLURM_SPANK_OPTION_container_ib_container_ib";

std::optional<std::string> given;
bool from_variable = false;  // what counts is the value of `variable`
bool set_slurms_variable = false;

int on_option(int, const char* text, int) {
  given = text == nullptr ? "" : text;
  return 0;  // judged in init_post_opt, once all options are known
}

// Slurm keeps pointers to these. --name=arginfo and usage must stay short: Slurm prints them through buffers
// of 81 bytes (_spank_opt_print).
char option_name[] = "container-ib";
char option_arginfo[] = "[MODE[,KEY=VALUE...]]";
std::string option_usage;
constexpr int optional_argument = 2;

spank_option option = {option_name, option_arginfo, nullptr, optional_argument, 0, on_option};

std::string value_of_variable(spank_t spank) {
  if (spank_context() != S_CTX_REMOTE) {
    const char* value = std::getenv(variable);
    return value == nullptr ? "" : value;
  }
  std::array<char, 2048> value{};  // twice what is taken
  const auto rc = spank_getenv(spank, variable, value.data(), static_cast<int>(value.size()) - 1);
  return rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE ? value.data() : "";
}

// srun passes an option on to the nodes, but the variable only if it exports it (--export=NONE). So it is
// made what Slurm takes for an option that sbatch has handed down; one that sbatch did hand down stays. Not
// in sbatch and salloc: there it would outlive a change of the variable in the script.
void hand_on_variable(spank_t spank) {
  const std::string value = value_of_variable(spank);
  if (value.empty() || std::getenv(slurms_variable) != nullptr) return;
  set_slurms_variable = ::setenv(slurms_variable, value.c_str(), 1) == 0;
}

// Slurm has read it; what the tasks start shall not find it.
void take_back_slurms_variable() {
  if (set_slurms_variable) (void)::unsetenv(slurms_variable);
  set_slurms_variable = false;
}

}  // namespace

int register_option(spank_t spank) {
  given.reset();
  from_variable = set_slurms_variable = false;
  option_usage = "native InfiniBand: " + modes_of_this_version();
  option.usage = option_usage.data();
  if (spank_context() == S_CTX_LOCAL) hand_on_variable(spank);
  return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

std::optional<std::string> asked_option(spank_t spank) {
  const std::string value = value_of_variable(spank);
  from_variable = !value.empty() && (!given || (set_slurms_variable && *given == value));
  return given || value.empty() ? given : value;
}

bool check_option(spank_t spank, const PlugstackArgs& args) {
  const auto asked = asked_option(spank);
  take_back_slurms_variable();
  if (!asked) return true;
  const auto judge = [&]() -> Status {
    if (!args.error.empty()) return error(Errc::bad_config, args.error);
    CIB_TRY(const Request request, parse_request(*asked));
    CIB_CHECK(check_mode(request.mode));
    if (wire::Start start; !start.option.set(*asked))
      return error(Errc::bad_request, "--container-ib: longer than 1023 characters");
    return {};
  };
  const Status status = judge();
  const std::string of_variable =
      from_variable ? std::string("; ") + variable + " in the environment says so" : "";
  if (!status) complain(status.error().message() + of_variable);
  return status.ok();
}

}  // namespace cib
