// Where the node's inventory comes from.
#pragma once

#include <string>

#include "container_ib/model.hpp"

namespace cib {

struct InventorySource {
  std::string xml;
};

Result<Inventory> load_inventory(const InventorySource& source);

}  // namespace cib
