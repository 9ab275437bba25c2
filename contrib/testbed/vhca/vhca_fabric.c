// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fabric: which port has which LID, link states, counters and the way of
 * a datagram.  Every guest has a range of LIDs; what is for a LID of another
 * one leaves through vhca_wire.c.
 *
 * Life time: a port is in vh_lids from enable_driver (the QP table exists, no
 * client has seen the device yet) until vh_fabric_del(), after which
 * synchronize_rcu() runs before its QP table or its memory goes.  So ports and
 * QPs found here stay valid for as long as the caller is in its RCU section.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca.h"

static struct vh_port __rcu *vh_lids[VH_GUEST_LIDS];	/* of this guest */

u16 vh_first_lid(int guest)
{
	return VH_LID_BASE + guest * VH_GUEST_LIDS;
}

/* Whose LID that is, -1: nobody's. */
int vh_guest_of(u16 lid)
{
	if (lid < VH_LID_BASE || lid >= VH_MAX_LIDS)
		return -1;
	return (lid - VH_LID_BASE) / VH_GUEST_LIDS;
}

void vh_fabric_add(struct vh_dev *dev)
{
	u16 first = vh_first_lid(vh_guest);
	int i;

	for (i = 0; i < dev->nports; i++)
		rcu_assign_pointer(vh_lids[dev->port[i].lid - first],
				   &dev->port[i]);
	vh_wire_announce();
}

/* The caller waits for an RCU grace period before it frees anything. */
void vh_fabric_del(struct vh_dev *dev)
{
	u16 first = vh_first_lid(vh_guest);
	int i;

	for (i = 0; i < dev->nports; i++)
		RCU_INIT_POINTER(vh_lids[dev->port[i].lid - first], NULL);
	vh_wire_announce();
}

/* A port of this guest, under RCU. */
struct vh_port *vh_port_by_lid(u16 lid)
{
	if (vh_guest_of(lid) != vh_guest)
		return NULL;
	return rcu_dereference(vh_lids[lid - vh_first_lid(vh_guest)]);
}

static struct vh_port *vh_port_by_gid(const union ib_gid *gid)
{
	struct vh_port *p;
	int i;

	for (i = 0; i < VH_GUEST_LIDS; i++) {
		p = rcu_dereference(vh_lids[i]);
		if (p && !p->dev->eth && p->guid == gid->global.interface_id &&
		    p->rvp.gid_prefix == gid->global.subnet_prefix)
			return p;
	}
	return NULL;
}

void vh_describe(struct vh_port *p, struct vh_end *e)
{
	e->lid = p->lid;
	e->guid = p->guid;
	e->prefix = p->rvp.gid_prefix;
	e->state = p->state;
	memcpy(e->pkeys, p->pkeys, sizeof(e->pkeys));
}

/* What is known of a port, wherever it is.  RCU read side. */
bool vh_end_by_lid(u16 lid, struct vh_end *e)
{
	struct vh_port *p = vh_port_by_lid(lid);

	if (!p)
		return vh_wire_end(lid, e);
	vh_describe(p, e);
	return true;
}

bool vh_end_by_gid(const union ib_gid *gid, struct vh_end *e)
{
	struct vh_port *p;

	if (!gid->global.interface_id)	/* VFs that have no GUID yet */
		return false;
	p = vh_port_by_gid(gid);
	if (!p)
		return vh_wire_end_by_gid(gid, e);
	vh_describe(p, e);
	return true;
}

/* A QP hears only its own port; rdmavt's table is one for all ports. */
struct rvt_qp *vh_find_qp(struct vh_port *p, u32 qpn)
{
	struct rvt_qp *qp = rvt_lookup_qpn(&p->dev->rdi, &p->rvp, qpn);

	return qp && qp->port_num == p->num ? qp : NULL;
}

int vh_pkey_index(const u16 *pkeys, u16 pkey)
{
	int i;

	for (i = 0; i < VH_NPKEYS; i++)
		if (pkeys[i] == pkey)
			return i;
	for (i = 0; i < VH_NPKEYS; i++)
		if (vh_pkey_match(pkeys[i], pkey))
			return i;
	return -1;
}

void vh_event(struct vh_port *p, enum ib_event_type t)
{
	struct ib_event ev = {
		.device = &p->dev->rdi.ibdev,
		.event = t,
		.element.port_num = p->num,
	};

	/* ib_core does not know it yet, or no more */
	if (!list_empty(&p->dev->list))
		ib_dispatch_event(&ev);
}

