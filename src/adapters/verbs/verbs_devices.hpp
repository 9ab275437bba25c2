#pragma once

#include <map>
#include <optional>
#include <string>

namespace cib {

// What a program that uses libibverbs finds on this machine, by device name: empty when it can open the
// device, else the reason. A device that is missing has no provider or no node in /dev/infiniband
// (ibv_get_device_list leaves it out). Nothing where libibverbs is not installed.
// Opens every device, as any MPI program does: for a person's question, not for the agent (doc/adr/0002).
std::optional<std::map<std::string, std::string>> verbs_devices();

}  // namespace cib
