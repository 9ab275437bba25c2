#include "adapters/attach/cgroup_actions.hpp"

#include "adapters/linux/device_cgroup.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

Result<WidenedCgroup> cgroup_of(const WidenDeviceCgroup& action) {
  WidenedCgroup cgroup{action.directory, action.inode, {}};
  for (const std::string_view device : split(action.devices, ',')) {
    const auto numbers = split(device, ':');
    const auto major = whole_number<std::uint32_t>(numbers.front()),
               minor = whole_number<std::uint32_t>(numbers.back());
    if (numbers.size() != 2 || !major || !minor)
      return error(Errc::corrupt, "'" + printable(device) + "' is no number of a device");
    cgroup.devices.push_back({*major, *minor});
  }
  return cgroup;
}

}  // namespace

Status apply(const WidenDeviceCgroup& action) {
  CIB_TRY(const auto cgroup, cgroup_of(action));
  return widen_device_cgroup(cgroup);
}

Status undo(const WidenDeviceCgroup& action) {
  CIB_TRY(const auto cgroup, cgroup_of(action));
  return narrow_device_cgroup(cgroup);
}

Status verify(const WidenDeviceCgroup& action) {
  CIB_TRY(const auto cgroup, cgroup_of(action));
  return verify_device_cgroup(cgroup);
}

}  // namespace cib
