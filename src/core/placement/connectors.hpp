// Which ports share a connector, and which connectors share a PCIe slot.
#pragma once

#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// A name per port, the same text for ports behind one connector, in the order of `ports`.
std::vector<std::string> connectors_of(const std::vector<Port>& ports);

// Ports (indexes) that share one connector, in the order of the first of each; `physical` are their names.
std::vector<std::vector<std::size_t>> by_connector(const std::vector<std::size_t>& ports,
                                                   const std::vector<std::string>& physical);

// The PCI device (all functions) that carries the port, of the PF when it is a VF; empty when unknown.
std::string pci_slot_name(const Port& port);

}  // namespace cib
