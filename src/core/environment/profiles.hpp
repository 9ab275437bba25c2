// The names that `env=` takes, shared by the parser and the table of variables. No heavy include: the SPANK
// plugin links the parser.
#pragma once

#include <array>
#include <string_view>

namespace cib {

struct Profile {
  std::string_view name;
  bool in_auto;              // its variables are harmless where the stack is absent
  std::string_view implies;  // further profiles, blanks between
};

inline constexpr std::array profiles = {
    Profile{"ucx", true, ""},          Profile{"ompi", true, ""},       Profile{"pmix", true, ""},
    Profile{"nccl", true, ""},  // RCCL reads the same variables
    Profile{"efa", true, ""},          Profile{"mvapich", true, ""},    Profile{"mpich", false, "ucx"},
    Profile{"intelmpi", false, "ucx"}, Profile{"libfabric", false, ""}, Profile{"nvshmem", false, ""},
    Profile{"hcoll", false, ""},       Profile{"pami", false, ""},
};

}  // namespace cib
