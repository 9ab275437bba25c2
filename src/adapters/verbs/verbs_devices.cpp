#include "adapters/verbs/verbs_devices.hpp"

#include <infiniband/verbs.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace cib {

namespace {

std::string try_to_open(ibv_device* device) {
  errno = 0;
  ibv_context* context = ibv_open_device(device);
  if (context == nullptr)
    return std::string("cannot be opened: ") + std::strerror(errno != 0 ? errno : ENODEV);
  (void)ibv_close_device(context);
  return {};
}

}  // namespace

std::map<std::string, std::string> verbs_devices() {
  std::map<std::string, std::string> found;
  int count = 0;
  const std::unique_ptr<ibv_device*, void (*)(ibv_device**)> list(ibv_get_device_list(&count),
                                                                  ibv_free_device_list);
  for (int i = 0; list != nullptr && i < count; ++i) {
    ibv_device* device = list.get()[i];
    found[ibv_get_device_name(device)] = try_to_open(device);
  }
  return found;
}

}  // namespace cib
