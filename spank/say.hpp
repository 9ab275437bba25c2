// What the plugin writes, to the user and to Slurm's log. There are names in it that users choose: none of
// them may steer the terminal of who reads it.
#pragma once

#include <string>

namespace cib {

void say(const std::string& line);  // slurm_spank_log: to the user
void complain(
    const std::string& line);  // slurm_error: to the user of srun or of the task, and to slurmd's log

}  // namespace cib
