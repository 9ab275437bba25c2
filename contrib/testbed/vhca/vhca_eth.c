// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports of link layer Ethernet: the network interface that each has on the
 * PCI function, the switch between all of them, and what a PF sets for its VFs
 * and the switch enforces.
 *
 * The switch has no table of addresses: it asks each port's receive filter, and
 * a frame for an address that no port here has goes to the other guests too,
 * over the cable of vhca_wire.c.  So nothing is learned, and nothing is stale
 * when an address moves.  It knows VLANs: a port gets frames with the tag that
 * they have on the switch, and a VF with a VLAN of its PF's (VST) those of that
 * VLAN only, without the tag.  RoCE packets keep to the same rules, but take
 * another way: vhca_gid.c.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/rculist.h>
#include "vhca.h"

#define VH_ETH_MTU	9000		/* at most */

struct vh_eth_priv {
	struct vh_port *port;
};

static LIST_HEAD(vh_eth_ports);		/* added and removed under vh_mutex */

static struct vh_port *vh_port_of(struct net_device *dev)
{
	return ((struct vh_eth_priv *)netdev_priv(dev))->port;
}

/* The PF's settings of a VF's port, NULL: not a VF's. */
static struct vh_vf *vh_vf_of(struct vh_port *p)
{
	return p->dev->pf ? &p->dev->pf->vf[p->dev->vf_id] : NULL;
}

/*
 * The VLAN on the switch of what a port sends with that tag, or receives with
 * it; negative: it may not.
 */
int vh_eth_vlan(struct vh_port *p, u16 tag)
{
	struct vh_vf *v = vh_vf_of(p);
	u16 vlan = tag == VH_UNTAGGED ? 0 : tag;

	if (!v || !READ_ONCE(v->vlan))
		return vlan;
	return vlan ? -EPERM : READ_ONCE(v->vlan);
}

/* Not the sender's own address, and the PF has somebody look at that. */
bool vh_eth_spoofed(struct vh_port *p, const u8 *mac)
{
	struct vh_vf *v = vh_vf_of(p);

	return v && READ_ONCE(v->spoofchk) && !ether_addr_equal(v->mac, mac);
}

/* The lower half of MAC and GUID: guest and PCI address, room for two ports. */
u32 vh_eth_base(struct vh_dev *dev)
{
	return vh_guest << 16 | dev->pdev->bus->number << 8 |
		(dev->pdev->devfn << 1 & 0xff);
}

/* With Mellanox's OUI: the same in every boot. */
void vh_eth_mac(struct vh_port *p, u8 *mac)
{
	u64_to_ether_addr(VH_ETH_OUI << 24 | (vh_eth_base(p->dev) + p->num - 1),
			  mac);
}

/* ---- the switch; RCU read side ---- */

static bool vh_in_list(struct netdev_hw_addr_list *list, const u8 *mac)
{
	struct netdev_hw_addr *ha;

	list_for_each_entry_rcu(ha, &list->list, list)
		if (ether_addr_equal(ha->addr, mac))
			return true;
	return false;
}

/* By its receive filter.  *own: it is meant, not only listening. */
static bool vh_eth_wants(struct vh_port *p, const u8 *dest, bool *own)
{
	struct vh_vf *v = vh_vf_of(p);
	struct net_device *dev = p->netdev;
	bool trusted = !v || READ_ONCE(v->trust);

	if (is_broadcast_ether_addr(dest))
		return true;
	if (is_multicast_ether_addr(dest))
		return vh_in_list(&dev->mc, dest) ||
			((dev->flags & (IFF_ALLMULTI | IFF_PROMISC)) && trusted);
	if (ether_addr_equal(dev->dev_addr, dest) || vh_in_list(&dev->uc, dest)) {
		*own = true;
		return true;
	}
	return (dev->flags & IFF_PROMISC) && trusted;
}

/* A copy of a frame, with its MAC header, into a port.  tci: on the switch. */
static void vh_eth_deliver(struct vh_port *p, const struct sk_buff *skb, u16 tci)
{
	struct net_device *dev = p->netdev;
	struct vh_vf *v = vh_vf_of(p);
	struct sk_buff *new;

	if (skb->len > dev->mtu + ETH_HLEN) {
		dev_core_stats_rx_dropped_inc(dev);
		return;
	}
	new = netdev_alloc_skb_ip_align(dev, skb->len);
	if (!new) {
		dev_core_stats_rx_dropped_inc(dev);
		return;
	}
	skb_copy_bits(skb, 0, skb_put(new, skb->len), skb->len);
	dev_sw_netstats_rx_add(dev, new->len);
	new->protocol = eth_type_trans(new, dev);
	if (tci & VLAN_VID_MASK && !(v && READ_ONCE(v->vlan)))
		__vlan_hwaccel_put_tag(new, htons(ETH_P_8021Q), tci);
	netif_rx(new);
}

