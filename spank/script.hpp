// The scripts that a task starts, which may start a container.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cib {

// The text of the scripts that the command names, each cut after 64 KiB; empty when it names none. They are
// read as the caller and from its folder, so it is for task_init, where that is the job's user. `path`: the
// user's PATH, for the first word.
std::string scripts_of(std::span<const std::string_view> command, std::string_view path);

}  // namespace cib
