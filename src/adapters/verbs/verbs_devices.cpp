#include "adapters/verbs/verbs_devices.hpp"

#include <dlfcn.h>
#include <infiniband/verbs.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace cib {

namespace {

// libibverbs, loaded when it is asked for: other commands start without it, and a login node may not have it.
class Library {
 public:
  Library() : handle_(::dlopen("libibverbs.so.1", RTLD_NOW | RTLD_LOCAL)) {
    get_device_list = find<decltype(&ibv_get_device_list)>("ibv_get_device_list");
    free_device_list = find<decltype(&ibv_free_device_list)>("ibv_free_device_list");
    get_device_name = find<decltype(&ibv_get_device_name)>("ibv_get_device_name");
    open_device = find<decltype(&ibv_open_device)>("ibv_open_device");
    close_device = find<decltype(&ibv_close_device)>("ibv_close_device");
  }
  // Never unloaded: its providers register themselves.
  ~Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool complete() const {
    return get_device_list != nullptr && free_device_list != nullptr && get_device_name != nullptr &&
           open_device != nullptr && close_device != nullptr;
  }

  decltype(&ibv_get_device_list) get_device_list = nullptr;
  decltype(&ibv_free_device_list) free_device_list = nullptr;
  decltype(&ibv_get_device_name) get_device_name = nullptr;
  decltype(&ibv_open_device) open_device = nullptr;
  decltype(&ibv_close_device) close_device = nullptr;

 private:
  template <class Function>
  Function find(const char* name) const {
    return handle_ == nullptr ? nullptr : reinterpret_cast<Function>(::dlsym(handle_, name));
  }

  void* handle_;
};

std::string try_to_open(const Library& library, ibv_device* device) {
  errno = 0;
  ibv_context* context = library.open_device(device);
  if (context == nullptr)
    return std::string("cannot be opened: ") + std::strerror(errno != 0 ? errno : ENODEV);
  (void)library.close_device(context);
  return {};
}

}  // namespace

std::optional<std::map<std::string, std::string>> verbs_devices() {
  const Library library;
  if (!library.complete()) return std::nullopt;
  std::map<std::string, std::string> found;
  int count = 0;
  const std::unique_ptr<ibv_device*, void (*)(ibv_device**)> list(library.get_device_list(&count),
                                                                  library.free_device_list);
  for (int i = 0; list != nullptr && i < count; ++i) {
    ibv_device* device = list.get()[i];
    found[library.get_device_name(device)] = try_to_open(library, device);
  }
  return found;
}

}  // namespace cib
