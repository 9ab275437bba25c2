#include "adapters/attach/macvlan_actions.hpp"

#include <net/if_arp.h>

#include <algorithm>

#include "adapters/attach/made_links.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/netlink/macvlan_link.hpp"

namespace cib {

namespace {

Result<Link> parent_of(Links& links, const std::string& name) {
  CIB_TRY(Link parent, links.named(name));
  if (parent.type == ARPHRD_ETHER) return parent;
  return error(Errc::unsupported, name + " is not of Ethernet, and the kernel lays macvlan on nothing else");
}

Status make(const MakeMacvlan& plan, int netns) {
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link parent, parent_of(links, plan.parent));
  // Whose it is takes it down again, not we.
  if (!parent.up) CIB_CHECK(links.change(parent.index, {.up = true}, "raise " + parent.name));
  CIB_CHECK(create_macvlan(links, {plan.temporary, parent.index, plan.isolated}));
  CIB_TRY(const Link made, links.named(plan.temporary));
  return move_made(links, made, made_by(plan), netns);
}

}  // namespace

Status apply(const MakeMacvlan& plan) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(plan.netns));
  if (!plan.parent_netns) return make(plan, netns.get());
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(*plan.parent_netns));
  return make(plan, netns.get());
}

// What another namespace had of it has gone with that.
Status undo(const MakeMacvlan& plan) {
  CIB_CHECK(remove_inside(made_by(plan), plan.among_others.value_or(false)));
  if (!plan.parent_netns) return remove_at_home(made_by(plan));
  const auto parent_netns = open_pinned_network_namespace(*plan.parent_netns);
  if (!parent_netns) return {};
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(parent_netns->get()));
  return remove_at_home(made_by(plan));
}

Status verify(const MakeMacvlan& plan) {
  CIB_CHECK(verify_inside(made_by(plan)));
  return {};
}

}  // namespace cib
