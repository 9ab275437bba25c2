#include "adapters/attach/made_links.hpp"

#include <algorithm>

#include "adapters/linux/network_namespace.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// Of the caller's namespace.
template <class Choose>
Status remove_those(const std::string& kind, Choose choose) {
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (link.kind == kind && choose(link))
      CIB_CHECK(links.remove(link.index, "remove " + kind + " interface " + link.name));
  return {};
}

}  // namespace

Status move_made(Links& links, const Link& link, const MadeLink& made, int netns) {
  return links.change(
      link.index, {.name = made.name, .alias = made.owner, .network_namespace = netns},
      "move " + made.title + " interface " + made.temporary + " into the network namespace as " + made.name);
}

Status remove_inside(const MadeLink& made, bool among_others) {
  const auto netns = open_pinned_network_namespace(made.netns);
  if (!netns) return {};
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns->get()));
  return remove_those(made.kind, [&](const Link& link) { return !among_others || link.alias == made.owner; });
}

Status remove_at_home(const MadeLink& made) {
  return remove_those(
      made.kind, [&](const Link& link) { return link.alias == made.owner || link.name == made.temporary; });
}

Result<Link> verify_inside(const MadeLink& made) {
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(made.netns));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  const auto found = std::find_if(all.begin(), all.end(), [&](const Link& link) {
    return link.kind == made.kind && link.alias == made.owner;
  });
  if (found == all.end())
    return error(Errc::not_found,
                 "no " + made.title + " interface tagged " + made.owner + " in " + made.netns);
  if (found->name == made.name) return *found;
  return error(Errc::not_found, "the " + made.title + " interface tagged " + made.owner + " is called " +
                                    printable(found->name) + " instead of " + made.name);
}

}  // namespace cib