/* To all ports that want it but the one it came from (NULL: another guest). */
static bool vh_eth_switch(struct vh_port *from, const struct sk_buff *skb, u16 tci)
{
	const u8 *dest = ((struct ethhdr *)skb->data)->h_dest;
	u16 vlan = tci & VLAN_VID_MASK;
	bool own = false;
	struct vh_vf *v;
	struct vh_port *p;

	list_for_each_entry_rcu(p, &vh_eth_ports, eth) {
		v = vh_vf_of(p);
		if (p == from || p->state != IB_PORT_ACTIVE ||
		    (v && READ_ONCE(v->vlan) && READ_ONCE(v->vlan) != vlan) ||
		    !vh_eth_wants(p, dest, &own))
			continue;
		vh_eth_deliver(p, skb, tci);
	}
	return own;
}

/* A frame from another guest; softirq. */
void vh_eth_arrive(struct sk_buff *skb, u16 tci)
{
	if (pskb_may_pull(skb, ETH_HLEN))
		vh_eth_switch(NULL, skb, tci);
}

/* The tag that a frame has on the switch, taken off it.  Or it may not go. */
static bool vh_eth_take_tag(struct vh_port *p, struct sk_buff *skb, u16 *tci)
{
	struct vh_vf *v = vh_vf_of(p);
	int vlan;

	*tci = 0;
	/* who sends frames with a tag of his own making (AF_PACKET) */
	if (!skb_vlan_tag_present(skb) &&
	    ((struct ethhdr *)skb->data)->h_proto == htons(ETH_P_8021Q)) {
		if (__skb_vlan_pop(skb, tci))
			return false;
	} else if (skb_vlan_tag_present(skb)) {
		*tci = skb_vlan_tag_get(skb);
		__vlan_hwaccel_clear_tag(skb);
	}
	vlan = vh_eth_vlan(p, *tci & VLAN_VID_MASK);
	if (vlan < 0)
		return false;
	*tci = (*tci & VLAN_PRIO_MASK) | vlan;
	if (v && READ_ONCE(v->vlan))
		*tci = READ_ONCE(v->qos) << VLAN_PRIO_SHIFT | vlan;
	return true;
}

static netdev_tx_t vh_eth_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vh_port *p = vh_port_of(dev);
	u32 len = skb->len;
	u16 tci;

	if (len < ETH_HLEN || p->state != IB_PORT_ACTIVE ||
	    vh_eth_spoofed(p, ((struct ethhdr *)skb->data)->h_source) ||
	    !vh_eth_take_tag(p, skb, &tci)) {
		dev_core_stats_tx_dropped_inc(dev);
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	dev_sw_netstats_tx_add(dev, 1, len);
	rcu_read_lock();
	if (!vh_eth_switch(p, skb, tci))
		vh_wire_frame(skb, tci);
	rcu_read_unlock();
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

/* ---- the interface ---- */

/* As with mlx5 the port of an interface that is down is down. */
static void vh_eth_run(struct net_device *dev, bool running)
{
	struct vh_port *p = vh_port_of(dev);

	mutex_lock(&vh_mutex);
	p->running = running;
	vh_set_state(p, p->link);
	mutex_unlock(&vh_mutex);
}

static int vh_eth_open(struct net_device *dev)
{
	vh_eth_run(dev, true);
	netif_start_queue(dev);
	return 0;
}

static int vh_eth_stop(struct net_device *dev)
{
	netif_stop_queue(dev);
	vh_eth_run(dev, false);
	return 0;
}

/* Filters are read where they are, see vh_eth_wants(). */
static void vh_eth_rx_mode(struct net_device *dev)
{
}

static int vh_eth_set_mac(struct net_device *dev, void *addr)
{
	struct vh_port *p = vh_port_of(dev);
	struct vh_vf *v = vh_vf_of(p);
	const u8 *mac = ((struct sockaddr *)addr)->sa_data;
	int ret = 0;

	if (!is_valid_ether_addr(mac))
		return -EADDRNOTAVAIL;
	mutex_lock(&vh_mutex);
	if (v && v->admin_mac && !v->trust && !ether_addr_equal(v->mac, mac))
		ret = -EPERM;
	else if (v)
		ether_addr_copy(v->mac, mac);
	mutex_unlock(&vh_mutex);
	if (!ret)
		eth_hw_addr_set(dev, mac);
	return ret;
}

/* ---- what a PF sets for its VFs; rtnl ---- */

static int vh_eth_vf(struct net_device *dev, int vf, struct vh_vf **v)
{
	struct vh_dev *pf = vh_port_of(dev)->dev;

	if (pf->pf)
		return -EOPNOTSUPP;
	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	*v = &pf->vf[vf];
	return 0;
}

/* A zero address takes the setting back; the VF keeps what it has. */
static int vh_eth_set_vf_mac(struct net_device *dev, int vf, u8 *mac)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (ret)
		return ret;
	if (is_multicast_ether_addr(mac))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	v->admin_mac = !is_zero_ether_addr(mac);
	if (v->admin_mac)
		ether_addr_copy(v->mac, mac);
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_eth_set_vf_vlan(struct net_device *dev, int vf, u16 vlan, u8 qos,
			      __be16 proto)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (ret)
		return ret;
	if (proto != htons(ETH_P_8021Q))
		return -EPROTONOSUPPORT;
	if (vlan >= VLAN_VID_MASK || qos > 7)
		return -EINVAL;
	mutex_lock(&vh_mutex);
	WRITE_ONCE(v->qos, qos);
	WRITE_ONCE(v->vlan, vlan);
	mutex_unlock(&vh_mutex);
	vh_wire_announce();		/* its GIDs are in another VLAN now */
	return 0;
}

