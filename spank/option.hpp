// --container-ib, as srun, sbatch, salloc and slurmstepd see it, and what stands for it.
#pragma once

#include <optional>
#include <string>

#include "spank/plugstack_args.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

// In every context but slurmd's; by call, since sbatch and salloc do not load a plugin's static option table.
int register_option(spank_t spank);

// The text behind --container-ib=, "" for the bare option. The last one given counts: srun calls back for the
// one inherited from sbatch first, and slurmstepd up to 23.11 calls back twice. Where none was given the
// variable CONTAINER_IB counts, of the command's environment or of the job's. Nothing when nobody asked. To
// be called from init_post_opt on.
std::optional<std::string> asked_option(spank_t spank);

// For srun, sbatch and salloc: true when it can be launched, or nobody asked; says why not in one line.
bool check_option(spank_t spank, const PlugstackArgs& args);

}  // namespace cib