/* The same on every InfiniBand port of this guest. */
void vh_event_all(enum ib_event_type t)
{
	struct vh_dev *d;
	int i;

	mutex_lock(&vh_mutex);
	list_for_each_entry(d, &vh_devs, list)
		for (i = 0; !d->eth && i < d->nports; i++)
			vh_event(&d->port[i], t);
	mutex_unlock(&vh_mutex);
}

/* Of an Ethernet port that its interface is up is asked as well. */
static void vh_change_state(struct vh_port *p, int state)
{
	bool was = p->state == IB_PORT_ACTIVE;

	if (p->dev->eth && !p->running)
		state = IB_PORT_DOWN;
	p->state = state;
	p->phys = state == IB_PORT_DOWN ? IB_PORT_PHYS_STATE_DISABLED :
		IB_PORT_PHYS_STATE_LINK_UP;
	if (!was && state == IB_PORT_ACTIVE) {
		if (!p->dev->eth)
			vh_event(p, IB_EVENT_LID_CHANGE);
		vh_event(p, IB_EVENT_PORT_ACTIVE);
	} else if (was && state != IB_PORT_ACTIVE) {
		/* as an SM that finds the port gone at its next sweep */
		vh_sm_forget(p->lid, 1);
		vh_event(p, IB_EVENT_PORT_ERR);
	}
}

/* The link of a port is such, as far as its cable is concerned.  vh_mutex. */
void vh_set_state(struct vh_port *p, int state)
{
	lockdep_assert_held(&vh_mutex);
	p->link = state;
	vh_change_state(p, state);
	if (p->netdev && state == IB_PORT_ACTIVE)
		netif_carrier_on(p->netdev);
	else if (p->netdev)
		netif_carrier_off(p->netdev);
	vh_wire_announce();
	if (!p->dev->pf && p->num == 1)
		vh_vf_follow(p->dev);
}

/*
 * Data counters hold message payload in octets, each message padded to whole
 * 32-bit words as on the wire (BTH PadCnt), no headers.  So the words that
 * PMA and sysfs show are exact, never rounded, a test can foretell them from
 * the sizes it sends, and one side's xmit equals the other side's rcv.  (A real
 * HCA adds its headers, which is no use to a test.)  Packets are those of the
 * path MTU.
 */
void vh_count(struct vh_counter *c, u32 len, u32 mtu, bool mcast)
{
	u32 pkts = len ? DIV_ROUND_UP(len, mtu) : 1;

	atomic64_add(round_up((u64)len, 4), &c->octets);
	atomic64_add(pkts, mcast ? &c->mcast : &c->ucast);
}

static void vh_flood(const struct vh_pkt *pkt)
{
	struct vh_port *dp;
	int i;

	for (i = 0; i < VH_GUEST_LIDS; i++) {
		dp = rcu_dereference(vh_lids[i]);
		if (dp)
			vh_ud_deliver(dp, pkt);
	}
}

/* A datagram for this guest.  False if nobody is there to take it.  RCU. */
bool vh_arrive(const struct vh_pkt *pkt)
{
	struct vh_port *dp;

	if (pkt->dlid == VH_SM_LID)
		return vh_sm_receive(pkt);
	if (vh_is_mcast_lid(pkt->dlid)) {
		if (pkt->has_grh)
			vh_flood(pkt);
		return true;
	}
	dp = vh_port_by_lid(pkt->dlid);
	if (dp)
		vh_ud_deliver(dp, pkt);
	return dp;
}

/* A datagram from this guest, wherever it is for.  RCU read side. */
bool vh_forward(const struct vh_pkt *pkt)
{
	int guest = pkt->dlid == VH_SM_LID ? VH_SM_GUEST :
		vh_guest_of(pkt->dlid);

	if (vh_is_mcast_lid(pkt->dlid))
		vh_wire_flood(pkt);
	else if (guest != vh_guest)
		return vh_wire_datagram(guest, pkt);
	return vh_arrive(pkt);
}

/* One datagram leaves port sp.  RCU read side. */
void vh_route(struct vh_port *sp, struct vh_pkt *pkt)
{
	bool mcast = vh_is_mcast_lid(pkt->dlid);

	/* only SMPs (QP0) pass a link that is not active yet */
	if (sp->state < (pkt->dst_qpn ? IB_PORT_ACTIVE : IB_PORT_INIT))
		return;
	vh_count(&sp->tx, pkt->len, VH_UD_MTU, mcast);
	if (mcast)
		pkt->dst_qpn = VH_MCAST_QPN;
	if (!vh_forward(pkt))
		sp->rvp.n_pkt_drops++;
}
