#include "adapters/netlink/links.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "container_ib/ipv4.hpp"

namespace cib {

namespace {

constexpr std::size_t max_alias = 255;   // IFALIASZ - 1, if.h
constexpr unsigned lower_up = 1U << 16;  // IFF_LOWER_UP, which only the kernel's if.h has

// ifi_change is a mask: only the flag that is asked for is touched (rtnl_dev_combine_flags).
ifinfomsg link_header(int index, std::optional<bool> up = {}) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  if (up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *up ? unsigned{IFF_UP} : 0U;
  }
  return header;
}

Result<NetlinkMessage> link_message(int type, int flags, const ifinfomsg& header) {
  return netlink_message(type, NLM_F_REQUEST | flags, &header, sizeof header);
}

Error does_not_fit(const std::string& doing) { return error(Errc::bug, doing + ": too long for a message"); }

std::string text(nlattr* attribute) {
  return attribute == nullptr ? std::string() : std::string(::nla_get_string(attribute));
}

template <class T>
std::optional<T> value_of(nlattr* attribute) {
  if (attribute == nullptr || ::nla_len(attribute) < static_cast<int>(sizeof(T))) return {};
  T value{};
  std::memcpy(&value, ::nla_data(attribute), sizeof value);
  return value;
}

Link read_link(nlmsghdr* header) {
  std::array<nlattr*, IFLA_MAX + 1> attributes{};
  Link link;
  if (::nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) != 0) return link;
  const auto* info = static_cast<ifinfomsg*>(::nlmsg_data(header));
  link.index = info->ifi_index;
  link.type = info->ifi_type;
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.carrier = (info->ifi_flags & lower_up) != 0;
  link.name = text(attributes[IFLA_IFNAME]);
  link.alias = text(attributes[IFLA_IFALIAS]);
  link.parent_device = text(attributes[IFLA_PARENT_DEV_NAME]);
  // Packets received and sent, bytes received and sent: later kernels put more behind (rtnl_link_stats64).
  if (const auto stats = value_of<std::array<std::uint64_t, 4>>(attributes[IFLA_STATS64])) {
    link.received = (*stats)[2];
    link.sent = (*stats)[3];
  }
  if (attributes[IFLA_MTU] != nullptr) link.mtu = ::nla_get_u32(attributes[IFLA_MTU]);
  if (attributes[IFLA_LINK] != nullptr) link.lower_index = ::nla_get_s32(attributes[IFLA_LINK]);
  if (attributes[IFLA_MASTER] != nullptr) link.master_index = ::nla_get_s32(attributes[IFLA_MASTER]);
  std::array<nlattr*, IFLA_INFO_MAX + 1> kind{};
  if (attributes[IFLA_LINKINFO] != nullptr &&
      ::nla_parse_nested(kind.data(), IFLA_INFO_MAX, attributes[IFLA_LINKINFO], nullptr) == 0)
    link.kind = text(kind[IFLA_INFO_KIND]);
  std::array<nlattr*, IFLA_IPOIB_MAX + 1> ipoib{};
  if (link.kind == "ipoib" && kind[IFLA_INFO_DATA] != nullptr &&
      ::nla_parse_nested(ipoib.data(), IFLA_IPOIB_MAX, kind[IFLA_INFO_DATA], nullptr) == 0 &&
      ipoib[IFLA_IPOIB_PKEY] != nullptr)
    link.pkey = ::nla_get_u16(ipoib[IFLA_IPOIB_PKEY]);
  return link;
}

// "10.40.0.1/16"; empty for what the kernel does not give an address in. IFA_LOCAL is the interface's own
// where the link is point to point.
std::string read_address(nlmsghdr* header) {
  std::array<nlattr*, IFA_MAX + 1> attributes{};
  const auto* info = static_cast<ifaddrmsg*>(::nlmsg_data(header));
  if (::nlmsg_parse(header, sizeof(ifaddrmsg), attributes.data(), IFA_MAX, nullptr) != 0) return {};
  nlattr* own = attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (own == nullptr || ::inet_ntop(info->ifa_family, ::nla_data(own), text.data(), text.size()) == nullptr)
    return {};
  return std::string(text.data()) + '/' + std::to_string(info->ifa_prefixlen);
}

// ---- VFs

