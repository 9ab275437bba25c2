#include "adapters/attach/ipoib_actions.hpp"

#include <algorithm>

#include "adapters/attach/made_links.hpp"
#include "adapters/attach/pci_function.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/ipoib_link.hpp"
#include "adapters/netlink/links.hpp"
#include "container_ib/model.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

bool is_child(const Link& link) { return link.kind == "ipoib" && link.lower_index != 0; }

MadeLink made_by_us(const MakeIpoibChild& plan) { return made_by(plan, "ipoib", "IPoIB"); }

// Of the caller's namespace.
template <class Choose>
Status remove_children(Choose choose) {
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (is_child(link) && choose(link))
      CIB_CHECK(links.remove(link.index, "remove IPoIB interface " + link.name));
  return {};
}

}  // namespace

Status apply(const MakeIpoibChild& plan) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(plan.netns));
  CIB_TRY(const int parent, ipoib_index(plan.parent, plan.port));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link above, links.get(parent));
  // The kernel raises a child's carrier only while its parent is up. Whose it is takes it down again, not we.
  if (!above.up) CIB_CHECK(links.change(parent, {.up = true}, "raise " + above.name));
  CIB_CHECK(create_ipoib_child(links, {plan.temporary, parent, plan.pkey, plan.connected}));
  CIB_TRY(const Link child, links.named(plan.temporary));
  return move_made(links, child, made_by_us(plan), netns.get());
}

// In a namespace of the step's own no child is taken back alone: also one that lost its tag there is ours.
// Among others it is known by its tag, and without one by its name on its parent: what is left there comes to
// the node when the container ends (ipoib_netns_refund). One that never left the node is not looked for
// there, where the name may be the container's own.
Status undo(const MakeIpoibChild& plan) {
  const int parent = ipoib_index(plan.parent, plan.port).value_or(-1);
  const auto is_ours = [&](const Link& link) {
    return !plan.among_others || link.alias == plan.owner ||
           (link.name == plan.name && link.lower_index == parent);
  };
  CIB_TRY(auto links, Links::open());
  const bool never_left = links.named(plan.temporary).ok();
  const auto netns = open_pinned_network_namespace(plan.netns);
  if (netns && !(plan.among_others && never_left)) {
    CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns->get()));
    CIB_CHECK(remove_children(is_ours));
  }
  return remove_children(
      [&](const Link& link) { return link.alias == plan.owner || link.name == plan.temporary; });
}

Status verify(const MakeIpoibChild& plan) {
  CIB_TRY(const Link child, verify_inside(made_by_us(plan)));
  if (plan.pkey && !same_partition(*plan.pkey, child.pkey.value_or(0)))
    return error(Errc::not_found, plan.name + " in " + plan.netns + " has P_Key " +
                                      pkey_text(child.pkey.value_or(0)) + " instead of " +
                                      pkey_text(*plan.pkey));
  return {};
}

}  // namespace cib
