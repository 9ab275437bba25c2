// The addresses that one node may give to its tasks' interfaces: its part of the site's pool, decided by its
// place in the site's list of nodes, so that no two nodes of a cluster ever have to ask each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/config.hpp"

namespace cib {

class AddressPool {
 public:
  // The node's part. Errors are bad_config: what is wrong with the policy, or that the node is not in its
  // list.
  static Result<AddressPool> of_node(const AddressPolicy& policy, const std::string& node_name);

  unsigned size() const { return size_; }
  // "10.40.0.5/16": slot 0 to size() - 1, with the length of the whole pool's prefix, since all nodes are on
  // one link.
  std::string address(unsigned slot) const;
  std::string range() const;  // "10.40.0.1-10.40.0.64"

 private:
  std::uint32_t first_ = 0;  // host byte order
  unsigned size_ = 0, prefix_length_ = 0;
};

// The addresses that each node of a host list may give, in its order: "n0=10.40.0.1-10.40.0.64,n1=...". Which
// of them are in use, only that node knows. Errors: unsupported when it would be longer than `limit`
// characters, not_found when a node has none or the list cannot be read.
Result<std::string> addresses_of_nodes(const AddressPolicy& policy, std::string_view host_list,
                                       std::size_t limit);

// Whether the pool is an IPv4 prefix with room for `per_node` addresses of every node: ok, or the reason. For
// whoever reads the site's file.
Status check_addresses(const AddressPolicy& policy);

// The place of a name in Slurm host lists ("n[001-512,600],login"), from 0; empty when it is not there or a
// list cannot be read.
std::optional<std::uint64_t> place_in_host_lists(const std::vector<std::string>& lists,
                                                 std::string_view name);

}  // namespace cib