/* Kept and shown; nothing here is as fast as any rate that is set. */
static int vh_eth_set_vf_rate(struct net_device *dev, int vf, int min, int max)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (ret)
		return ret;
	if (min < 0 || max < 0 || (max && min > max))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	v->min_rate = min;
	v->max_rate = max;
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_eth_set_vf_spoofchk(struct net_device *dev, int vf, bool on)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (!ret)
		WRITE_ONCE(v->spoofchk, on);
	return ret;
}

static int vh_eth_set_vf_trust(struct net_device *dev, int vf, bool on)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (!ret)
		WRITE_ONCE(v->trust, on);
	return ret;
}

static int vh_eth_set_vf_link(struct net_device *dev, int vf, int state)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	return ret ? ret : vh_vf_set_link(vh_port_of(dev)->dev, vf, state);
}

static int vh_eth_get_vf(struct net_device *dev, int vf, struct ifla_vf_info *info)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);

	if (ret)
		return ret;
	mutex_lock(&vh_mutex);
	info->vf = vf;
	if (v->admin_mac)		/* else zero, as with mlx5 */
		ether_addr_copy(info->mac, v->mac);
	info->vlan = v->vlan;
	info->qos = v->qos;
	info->vlan_proto = htons(ETH_P_8021Q);
	info->spoofchk = v->spoofchk;
	info->linkstate = v->link;
	info->min_tx_rate = v->min_rate;
	info->max_tx_rate = v->max_rate;
	info->trusted = v->trust;
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_eth_get_vf_stats(struct net_device *dev, int vf,
			       struct ifla_vf_stats *s)
{
	struct vh_vf *v;
	int ret = vh_eth_vf(dev, vf, &v);
	struct rtnl_link_stats64 stats = {};
	struct vh_dev *d;

	if (ret)
		return ret;
	mutex_lock(&vh_mutex);
	d = vh_find_vf(vh_port_of(dev)->dev, vf);
	if (d)
		dev_get_stats(d->port[0].netdev, &stats);
	mutex_unlock(&vh_mutex);
	s->rx_bytes = stats.rx_bytes;
	s->tx_bytes = stats.tx_bytes;
	s->rx_packets = stats.rx_packets;
	s->tx_packets = stats.tx_packets;
	s->tx_dropped = stats.tx_dropped;
	s->rx_dropped = stats.rx_dropped;
	return 0;
}

static const struct net_device_ops vh_eth_ops = {
	.ndo_open = vh_eth_open,
	.ndo_stop = vh_eth_stop,
	.ndo_start_xmit = vh_eth_xmit,
	.ndo_set_rx_mode = vh_eth_rx_mode,
	.ndo_set_mac_address = vh_eth_set_mac,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_set_vf_mac = vh_eth_set_vf_mac,
	.ndo_set_vf_vlan = vh_eth_set_vf_vlan,
	.ndo_set_vf_rate = vh_eth_set_vf_rate,
	.ndo_set_vf_spoofchk = vh_eth_set_vf_spoofchk,
	.ndo_set_vf_trust = vh_eth_set_vf_trust,
	.ndo_set_vf_link_state = vh_eth_set_vf_link,
	.ndo_get_vf_config = vh_eth_get_vf,
	.ndo_get_vf_stats = vh_eth_get_vf_stats,
};

static void vh_eth_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "vhca", sizeof(info->driver));
	strscpy(info->bus_info, pci_name(vh_port_of(dev)->dev->pdev),
		sizeof(info->bus_info));
}

