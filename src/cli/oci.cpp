// Containers of OCI bundles: Slurm's own (--container), and those of any engine that runs hooks. It runs as
// the task's user, with no right that the user has not.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "adapters/linux/bind_in_root.hpp"
#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/replace_file.hpp"
#include "bundle_config.hpp"
#include "command.hpp"
#include "output.hpp"

namespace cib::cli {

namespace {

constexpr std::size_t largest_config = 16UL * 1024 * 1024;
constexpr std::size_t largest_state = 64UL * 1024;
constexpr int state_timeout_ms = 10'000;

struct OciOptions {
  std::string bundle;
  bool hook = false;
};

struct OpenBundle {
  OpenBundle() = default;
  OpenBundle(OpenBundle&&) = delete;  // moving JSON may throw

  UniqueFd directory;
  std::string file;  // its config.json, for messages
  nlohmann::ordered_json config = nlohmann::ordered_json::object();
  Bundle bundle;
  std::vector<Port> ports;  // of the task whose container it is
};

Result<std::string> read_config(const UniqueFd& directory, const std::string& file) {
  const UniqueFd config(::openat(directory.get(), "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!config) return error(Errc::kernel, "open " + file, errno);
  struct stat status {};
  if (::fstat(config.get(), &status) != 0) return error(Errc::kernel, "stat " + file, errno);
  if (!S_ISREG(status.st_mode)) return error(Errc::bad_request, file + " is not a regular file");
  return read_whole(config.get(), file, largest_config,
                    error(Errc::bad_request, file + " is larger than 16 MiB"));
}

// Nothing when no task of ours is meant, and neither `anyway`; what else is in such a file is not looked at.
Result<std::unique_ptr<OpenBundle>> open_bundle(const std::string& path, bool anyway) {
  auto open = std::make_unique<OpenBundle>();
  open->file = path + "/config.json";
  open->directory = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open->directory) return error(Errc::kernel, "open " + path, errno);
  CIB_TRY(const std::string text, read_config(open->directory, open->file));
  if (!anyway && text.find("CONTAINER_IB_PORTS=") == std::string::npos) return std::unique_ptr<OpenBundle>();
  CIB_TRY(open->config, parse_json(text, open->file));
  CIB_TRY(open->bundle, bundle_of(open->config, open->file));
  CIB_TRY(open->ports, ports_of_task(open->bundle));
  if (!anyway && open->ports.empty()) return std::unique_ptr<OpenBundle>();
  return open;
}

// The devices must be those of this mount namespace, which an engine may have left for an older one.
Status check_devices(const OpenBundle& open) {
  auto nodes = find_device_nodes(open.ports, false);
  return nodes ? Status()
               : std::move(nodes).error().in(
                     "the task's devices are not here, and a container would have others");
}

// Puts what is missing into config.json, which Slurm has just written for this task.
Status prepare(const std::string& path) {
  const bool attached = has_device_mount().value_or(false);
  CIB_TRY(const auto open, open_bundle(path, attached));
  if (!open) return {};
  CIB_CHECK(check_devices(*open));
  if (open->ports.empty())
    complain("oci", "note: " + open->file +
                        " has none of the task's variables, only its devices are added; "
                        "Slurm 22.05 writes it too early, and later ones leave out what EnvExclude names");
  for (const std::string& line : obstacles(open->bundle, ::geteuid())) complain("oci", "note: " + line);
  const auto edits = missing_mounts(open->bundle);
  if (edits.empty()) return {};
  apply(edits, open->config);
  return replace_file(open->directory, "config.json", open->config.dump(), open->file);
}

int exec(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  complain("oci", error(Errc::kernel, "run " + words[0], errno).message());
  return finding;
}

int run_runtime(const std::string& bundle, const std::vector<std::string>& runtime) {
  if (bundle.empty() || runtime.empty()) {
    complain("oci", "say the bundle and the runtime: container-ib oci %b crun ... (or --hook)");
    return usage;
  }
  if (const Status status = prepare(bundle); !status) {
    complain("oci", status.error().message());
    return finding;
  }
  return exec(runtime);
}

// Before pivot_root the container's mount namespace still has all that the runtime's has. In that one itself,
// of a createRuntime hook, nothing of a container's must be mounted.
Status check_stage(const nlohmann::ordered_json& state) {
  const auto pid = state.find("pid");
  if (pid == state.end() || !pid->is_number_unsigned()) return {};
  struct stat own {
  }, containers{};
  if (::stat("/proc/self/ns/mnt", &own) != 0) return error(Errc::kernel, "stat /proc/self/ns/mnt", errno);
  const std::string path = "/proc/" + std::to_string(pid->get<std::uint64_t>()) + "/ns/mnt";
  if (::stat(path.c_str(), &containers) != 0 || own.st_ino == containers.st_ino) return {};
  return error(Errc::bad_request,
               "not in the container's mount namespace; this is a hook for createContainer");
}

Status run_hook() {
  const Said said = read_pipe(STDIN_FILENO, largest_state, state_timeout_ms);
  if (!said.whole) return error(Errc::corrupt, "the container's state on standard input has no end");
  CIB_TRY(const auto state, parse_json(said.text, "the container's state"));
  const auto path = state.find("bundle");
  if (path == state.end() || !path->is_string())
    return error(Errc::corrupt, "the container's state names no bundle");
  CIB_TRY(const auto open, open_bundle(path->get<std::string>(), false));
  if (!open) return {};
  CIB_CHECK(check_stage(state));
  CIB_CHECK(check_devices(*open));
  CIB_TRY(const std::string below, root_of(open->config, open->file));
  const UniqueFd root(::openat(open->directory.get(), below.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return error(Errc::kernel, "open the container's root " + below, errno);
  for (const BundleEdit& edit : missing_mounts(open->bundle)) {
    auto status = bind_in_root(edit.mount.source, root, edit.mount.destination);
    if (!status && status.error().sys_errno == EPERM)
      return std::move(status).error().in(
          "a hook mounts at createContainer only, and with a root in the container's user namespace");
    CIB_CHECK(std::move(status));
  }
  return {};
}

int run(const OciOptions& options, const std::vector<std::string>& runtime) {
  if (!options.hook) return run_runtime(options.bundle, runtime);
  if (!options.bundle.empty()) {
    complain("oci", "--hook takes nothing else: the bundle is named on standard input");
    return usage;
  }
  if (const Status status = run_hook(); !status) {
    complain("oci", status.error().message());
    return finding;
  }
  return fine;
}

}  // namespace

void add_oci(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<OciOptions>();
  CLI::App* command = app.add_subcommand(
      "oci", "Give a bundle's container its task's InfiniBand, then run it: oci BUNDLE [--] RUNTIME ARGS...");
  command->prefix_command();
  command->add_option("bundle", options->bundle,
                      "its folder, which Slurm's oci.conf calls %b; behind it the runtime");
  command->add_flag("--hook", options->hook,
                    "be a createContainer hook: the container's state is on standard input");
  command->callback([options, command, &exit_code] { exit_code = run(*options, command->remaining()); });
}

}  // namespace cib::cli
