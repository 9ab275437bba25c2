#include "device_names.hpp"

#include <algorithm>
#include <optional>

#include "small_files.hpp"

namespace cib {

namespace {

std::optional<Directory> class_of(const std::string& root, const std::string& name) {
  auto found = Directory::open(root + "/class/" + name);
  return found ? std::move(found) : Directory::open(root + "/sys/class/" + name);
}

void add(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

DeviceNames read_device_names(const std::string& root, const std::vector<Port>& ports, bool umad) {
  DeviceNames names;
  const auto collect = [&](const char* of_class, const std::string& prefix, bool by_port) {
    const auto nodes = class_of(root, of_class);
    if (!nodes) return;
    for (const std::string& name : nodes->names()) {
      const auto device = nodes->line(name + "/ibdev"), number = nodes->line(name + "/port");
      if (!name.starts_with(prefix) || !device) continue;
      for (const Port& port : ports)
        if (port.device == *device && (!by_port || number == std::to_string(port.number)))
          add(names.of_device[port.device], name);
    }
  };
  collect("infiniband_verbs", "uverbs", false);
  if (umad) collect("infiniband_mad", "umad", true);
  if (const auto misc = class_of(root, "misc"); misc && misc->sub("rdma_cm")) names.shared = {"rdma_cm"};
  return names;
}

}  // namespace cib