VfSettings read_vf(const std::array<nlattr*, IFLA_VF_MAX + 1>& vf) {
  VfSettings settings;
  if (const auto state = value_of<ifla_vf_link_state>(vf[IFLA_VF_LINK_STATE]))
    settings.link_state = static_cast<VfLinkState>(state->link_state);
  if (const auto guid = value_of<ifla_vf_guid>(vf[IFLA_VF_IB_NODE_GUID])) settings.node_guid = guid->guid;
  if (const auto guid = value_of<ifla_vf_guid>(vf[IFLA_VF_IB_PORT_GUID])) settings.port_guid = guid->guid;
  if (const auto vlan = value_of<ifla_vf_vlan>(vf[IFLA_VF_VLAN])) {
    settings.vlan = vlan->vlan;
    settings.qos = vlan->qos;
  }
  if (const auto rate = value_of<ifla_vf_rate>(vf[IFLA_VF_RATE])) {
    settings.min_tx_mbps = rate->min_tx_rate;
    settings.max_tx_mbps = rate->max_tx_rate;
  }
  if (const auto check = value_of<ifla_vf_spoofchk>(vf[IFLA_VF_SPOOFCHK]))
    settings.spoof_check = check->setting != 0;
  if (const auto trust = value_of<ifla_vf_trust>(vf[IFLA_VF_TRUST])) settings.trust = trust->setting != 0;
  return settings;
}

// The VF's entry in the PF's list; every entry begins with IFLA_VF_MAC, which names the VF.
std::optional<VfSettings> find_vf(nlmsghdr* header, unsigned wanted) {
  std::array<nlattr*, IFLA_MAX + 1> attributes{};
  if (::nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) != 0 ||
      attributes[IFLA_VFINFO_LIST] == nullptr)
    return {};
  nlattr* entry = nullptr;
  int left = 0;
  nla_for_each_nested(entry, attributes[IFLA_VFINFO_LIST], left) {
    std::array<nlattr*, IFLA_VF_MAX + 1> vf{};
    if (::nla_parse_nested(vf.data(), IFLA_VF_MAX, entry, nullptr) != 0) continue;
    const auto mac = value_of<ifla_vf_mac>(vf[IFLA_VF_MAC]);
    if (mac && mac->vf == wanted) return read_vf(vf);
  }
  return {};
}

}  // namespace

Result<Links> Links::open(int timeout_s) {
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_ROUTE, timeout_s));
  return Links(std::move(socket));
}

Result<std::vector<Link>> Links::list() {
  CIB_TRY(const auto message, link_message(RTM_GETLINK, NLM_F_DUMP, link_header(0)));
  std::vector<Link> links;
  CIB_CHECK(socket_.ask(message.get(), "list network devices",
                        [&](nlmsghdr* header) { links.push_back(read_link(header)); }));
  return links;
}

Result<Link> Links::get(int index) {
  CIB_TRY(const auto message, link_message(RTM_GETLINK, NLM_F_ACK, link_header(index)));
  Link link;
  const auto doing = "look up network device " + std::to_string(index);
  auto status = socket_.ask(message.get(), doing, [&](nlmsghdr* header) { link = read_link(header); });
  if (!status && status.error().sys_errno == ENODEV) return error(Errc::not_found, doing, ENODEV);
  if (!status) return std::move(status).error();
  return link;
}

Result<Link> Links::named(const std::string& name) {
  CIB_TRY(const auto all, list());
  for (const Link& link : all)
    if (link.name == name) return link;
  return error(Errc::not_found, "no network device " + name);
}

// By index of the link.
Result<std::multimap<int, std::string>> Links::all_addresses() {
  const ifaddrmsg any{};
  CIB_TRY(const auto message, netlink_message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, &any, sizeof any));
  std::multimap<int, std::string> found;
  CIB_CHECK(socket_.ask(message.get(), "list addresses", [&](nlmsghdr* header) {
    const auto* address = static_cast<ifaddrmsg*>(::nlmsg_data(header));
    if (address->ifa_scope < RT_SCOPE_LINK)
      found.emplace(static_cast<int>(address->ifa_index), read_address(header));
  }));
  return found;
}

Result<std::vector<std::string>> Links::with_addresses() {
  CIB_TRY(const auto addresses, all_addresses());
  CIB_TRY(const auto links, list());
  std::vector<std::string> names;
  for (const Link& link : links)
    if (addresses.contains(link.index)) names.push_back(link.name);
  return names;
}

