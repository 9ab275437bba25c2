// Where this checkout and what was built of it are. Only paths.cpp is compiled with these paths: what has
// none in its compile line comes out of ccache in a checkout elsewhere.
#pragma once

#include <string>

namespace cib::test {

// A file of this checkout, by its path below the root.
std::string in_checkout(const std::string& path);

std::string plugin_file();
std::string agent_file();
std::string echo_agent_file();  // tests/abi/echo_agent.cpp
std::string program_file();     // container-ib

}  // namespace cib::test
