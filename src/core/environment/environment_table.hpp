// Which variable makes which stack use which port, and when: data for build_environment().
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "container_ib/environment.hpp"

namespace cib {

inline constexpr std::string_view own_record = "container-ib";  // always written, also over the user's

struct Variable {
  std::string_view name;
  std::string_view profile;
  bool (*when)(const EnvironmentInputs&);
  std::string (*value)(const EnvironmentInputs&);  // empty answer: leave the variable alone
  std::string_view constant = {};                  // the value when `value` is null
};

// What the user has set and what follows from it. `harmful`: told whatever report is asked for.
struct UserConflict {
  std::string_view profile;
  bool (*holds)(const EnvironmentInputs&);
  std::string_view note;
  bool harmful = false;
};

std::span<const Variable> environment_table();
std::span<const UserConflict> user_conflicts();
std::span<const std::string_view> variables_read_only();  // looked at, never set

}  // namespace cib
