// SPDX-License-Identifier: GPL-2.0-only
/*
 * RoCE: ports that have GIDs instead of a LID.  ib_core makes a GID of each
 * address of a port's Ethernet interface and of the VLAN and macvlan interfaces
 * above it, in whatever network namespace they are, and tells us (add_gid).
 *
 * The fabric goes on to deliver by LID, since each port has one that only the
 * fabric knows.  Where a RoCE packet goes is looked up each time anew, by GID,
 * GID type and VLAN: so a GID that moves is found at its new place, and one
 * that is gone leads nowhere.  Two ports may have the same address, as private
 * networks of containers do; then the MAC address that ib_core resolved decides.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <rdma/ib_cache.h>
#include "vhca.h"

/* An entry of a port's GID table.  Never changed; found under RCU. */
struct vh_gid {
	struct rcu_head rcu;
	struct hlist_node node;
	union ib_gid gid;
	u8 type;			/* enum ib_gid_type */
	u8 mac[ETH_ALEN];		/* of the interface with the address */
	u16 tag;			/* its VLAN, or VH_UNTAGGED */
	u16 lid;			/* the port's: a pointer could outlive it */
};

static DEFINE_HASHTABLE(vh_gids, 8);
static DEFINE_SPINLOCK(vh_gid_lock);	/* for who changes it */

enum rdma_link_layer vh_link_layer(struct ib_device *ibdev, u32 port)
{
	return to_vh(ibdev)->eth ? IB_LINK_LAYER_ETHERNET :
		IB_LINK_LAYER_INFINIBAND;
}

static u32 vh_gid_hash(const union ib_gid *gid)
{
	return jhash(gid->raw, sizeof(gid->raw), 0);
}

int vh_add_gid(const struct ib_gid_attr *attr, void **context)
{
	struct vh_port *p = to_vport(attr->device, attr->port_num);
	struct vh_gid *e;
	int ret;

	if (attr->index >= VH_NGIDS)
		return -EINVAL;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	e->gid = attr->gid;
	e->type = attr->gid_type;
	e->lid = p->lid;
	/* another MAC address makes ib_core add the GID anew */
	ret = rdma_read_gid_l2_fields(attr, &e->tag, e->mac);
	if (ret) {
		kfree(e);
		return ret;
	}
	spin_lock_bh(&vh_gid_lock);
	rcu_assign_pointer(p->gids[attr->index], e);
	hash_add_rcu(vh_gids, &e->node, vh_gid_hash(&e->gid));
	spin_unlock_bh(&vh_gid_lock);
	vh_wire_announce();
	return 0;
}

int vh_del_gid(const struct ib_gid_attr *attr, void **context)
{
	struct vh_port *p = to_vport(attr->device, attr->port_num);
	struct vh_gid *e;

	spin_lock_bh(&vh_gid_lock);
	e = rcu_replace_pointer(p->gids[attr->index], NULL,
				lockdep_is_held(&vh_gid_lock));
	if (e) {
		hash_del_rcu(&e->node);
		kfree_rcu(e, rcu);
	}
	spin_unlock_bh(&vh_gid_lock);
	vh_wire_announce();
	return 0;
}

static bool vh_gid_is(const struct vh_gid *e, const union ib_gid *gid, u8 type)
{
	return e->type == type && !memcmp(&e->gid, gid, sizeof(*gid));
}

/* Where a path leads, be it here or in another guest.  0: nowhere.  RCU. */
u16 vh_lid_by_path(const struct vh_path *path)
{
	struct vh_port *p;
	struct vh_gid *e;
	u16 found = 0, far;

	hash_for_each_possible_rcu(vh_gids, e, node, vh_gid_hash(&path->dgid)) {
		if (!vh_gid_is(e, &path->dgid, path->type))
			continue;
		p = vh_port_by_lid(e->lid);
		if (!p || vh_eth_vlan(p, e->tag) != path->vlan)
			continue;
		if (ether_addr_equal(e->mac, path->dmac))
			return e->lid;
		found = e->lid;
	}
	/* in another guest there may be one that is meant more exactly */
	far = vh_wire_lid_by_path(path, !found);
	return far ? far : found;
}

/*
 * What a port would send: from a GID that it has, and as the PF allows it a VF.
 * RCU.
 */
bool vh_make_path(struct vh_port *sp, const struct rdma_ah_attr *ah,
		  struct vh_path *path)
{
	const struct ib_global_route *g;
	struct vh_gid *e;
	int vlan;

	if (ah->type != RDMA_AH_ATTR_TYPE_ROCE)
		return false;
	g = rdma_ah_read_grh(ah);
	e = g->sgid_index < VH_NGIDS ?
		rcu_dereference(sp->gids[g->sgid_index]) : NULL;
	if (!e)
		return false;
	vlan = vh_eth_vlan(sp, e->tag);
	if (vlan < 0 || vh_eth_spoofed(sp, e->mac))
		return false;
	path->sgid = e->gid;
	path->dgid = g->dgid;
	ether_addr_copy(path->smac, e->mac);
	ether_addr_copy(path->dmac, ah->roce.dmac);
	path->vlan = vlan;
	path->type = e->type;
	return true;
}

