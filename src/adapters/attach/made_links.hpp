// What actions have in common that make a virtual interface under a temporary name and move it into a
// namespace.
#pragma once

#include <string>

#include "adapters/netlink/links.hpp"
#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct MadeLink {
  std::string kind;   // as Link::kind
  std::string title;  // for people: "IPoIB"
  NetnsFile netns;
  std::string name, temporary, owner;
};

template <class Plan>
MadeLink made_by(const Plan& plan, const std::string& kind, const std::string& title) {
  return {kind, title, plan.netns, plan.name, plan.temporary, plan.owner};
}

// Of an action whose verb is the kernel's word for the kind.
template <class Plan>
MadeLink made_by(const Plan& plan) {
  return made_by(plan, std::string(Plan::verb), std::string(Plan::verb));
}

// `link` of the caller's namespace into `netns`: moved, named and tagged in one message.
Status move_made(Links& links, const Link& link, const MadeLink& made, int netns);

// Of an interface that ends with its namespace. In that, if it is there: what has its tag, and in one of the
// step's own every interface of its kind, also one that lost its tag; `among_others`, which may be nobody's
// of ours, by tag alone.
Status remove_inside(const MadeLink& made, bool among_others);

// In the caller's namespace, where it was made: by its tag or its temporary name.
Status remove_at_home(const MadeLink& made);

// It is in the namespace, under its name; the result is what it is there.
Result<Link> verify_inside(const MadeLink& made);

}  // namespace cib