Result<Link> Links::holding(const std::string& address) {
  CIB_TRY(const auto all, all_addresses());
  for (const auto& [index, text] : all)
    if (text.starts_with(address + '/')) return get(index);
  return error(Errc::not_found, "no interface of the node has the address " + address);
}

Result<std::vector<std::string>> Links::addresses(int index) {
  CIB_TRY(const auto all, all_addresses());
  std::vector<std::string> addresses;
  const auto [first, last] = all.equal_range(index);
  for (auto address = first; address != last; ++address) addresses.push_back(address->second);
  return addresses;
}

Status Links::create(const NewLink& link, const std::string& doing) {
  CIB_TRY(const auto message, link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_header(0)));
  nl_msg* m = message.get();
  bool whole = ::nla_put_string(m, IFLA_IFNAME, link.name.c_str()) == 0 &&
               (link.lower_index == 0 || ::nla_put_s32(m, IFLA_LINK, link.lower_index) == 0);
  nlattr* info = ::nla_nest_start(m, IFLA_LINKINFO);
  whole = whole && info != nullptr && ::nla_put_string(m, IFLA_INFO_KIND, link.kind.c_str()) == 0;
  nlattr* data = ::nla_nest_start(m, IFLA_INFO_DATA);
  whole = whole && data != nullptr && link.options(m);
  if (!whole) return does_not_fit(doing);
  ::nla_nest_end(m, data);
  ::nla_nest_end(m, info);
  return socket_.request(m, doing);
}

Status Links::change(int index, const LinkChange& change, const std::string& doing) {
  if (change.alias && change.alias->size() > max_alias) return does_not_fit(doing);
  CIB_TRY(const auto message, link_message(RTM_NEWLINK, 0, link_header(index, change.up)));
  nl_msg* m = message.get();
  bool whole = true;
  if (change.name) whole = whole && ::nla_put_string(m, IFLA_IFNAME, change.name->c_str()) == 0;
  if (change.alias) whole = whole && ::nla_put_string(m, IFLA_IFALIAS, change.alias->c_str()) == 0;
  if (change.mtu) whole = whole && ::nla_put_u32(m, IFLA_MTU, *change.mtu) == 0;
  if (change.network_namespace)
    whole =
        whole && ::nla_put_u32(m, IFLA_NET_NS_FD, static_cast<std::uint32_t>(*change.network_namespace)) == 0;
  if (!whole) return does_not_fit(doing);
  return socket_.request(m, doing);
}

Status Links::remove(int index, const std::string& doing) {
  CIB_TRY(const auto message, link_message(RTM_DELLINK, 0, link_header(index)));
  auto status = socket_.request(message.get(), doing);
  if (!status && status.error().sys_errno == ENODEV) return {};
  return status;
}

Result<bool> Links::has_routes(int index) {
  const rtmsg any{};
  CIB_TRY(const auto message, netlink_message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, &any, sizeof any));
  bool found = false;
  CIB_CHECK(socket_.ask(message.get(), "list routes", [&](nlmsghdr* header) {
    std::array<nlattr*, RTA_MAX + 1> attributes{};
    const auto* route = static_cast<rtmsg*>(::nlmsg_data(header));
    if (route->rtm_protocol == RTPROT_KERNEL || route->rtm_type != RTN_UNICAST) return;
    if (::nlmsg_parse(header, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) != 0) return;
    if (attributes[RTA_OIF] != nullptr && ::nla_get_s32(attributes[RTA_OIF]) == index) found = true;
  }));
  return found;
}

Status Links::add_address(int index, const std::string& address, const std::string& doing) {
  nl_addr* raw = nullptr;
  if (::nl_addr_parse(address.c_str(), AF_UNSPEC, &raw) != 0)
    return error(Errc::bug, doing + ": '" + address + "' is no address");
  const std::unique_ptr<nl_addr, void (*)(nl_addr*)> parsed(raw, ::nl_addr_put);
  ifaddrmsg header{};
  header.ifa_family = static_cast<unsigned char>(::nl_addr_get_family(raw));
  header.ifa_prefixlen = static_cast<unsigned char>(::nl_addr_get_prefixlen(raw));
  header.ifa_index = static_cast<unsigned>(index);
  if (header.ifa_family == AF_INET6) header.ifa_flags = IFA_F_NODAD;  // it is unique by its making
  CIB_TRY(const auto message,
          netlink_message(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header));
  if (::nla_put_addr(message.get(), IFA_LOCAL, raw) != 0 ||
      ::nla_put_addr(message.get(), IFA_ADDRESS, raw) != 0)
    return does_not_fit(doing);
  return socket_.request(message.get(), doing);
}

