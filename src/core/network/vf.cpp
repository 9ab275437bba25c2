#include "container_ib/vf.hpp"

#include "container_ib/hash.hpp"

namespace cib {

std::uint64_t generated_vf_guid(std::uint64_t pf_port_guid, unsigned vf, VfGuid kind) {
  constexpr std::uint64_t local = std::uint64_t{1} << 57, group = std::uint64_t{1} << 56;
  Hash hash;
  hash.add(pf_port_guid);
  hash.add(std::uint64_t{vf});
  hash.add(static_cast<std::uint64_t>(kind));
  return (hash.number() | local) & ~group;
}

}  // namespace cib
