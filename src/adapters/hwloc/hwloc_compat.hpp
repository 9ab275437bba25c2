// What differs between hwloc 2 and 3, and nothing else: the kind of an OS device.
#pragma once

#include <hwloc.h>

namespace cib {

inline bool is_os_device(hwloc_obj_t object, [[maybe_unused]] hwloc_obj_osdev_type_t type) {
#if HWLOC_API_VERSION >= 0x00030000
  return (object->attr->osdev.types & static_cast<unsigned long>(type)) != 0;
#else
  return object->attr->osdev.type == type;
#endif
}

inline bool is_openfabrics(hwloc_obj_t object) { return is_os_device(object, HWLOC_OBJ_OSDEV_OPENFABRICS); }

}  // namespace cib
