#include "adapters/attach/vxlan_actions.hpp"

#include "adapters/attach/made_links.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/netlink/vxlan_link.hpp"
#include "container_ib/ipv4.hpp"

namespace cib {

namespace {

constexpr std::size_t most_peers = 65'536;  // as many nodes as Slurm has at most

}  // namespace

Status apply(const MakeVxlan& plan) {
  const auto local = parse_ipv4(plan.local);
  const auto peers = parse_ipv4_ranges(plan.peers, most_peers);
  if (!local || !peers) return error(Errc::bug, "a VXLAN from '" + plan.local + "' to '" + plan.peers + "'");
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(plan.netns));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link lower, links.holding(plan.local));
  CIB_CHECK(create_vxlan(links, {plan.temporary, lower.index, plan.vni, *local}));
  CIB_TRY(const Link made, links.named(plan.temporary));
  CIB_CHECK(add_vxlan_peers(links, made.index, *peers));
  return move_made(links, made, made_by(plan), netns.get());
}

Status undo(const MakeVxlan& plan) {
  CIB_CHECK(remove_inside(made_by(plan), false));
  return remove_at_home(made_by(plan));
}

// And what it sends by is there.
Status verify(const MakeVxlan& plan) {
  CIB_TRY(auto links, Links::open());
  const auto lower = links.holding(plan.local);
  if (!lower) return lower.error();
  if (!lower->up || !lower->carrier)
    return error(Errc::not_found, lower->name + ", which the overlay runs over, is down or has no carrier");
  CIB_CHECK(verify_inside(made_by(plan)));
  return {};
}

}  // namespace cib