/* Of a lane, as ib_core counts them; enum ib_port_speed. */
static u32 vh_mbps(u16 speed)
{
	switch (speed) {
	case IB_SPEED_SDR:
		return 2500;
	case IB_SPEED_DDR:
		return 5000;
	case IB_SPEED_QDR:
	case IB_SPEED_FDR10:
		return 10000;
	case IB_SPEED_FDR:
		return 14000;
	case IB_SPEED_EDR:
		return 25000;
	case IB_SPEED_HDR:
		return 50000;
	}
	return 100000;
}

static int vh_eth_ksettings(struct net_device *dev,
			    struct ethtool_link_ksettings *k)
{
	struct vh_port *p = vh_port_of(dev);
	bool up = netif_carrier_ok(dev);

	k->base.speed = up ? vh_mbps(p->speed) * ib_width_enum_to_int(p->width) : SPEED_UNKNOWN;
	k->base.duplex = up ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	k->base.port = PORT_FIBRE;
	return 0;
}

static const struct ethtool_ops vh_ethtool_ops = {
	.get_drvinfo = vh_eth_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = vh_eth_ksettings,
};

/* ---- coming and going ---- */

static void vh_eth_free(struct net_device *dev)
{
	free_percpu(dev->tstats);
}

static void vh_eth_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &vh_eth_ops;
	dev->ethtool_ops = &vh_ethtool_ops;
	dev->priv_destructor = vh_eth_free;
	dev->max_mtu = VH_ETH_MTU;
	/* macvlan's addresses are in the filter, no need to hear everything */
	dev->priv_flags |= IFF_UNICAST_FLT;
	dev->features |= NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HIGHDMA;
	dev->vlan_features |= NETIF_F_HIGHDMA;
}

/* As udev names it where it names interfaces by their place, or the next eth. */
static void vh_eth_name(struct vh_port *p, char *name, unsigned char *assign)
{
	struct pci_dev *pdev = p->dev->pdev;

	*assign = vh_eth_names ? NET_NAME_PREDICTABLE : NET_NAME_ENUM;
	if (vh_eth_names)
		snprintf(name, IFNAMSIZ, "enp%us%uf%unp%u", pdev->bus->number,
			 PCI_SLOT(pdev->devfn), PCI_FUNC(pdev->devfn),
			 p->num - 1);
	else
		strscpy(name, "eth%d", IFNAMSIZ);
}

static int vh_eth_add_port(struct vh_port *p)
{
	struct vh_vf *v = vh_vf_of(p);
	struct net_device *dev;
	unsigned char assign;
	char name[IFNAMSIZ];
	u8 mac[ETH_ALEN];
	int ret;

	vh_eth_name(p, name, &assign);
	dev = alloc_netdev(sizeof(struct vh_eth_priv), name, assign, vh_eth_setup);
	if (!dev)
		return -ENOMEM;
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats) {
		free_netdev(dev);
		return -ENOMEM;
	}
	((struct vh_eth_priv *)netdev_priv(dev))->port = p;
	if (v)
		ether_addr_copy(mac, v->mac);
	else
		vh_eth_mac(p, mac);
	eth_hw_addr_set(dev, mac);
	SET_NETDEV_DEV(dev, &p->dev->pdev->dev);
	dev->dev_port = p->num - 1;
	p->netdev = dev;
	netif_carrier_off(dev);
	ret = register_netdev(dev);
	if (ret) {
		free_netdev(dev);
		p->netdev = NULL;
		return ret;
	}
	ret = ib_device_set_netdev(&p->dev->rdi.ibdev, dev, p->num);
	if (ret)
		return ret;
	mutex_lock(&vh_mutex);
	list_add_tail_rcu(&p->eth, &vh_eth_ports);
	vh_set_state(p, p->link);	/* carrier */
	mutex_unlock(&vh_mutex);
	return 0;
}

/* Before the device is registered, as ib_core asks for interfaces then. */
int vh_eth_add(struct vh_dev *dev)
{
	int i, ret = 0;

	for (i = 0; dev->eth && !ret && i < dev->nports; i++)
		ret = vh_eth_add_port(&dev->port[i]);
	if (ret)
		vh_eth_del(dev);
	return ret;
}

/* After the device was unregistered: no GIDs are left, nor their references. */
void vh_eth_del(struct vh_dev *dev)
{
	struct vh_port *p;
	int i;

	for (i = 0; i < dev->nports; i++) {
		p = &dev->port[i];
		if (!p->netdev)
			continue;
		mutex_lock(&vh_mutex);
		if (!list_empty(&p->eth))
			list_del_rcu(&p->eth);
		mutex_unlock(&vh_mutex);
		/* where registration failed there is a reference still */
		ib_device_set_netdev(&dev->rdi.ibdev, NULL, p->num);
		unregister_netdev(p->netdev);	/* waits for readers of the list */
		free_netdev(p->netdev);
		p->netdev = NULL;
	}
}
