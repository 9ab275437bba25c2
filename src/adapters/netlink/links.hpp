// Network devices of one network namespace: list, make, change, remove. A link is named by its index, which
// it keeps as long as it stays in the namespace; names are whatever somebody has given them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/netlink/netlink_socket.hpp"
#include "container_ib/result.hpp"
#include "container_ib/vf.hpp"

namespace cib {

struct Link {
  int index = 0;
  std::string name, kind, alias;  // kind is empty for physical devices; IPoIB has "ipoib" throughout
  std::string parent_device;      // "0000:21:00.0": the PCI function below it; empty when it has none
  int lower_index = 0;            // of the link it lies on; 0: none
  int master_index = 0;           // of the bond or bridge that it is part of; 0: none
  unsigned mtu = 0;
  unsigned short type = 0;               // ARPHRD_INFINIBAND, ARPHRD_LOOPBACK
  std::uint64_t sent = 0, received = 0;  // bytes, since it was made
  bool up = false;                       // wanted up
  bool carrier = false;                  // and running
  std::optional<std::uint16_t> pkey;     // of IPoIB
};

// What to change; everything in one message, so that it happens as a whole or not at all.
struct LinkChange {
  std::optional<std::string> name = {};
  std::optional<std::string> alias = {};  // at most 255 octets; survives every move
  std::optional<unsigned> mtu = {};
  std::optional<int> network_namespace = {};  // descriptor of where to move it
  std::optional<bool> up = {};
};

// A virtual link. `options` writes what its kind has in IFLA_INFO_DATA; false when the message is full.
struct NewLink {
  std::string name;
  std::string kind;     // of IFLA_INFO_KIND, "ipoib"
  int lower_index = 0;  // of the link that it is to lie on; 0: none
  std::function<bool(nl_msg*)> options;
};

class Links {
 public:
  // Of the network namespace that the caller is in now.
  static Result<Links> open(int timeout_s = netlink_timeout_s);

  Result<std::vector<Link>> list();
  // The link of this index, or of this name; not_found when there is none.
  Result<Link> get(int index);
  Result<Link> named(const std::string& name);

  // Names of the links that have an address of more than link scope.
  Result<std::vector<std::string>> with_addresses();

  // The link that has this IPv4 address, "10.20.0.1"; not_found when none has.
  Result<Link> holding(const std::string& address);

  Status create(const NewLink& link, const std::string& doing);
  Status change(int index, const LinkChange& change, const std::string& doing);
  Status remove(int index, const std::string& doing);  // success when there is none
  // Those of more than link scope: "10.40.0.1/16".
  Result<std::vector<std::string>> addresses(int index);
  // Whether there are routes by it but those that the kernel makes of addresses, with which they come back.
  Result<bool> has_routes(int index);
  Status add_address(int index, const std::string& address, const std::string& doing);  // "10.40.0.1/16"

  // What goes to that Ethernet address goes to this IPv4 address (host byte order) too: a bridge's forwarding
  // database, as VXLAN has one.
  Status append_forwarding(int index, const std::array<std::uint8_t, 6>& ethernet, std::uint32_t to);

  // The settings of VF number `vf`, as the PF keeps them; not_found when the PF has no such VF.
  Result<VfSettings> vf(int pf_index, unsigned vf);
  // Sets what is given, one request each: the kernel takes NODE_GUID and silently leaves a PORT_GUID of the
  // same message (do_setvfinfo in rtnetlink.c).
  Status set_vf(int pf_index, unsigned vf, const VfSettings& settings);

 private:
  explicit Links(NetlinkSocket socket) : socket_(std::move(socket)) {}
  Result<std::multimap<int, std::string>> all_addresses();

  NetlinkSocket socket_;
};

}  // namespace cib