Status Links::append_forwarding(int index, const std::array<std::uint8_t, 6>& ethernet, std::uint32_t to) {
  const std::string doing = "add " + ipv4_text(to) + " to the forwarding database";
  ndmsg header{};
  header.ndm_family = PF_BRIDGE;
  header.ndm_ifindex = index;
  header.ndm_state = NUD_NOARP | NUD_PERMANENT;
  header.ndm_flags = NTF_SELF;
  CIB_TRY(const auto message,
          netlink_message(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND, &header, sizeof header));
  if (::nla_put(message.get(), NDA_LLADDR, static_cast<int>(ethernet.size()), ethernet.data()) != 0 ||
      ::nla_put_u32(message.get(), NDA_DST, htonl(to)) != 0)
    return does_not_fit(doing);
  return socket_.request(message.get(), doing);
}

Result<VfSettings> Links::vf(int pf_index, unsigned vf) {
  const auto doing = "read the settings of VF " + std::to_string(vf);
  CIB_TRY(const auto message, link_message(RTM_GETLINK, NLM_F_ACK, link_header(pf_index)));
  if (::nla_put_u32(message.get(), IFLA_EXT_MASK, RTEXT_FILTER_VF) != 0) return does_not_fit(doing);
  std::optional<VfSettings> settings;
  CIB_CHECK(socket_.ask(message.get(), doing, [&](nlmsghdr* header) { settings = find_vf(header, vf); }));
  if (!settings) return error(Errc::not_found, doing + ": the PF has no such VF");
  return *settings;
}

Status Links::set_vf(int pf_index, unsigned vf, const VfSettings& settings) {
  const auto set = [&]<class T>(int attribute, const T& value, const std::string& what) -> Status {
    const auto doing = "set the " + what + " of VF " + std::to_string(vf);
    CIB_TRY(const auto message, link_message(RTM_SETLINK, 0, link_header(pf_index)));
    nl_msg* m = message.get();
    nlattr* list = ::nla_nest_start(m, IFLA_VFINFO_LIST);
    nlattr* entry = list == nullptr ? nullptr : ::nla_nest_start(m, IFLA_VF_INFO);
    if (entry == nullptr || ::nla_put(m, attribute, sizeof value, &value) != 0) return does_not_fit(doing);
    ::nla_nest_end(m, entry);
    ::nla_nest_end(m, list);
    return socket_.request(m, doing);
  };
  if (settings.vlan || settings.qos)
    CIB_CHECK(
        set(IFLA_VF_VLAN, ifla_vf_vlan{vf, settings.vlan.value_or(0), settings.qos.value_or(0)}, "VLAN"));
  if (settings.min_tx_mbps || settings.max_tx_mbps)
    CIB_CHECK(set(IFLA_VF_RATE,
                  ifla_vf_rate{vf, settings.min_tx_mbps.value_or(0), settings.max_tx_mbps.value_or(0)},
                  "rate limit"));
  if (settings.spoof_check)
    CIB_CHECK(set(IFLA_VF_SPOOFCHK, ifla_vf_spoofchk{vf, *settings.spoof_check ? 1U : 0U}, "spoof check"));
  if (settings.trust) CIB_CHECK(set(IFLA_VF_TRUST, ifla_vf_trust{vf, *settings.trust ? 1U : 0U}, "trust"));
  if (settings.node_guid)
    CIB_CHECK(set(IFLA_VF_IB_NODE_GUID, ifla_vf_guid{vf, *settings.node_guid}, "node GUID"));
  if (settings.port_guid)
    CIB_CHECK(set(IFLA_VF_IB_PORT_GUID, ifla_vf_guid{vf, *settings.port_guid}, "port GUID"));
  if (settings.link_state)
    CIB_CHECK(set(IFLA_VF_LINK_STATE,
                  ifla_vf_link_state{vf, static_cast<std::uint32_t>(*settings.link_state)}, "link state"));
  return {};
}

}  // namespace cib
