#include "adapters/attach/network_actions.hpp"

#include <algorithm>

#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/netlink/links.hpp"
#include "container_ib/text.hpp"

namespace cib {

Status apply(const MakeNetns& action) {
  CIB_TRY(const UniqueFd netns, make_network_namespace());
  return pin_network_namespace(netns, action.netns);
}

Status undo(const MakeNetns& action) { return unpin_network_namespace(action.netns); }

Status verify(const MakeNetns& action) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.netns));
  return {};
}

// The pidfd is opened first and the start time read after: when that is the process' then, so is the pidfd.
Status apply(const PinNetns& action) {
  const auto pid = whole_number<pid_t>(action.pid).value_or(-1);
  CIB_TRY(const UniqueFd pidfd, open_pidfd(pid));
  if (!is_alive(action.pid, action.start)) return error(Errc::ended, "pid " + action.pid + " has ended");
  CIB_TRY(const UniqueFd netns, open_network_namespace_of(pidfd.get(), pid));
  return pin_network_namespace(netns, action.netns);
}

Status undo(const PinNetns& action) { return unpin_network_namespace(action.netns); }

Status verify(const PinNetns& action) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.netns));
  return {};
}

Status apply(const RaiseLink& action) {
  const auto& [netns, name, mtu, address] = action;
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(netns));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link link, links.named(name));
  if (address)
    CIB_CHECK(links.add_address(link.index, *address, "give " + name + " the address " + *address));
  return links.change(link.index, {.mtu = mtu, .up = true}, "raise " + name);
}

Status undo(const RaiseLink&) { return {}; }

Status verify(const RaiseLink& action) {
  const auto& [netns, name, mtu, address] = action;
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(netns));
  CIB_TRY(auto links, Links::open());
  const std::string where = name + " in " + netns;
  const auto link = links.named(name);
  if (!link) return error(Errc::not_found, "there is no " + where);
  if (!link->up) return error(Errc::not_found, where + " is down");
  if (!link->carrier)
    return error(Errc::not_found, where + " has no carrier: its port is down, or the subnet manager is away");
  if (mtu && link->mtu != *mtu)
    return error(Errc::not_found,
                 where + " has MTU " + std::to_string(link->mtu) + " instead of " + std::to_string(*mtu));
  if (!address) return {};
  CIB_TRY(const auto addresses, links.addresses(link->index));
  if (std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) return {};
  return error(Errc::not_found, where + " has lost its address " + *address);
}

}  // namespace cib
