#include "adapters/linux/selinux.hpp"

#include "adapters/linux/bounded_read.hpp"

namespace cib {

std::optional<bool> selinux_enforces(const std::string& root) {
  const auto text = read_small_file(root + "/enforce");
  if (!text) return std::nullopt;
  return text->starts_with('1');
}

std::string about_selinux(std::optional<bool> enforces) {
  if (!enforces) return {};
  if (!*enforces) return "SELinux is permissive: labels of P_Keys refuse nothing";
  return "SELinux enforces: where the policy labels a P_Key (ibpkeycon; 'semanage ibpkey -l'), only a task "
         "whose domain may access that label can use it for queue pairs, whatever pkey= says";
}

}  // namespace cib