/* The LID of a QP's peer, 0: none at present.  RCU. */
u16 vh_peer_lid(struct rvt_qp *qp)
{
	struct vh_port *p = to_vport(qp->ibqp.device, qp->port_num);
	struct vh_path path;

	if (!p->dev->eth)
		return rdma_ah_get_dlid(&qp->remote_ah_attr);
	if (!vh_make_path(p, &qp->remote_ah_attr, &path))
		return 0;
	return vh_lid_by_path(&path);
}

/*
 * The guest of a QP's peer.  A connection stays with the transport that it has
 * begun with: PSNs go on only there.  While its GID cannot be found the QP
 * tries here, as it does when a link is down.  s_lock, RCU.
 */
int vh_peer_guest(struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = qp->priv;
	u16 lid;

	if (!to_vh(qp->ibqp.device)->eth)
		return vh_guest_of(rdma_ah_get_dlid(&qp->remote_ah_attr));
	if (priv->guest < 0) {
		lid = vh_peer_lid(qp);
		if (!lid)
			return vh_guest;
		priv->guest = vh_guest_of(lid);
	}
	return priv->guest;
}

/* Does a port take what came that way?  And with what VLAN tag.  RCU. */
bool vh_takes(struct vh_port *dp, const struct vh_path *path, u16 *tag)
{
	bool mcast = vh_is_mcast_gid(&path->dgid);
	struct vh_gid *e;
	int i;

	if (!dp->dev->eth)
		return false;
	for (i = 0; i < VH_NGIDS; i++) {
		e = rcu_dereference(dp->gids[i]);
		/* a group is heard where there is an address in its VLAN */
		if (e && (mcast || vh_gid_is(e, &path->dgid, path->type)) &&
		    vh_eth_vlan(dp, e->tag) == path->vlan) {
			*tag = e->tag;
			return true;
		}
	}
	return false;
}

/* What the other guests are to know of a port's GIDs.  RCU.  How many. */
u32 vh_list_gids(struct vh_port *p, struct vh_far_gid *list, u32 max)
{
	struct vh_gid *e;
	int i, vlan;
	u32 n = 0;

	for (i = 0; i < VH_NGIDS && n < max; i++) {
		e = rcu_dereference(p->gids[i]);
		vlan = e ? vh_eth_vlan(p, e->tag) : -1;
		if (vlan < 0)
			continue;
		list[n].gid = e->gid;
		list[n].type = e->type;
		list[n].lid = cpu_to_be16(e->lid);
		list[n].vlan = cpu_to_be16(vlan);
		ether_addr_copy(list[n].mac, e->mac);
		n++;
	}
	return n;
}

/* GRH of a datagram (RoCE v1), or what RoCE v2 has in its place. */
void vh_roce_header(const struct rdma_ah_attr *ah, struct vh_pkt *pkt)
{
	const struct ib_global_route *g = rdma_ah_read_grh(ah);
	union rdma_network_hdr *hdr = (void *)&pkt->grh;
	struct vh_path *path = &pkt->path;
	bool udp = path->type == IB_GID_TYPE_ROCE_UDP_ENCAP;

	BUILD_BUG_ON(sizeof(*hdr) != sizeof(pkt->grh));
	memset(hdr, 0, sizeof(*hdr));
	pkt->has_grh = true;
	if (udp && ipv6_addr_v4mapped((struct in6_addr *)path->sgid.raw)) {
		struct iphdr *ip = &hdr->roce4grh;

		ip->version = 4;
		ip->ihl = 5;
		ip->tos = g->traffic_class;
		/* + UDP, BTH, DETH, ICRC */
		ip->tot_len = cpu_to_be16(sizeof(*ip) + 8 + pkt->len + 24);
		ip->frag_off = htons(IP_DF);
		ip->ttl = g->hop_limit;
		ip->protocol = IPPROTO_UDP;
		memcpy(&ip->saddr, path->sgid.raw + 12, 4);
		memcpy(&ip->daddr, path->dgid.raw + 12, 4);
		ip->check = ip_fast_csum((u8 *)ip, ip->ihl);
		return;
	}
	pkt->grh.version_tclass_flow =
		cpu_to_be32(IB_GRH_VERSION << IB_GRH_VERSION_SHIFT |
			    g->traffic_class << IB_GRH_TCLASS_SHIFT |
			    (g->flow_label & IB_GRH_FLOW_MASK));
	pkt->grh.paylen = cpu_to_be16(pkt->len + 24 + (udp ? 8 : 0));
	pkt->grh.next_hdr = udp ? IPPROTO_UDP : IB_GRH_NEXT_HDR;
	pkt->grh.hop_limit = g->hop_limit;
	pkt->grh.sgid = path->sgid;
	pkt->grh.dgid = path->dgid;
}
