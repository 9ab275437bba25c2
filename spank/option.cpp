#include "spank/option.hpp"

#include "container_ib/request.hpp"
#include "container_ib/wire.hpp"
#include "spank/say.hpp"

namespace cib {

namespace {

std::optional<std::string> given;

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

}  // namespace

int register_option(spank_t spank) {
  given.reset();
  option_usage = "native InfiniBand in containers: " + modes_of_this_version();
  option.usage = option_usage.data();
  return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

const std::optional<std::string>& given_option() { return given; }

bool check_option(const PlugstackArgs& args) {
  const auto judge = [&]() -> Status {
    if (!args.error.empty()) return error(Errc::bad_config, args.error);
    CIB_TRY(const Request request, parse_request(*given));
    CIB_CHECK(check_mode(request.mode));
    if (wire::Start start; !start.option.set(*given))
      return error(Errc::bad_request, "--container-ib: longer than 1023 characters");
    return {};
  };
  const Status status = judge();
  if (!status) complain(status.error().message());
  return status.ok();
}

}  // namespace cib
