#include "container_ib/address_pool.hpp"

#include <algorithm>

#include "container_ib/ipv4.hpp"
#include "container_ib/text.hpp"
#include "host_list.hpp"

namespace cib {

namespace {

// Of which nothing but the network is said.
std::optional<Ipv4OnNetwork> parse_prefix(std::string_view text) {
  const auto prefix = Ipv4OnNetwork::parse(text);
  return prefix && prefix->network() == prefix->address ? prefix : std::nullopt;
}

Error wrong(const std::string& what) { return error(Errc::bad_config, "addresses." + what); }

}  // namespace

Status check_addresses(const AddressPolicy& policy) {
  if (policy.pool.empty()) return {};
  const auto prefix = parse_prefix(policy.pool);
  if (!prefix) return wrong("pool: '" + printable(policy.pool) + "' is no IPv4 prefix such as 10.40.0.0/16");
  if (policy.nodes.empty()) return wrong("nodes: needed for a pool, all nodes of the cluster in one order");
  std::uint64_t nodes = 0;
  for (const std::string& list : policy.nodes) {
    const auto hosts = HostList::parse(list);
    if (!hosts) return wrong("nodes: '" + printable(list) + "' is no host list such as n[001-512]");
    nodes += hosts->size();
  }
  if (nodes * policy.per_node > prefix->usable())
    return wrong("pool: " + policy.pool + " has " + std::to_string(prefix->usable()) + " addresses, and " +
                 std::to_string(nodes) + " nodes with " + std::to_string(policy.per_node) + " each need " +
                 std::to_string(nodes * policy.per_node));
  return {};
}

Result<AddressPool> AddressPool::of_node(const AddressPolicy& policy, const std::string& node_name) {
  CIB_CHECK(check_addresses(policy));
  const auto place = place_in_host_lists(policy.nodes, node_name);
  if (!place) return wrong("nodes: node " + node_name + " is not in it, so it has no addresses");
  AddressPool pool;
  const auto prefix = parse_prefix(policy.pool);
  pool.first_ = prefix->address + 1 + static_cast<std::uint32_t>(*place * policy.per_node);
  pool.size_ = policy.per_node;
  pool.prefix_length_ = prefix->length;
  return pool;
}

std::string AddressPool::address(unsigned slot) const {
  return ipv4_text(first_ + slot) + '/' + std::to_string(prefix_length_);
}

std::string AddressPool::range() const { return ipv4_text(first_) + '-' + ipv4_text(first_ + size_ - 1); }

Result<std::string> addresses_of_nodes(const AddressPolicy& policy, std::string_view host_list,
                                       std::size_t limit) {
  const auto hosts = HostList::parse(host_list);
  if (!hosts) return error(Errc::not_found, "'" + printable(host_list) + "' is no host list");
  const auto too_long = [&] {
    return error(Errc::unsupported, "the addresses of " + std::to_string(hosts->size()) +
                                        " nodes are more than " + std::to_string(limit) + " characters");
  };
  if (hosts->size() > limit) return too_long();  // a name and an address have more than one each
  std::string text;
  for (std::uint64_t place = 0; place < hosts->size(); ++place) {
    const std::string name = hosts->name_at(place);
    auto pool = AddressPool::of_node(policy, name);
    if (!pool) return error(Errc::not_found, std::move(pool).error().what);
    text += (text.empty() ? "" : ",") + name + '=' + pool->range();
    if (text.size() > limit) return too_long();
  }
  return text;
}

std::optional<std::uint64_t> place_in_host_lists(const std::vector<std::string>& lists,
                                                 std::string_view name) {
  std::uint64_t before = 0;
  for (const std::string& list : lists) {
    const auto hosts = HostList::parse(list);
    if (!hosts) return {};
    if (const auto place = hosts->place_of(name)) return before + *place;
    before += hosts->size();
  }
  return {};
}

}  // namespace cib
