// Which ports a user's hca= or a site's hca list means.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// Terms with '+' between them; one that begins with '^' takes away what the others name, wherever it stands,
// and where all do, from every port. A term is one of
//   - a glob over device names (mlx5_[0-3]), ports (mlx5_*:1) or the names of their network devices (ib0)
//   - a PCI address, with or without its domain (0000:18:00.0, 18:00.0)
//   - the GUID of a node, port or system image as sysfs or ibstat write it
//     (506b:4b03:003c:eee8, 0x506b4b03003ceee8)
class HcaSelection {
 public:
  // Nothing when some term could match no port of any node.
  static std::optional<HcaSelection> parse(std::string_view text);
  // A site's list: the terms of all texts. An empty list is a selection of nothing.
  static std::optional<HcaSelection> parse(const std::vector<std::string>& texts);

  bool matches(const Port& port) const;
  // Whether it means this port by a term that could mean no other: no wildcard in it.
  bool names(const Port& port) const;

 private:
  struct Term {
    std::string glob;  // empty: pci or guid
    std::optional<PciAddress> pci;
    std::optional<std::uint64_t> guid;
    bool excludes = false;

    static std::optional<Term> parse(std::string_view text);
    bool matches(const Port& port) const;
    bool has_wildcard() const { return glob.find_first_of("*?[") != std::string::npos; }
  };
  bool add(std::string_view text);

  std::vector<Term> terms_;
};

}  // namespace cib
