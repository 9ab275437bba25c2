#include "adapters/attach/ipoib_actions.hpp"

#include "adapters/attach/pci_function.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// Of the caller's namespace: those that carry the owner's tag, and the one that has its first name still.
Status remove_children(const IpoibPlan& plan) {
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (link.kind == "ipoib" && link.lower_index != 0 &&
        (link.alias == plan.owner || link.name == plan.temporary))
      CIB_CHECK(links.remove(link.index, "remove IPoIB interface " + link.name));
  return {};
}

Result<Link> named(Links& links, const std::string& name) {
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (link.name == name) return link;
  return error(Errc::not_found, "no network device " + name);
}

}  // namespace

Status apply_ipoib_child(const Action& action) {
  CIB_TRY(const IpoibPlan plan, ipoib_plan(action));
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(plan.netns));
  CIB_TRY(const int parent, ipoib_index(plan.parent, plan.port));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link above, links.get(parent));
  // The kernel raises a child's carrier only while its parent is up. Whose it is takes it down again, not we.
  if (!above.up) CIB_CHECK(links.change(parent, {.up = true}, "raise " + above.name));
  CIB_CHECK(links.create({plan.temporary, parent, plan.pkey, plan.connected}));
  CIB_TRY(const Link child, named(links, plan.temporary));
  return links.change(
      child.index, {.name = plan.name, .alias = plan.owner, .network_namespace = netns.get()},
      "move IPoIB interface " + plan.temporary + " into the network namespace as " + plan.name);
}

Status revert_ipoib_child(const Action& action) {
  CIB_TRY(const IpoibPlan plan, ipoib_plan(action));
  if (const auto netns = open_pinned_network_namespace(plan.netns)) {
    CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns->get()));
    CIB_CHECK(remove_children(plan));
  }
  return remove_children(plan);
}

Status apply_link_up(const Action& action) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.field("netns")));
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns.get()));
  CIB_TRY(auto links, Links::open());
  const std::string name = action.field("name"), address = action.field("address");
  CIB_TRY(const Link link, named(links, name));
  if (!address.empty())
    CIB_CHECK(links.add_address(link.index, address, "give " + name + " the address " + address));
  LinkChange change{.up = true};
  if (const auto mtu = whole_number<unsigned>(action.field("mtu"))) change.mtu = *mtu;
  return links.change(link.index, change, "raise " + name);
}

}  // namespace cib
