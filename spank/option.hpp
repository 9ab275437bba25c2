// --container-ib, as srun, sbatch, salloc and slurmstepd see it.
#pragma once

#include <optional>
#include <string>

#include "spank/plugstack_args.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

// In every context but slurmd's; by call, since sbatch and salloc do not load a plugin's static option table.
int register_option(spank_t spank);

// The text behind --container-ib=, "" for the bare option; nothing when it was not given. The last one given
// counts: srun calls back for the one inherited from sbatch first, and slurmstepd up to 23.11 calls back
// twice.
const std::optional<std::string>& given_option();

// For srun, sbatch and salloc: true when it can be launched; says why not in one line.
bool check_option(const PlugstackArgs& args);

}  // namespace cib
