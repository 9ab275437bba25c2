#pragma once

#include <string_view>

namespace cib {

// Whether a client of this version of PMIx can talk to a server of that one. True of what is no version.
bool pmix_can_talk(std::string_view client, std::string_view server);

}  // namespace cib
