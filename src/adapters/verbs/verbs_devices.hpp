#pragma once

#include <map>
#include <string>

namespace cib {

// What a program that uses libibverbs finds on this machine, by device name: empty when it can open the
// device, else the reason. A device that is missing has no provider here (ibv_get_device_list leaves out what
// it has no driver for). Opens every device, as any MPI program does: for a person's question, not for the
// agent (doc/adr/0002).
std::map<std::string, std::string> verbs_devices();

}  // namespace cib
