// Whether SELinux decides what tasks may do.
#pragma once

#include <optional>
#include <string>

namespace cib {

// By the selinuxfs below `root` ("/sys/fs/selinux"). Empty: this kernel runs without SELinux; false: it only
// logs what it would refuse.
std::optional<bool> selinux_enforces(const std::string& root = "/sys/fs/selinux");

// What an administrator should know of it, one line; empty without SELinux. P_Keys have labels of their own
// (ibpkeycon in the policy), and the kernel asks for `access` of the class infiniband_pkey when a queue pair
// of InfiniBand is to use one (ib_security_modify_qp in core/security.c).
std::string about_selinux(std::optional<bool> enforces);

}  // namespace cib
