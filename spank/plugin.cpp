// The entry points that Slurm calls. Each is one guarded call; what happens is in option, slurmstepd and
// task. Which hook runs where, as whom: doc/adr/0001-processes-of-a-step.md.

#include <exception>
#include <memory>
#include <new>

#include "spank/agent_process.hpp"
#include "spank/option.hpp"
#include "spank/plugstack_args.hpp"
#include "spank/slurmstepd.hpp"
#include "spank/spank_abi.hpp"
#include "spank/task.hpp"

extern "C" {
SPANK_PLUGIN(container_ib, 1)
}

namespace {

using cib::SlurmstepdHalf;

// The one static of the plugin: Slurm gives hooks no context pointer. Lives from init to exit.
struct Plugin {
  cib::PlugstackArgs args;
  std::unique_ptr<SlurmstepdHalf> step;  // in slurmstepd, and copied by fork into its tasks
};
std::unique_ptr<Plugin> plugin;

// A plugstack.conf may list the plugin more than once. Slurm then calls every hook as often, one call right
// after the other, and all of them have these statics, since dlopen gives the same library again. The first
// line counts.
unsigned listings = 0;

// Whether this call of a hook is for the first line.
class FirstOfEach {
 public:
  bool operator()() { return calls_++ % (listings == 0 ? 1 : listings) == 0; }

 private:
  unsigned calls_ = 0;
};

constexpr int failure = -1;  // Slurm up to 24.11 takes positive codes for success

// Slurm is C: nothing may be thrown through it. Nothing in here is expected to throw but bad_alloc.
template <class Body>
int guard(const char* hook, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::exception& e) {
    slurm_error("container-ib: %s: %s", hook, e.what());
  } catch (...) {
    slurm_error("container-ib: %s: unknown exception", hook);
  }
  return failure;
}

bool in_step() { return plugin && plugin->step; }

}  // namespace

extern "C" {

CIB_EXPORT int slurm_spank_init(spank_t spank, int argc, char** argv) {
  return guard("init", [&] {
    if (++listings > 1) {
      slurm_error(
          "container-ib: listed more than once in plugstack.conf: the first line counts, remove the others");
      return 0;
    }
    plugin = std::make_unique<Plugin>();
    plugin->args = cib::read_plugstack_args(argc, argv);
    if (spank_context() == S_CTX_SLURMD) {
      cib::reap_in_background(plugin->args);
      return 0;
    }
    return cib::register_option(spank);
  });
}

CIB_EXPORT int slurm_spank_init_post_opt(spank_t spank, int, char**) {
  static FirstOfEach first;
  return guard("init_post_opt", [&] {
    if (!first() || !plugin) return 0;
    if (spank_context() != S_CTX_REMOTE) return cib::check_option(spank, plugin->args) ? 0 : failure;
    plugin->step = SlurmstepdHalf::begin(spank, plugin->args);
    return 0;  // an error here would drain the node for a user's mistake: it is kept for task_init
  });
}

CIB_EXPORT int slurm_spank_task_init_privileged(spank_t spank, int, char**) {
  static FirstOfEach first;
  return guard("task_init_privileged",
               [&] { return first() && in_step() ? cib::enter_task(spank, *plugin->step) : 0; });
}

CIB_EXPORT int slurm_spank_task_post_fork(spank_t spank, int, char**) {
  static FirstOfEach first;
  return guard("task_post_fork", [&] {
    if (first() && in_step()) plugin->step->task_started(spank);
    return 0;
  });
}

CIB_EXPORT int slurm_spank_task_init(spank_t spank, int, char**) {
  static FirstOfEach first;
  return guard("task_init",
               [&] { return first() && in_step() ? cib::attach_task(spank, *plugin->step) : 0; });
}

CIB_EXPORT int slurm_spank_task_exit(spank_t spank, int, char**) {
  static FirstOfEach first;
  return guard("task_exit", [&] {
    if (first() && in_step()) plugin->step->task_exited(spank);
    return 0;
  });
}

CIB_EXPORT int slurm_spank_job_epilog(spank_t spank, int argc, char** argv) {
  return guard("job_epilog", [&] {  // a process of its own, in which init was not called
    cib::reap_job(spank, cib::read_plugstack_args(argc, argv));
    return 0;
  });
}

CIB_EXPORT int slurm_spank_exit(spank_t, int, char**) {
  return guard("exit", [&] {
    if (in_step()) plugin->step->end();
    plugin.reset();
    listings = 0;
    return 0;
  });
}

}  // extern "C"
