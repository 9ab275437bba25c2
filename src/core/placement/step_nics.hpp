// Which HCAs Slurm's gres/nic has given a step.
#pragma once

#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// The names of the ports that a list means, as SLURM_STEP_NICS has it; empty when it means none of these.
//
// A word is the name of a device or a port, or a number. Slurm puts "mlx4_" before the number whatever an HCA
// is called (gres_nic.c, 22.05 to 26.05), and the number is that of the File in gres.conf: of a device that
// the kernel has named with one (mlx5_2), else, where udev has given names (ibp24s0), of its node
// /dev/infiniband/uverbs2.
std::vector<std::string> ports_of_nics(const std::vector<Port>& ports, const std::vector<std::string>& nics);

// The tasks with what their allowed_nics mean in place of them. A list that means no port of the node is
// Slurm's mistake or the site's, and no reason to give nothing: it is left out, with a note.
std::vector<LocalTask> with_nics_as_ports(std::vector<LocalTask> tasks, const std::vector<Port>& ports,
                                          std::vector<std::string>& notes);

}  // namespace cib
