#include "support/paths.hpp"

namespace cib::test {

std::string in_checkout(const std::string& path) { return CIB_SOURCE_DIR "/" + path; }

std::string plugin_file() { return CIB_PLUGIN; }
std::string agent_file() { return CIB_AGENT; }
std::string echo_agent_file() { return CIB_ECHO_AGENT; }
std::string program_file() { return CIB_PROGRAM; }

}  // namespace cib::test
