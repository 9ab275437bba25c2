#include "spank/say.hpp"

#include "container_ib/text.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

void say(const std::string& line) { slurm_spank_log("%s", printable(line, std::string::npos).c_str()); }
void complain(const std::string& line) { slurm_error("%s", printable(line, std::string::npos).c_str()); }

}  // namespace cib
