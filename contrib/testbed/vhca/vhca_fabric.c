// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fabric: which port has which LID, link states, counters and the way of
 * a datagram.  Everything that would be wire and switch is here, so this is
 * the place to add a second guest: a LID that no local port has would go out
 * over a socket in vh_route().
 *
 * Life time: a port is in vh_lids from enable_driver (the QP table exists, no
 * client has seen the device yet) until vh_fabric_del(), after which
 * synchronize_rcu() runs before its QP table or its memory goes.  So ports and
 * QPs found here stay valid for as long as the caller is in its RCU section.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca.h"

static struct vh_port __rcu *vh_lids[VH_MAX_LIDS];

void vh_fabric_add(struct vh_dev *dev)
{
	int i;

	for (i = 0; i < dev->nports; i++)
		rcu_assign_pointer(vh_lids[dev->port[i].lid], &dev->port[i]);
}

/* The caller waits for an RCU grace period before it frees anything. */
void vh_fabric_del(struct vh_dev *dev)
{
	int i;

	for (i = 0; i < dev->nports; i++)
		RCU_INIT_POINTER(vh_lids[dev->port[i].lid], NULL);
}

struct vh_port *vh_port_by_lid(u16 lid)
{
	return lid < VH_MAX_LIDS ? rcu_dereference(vh_lids[lid]) : NULL;
}

struct vh_port *vh_port_by_gid(const union ib_gid *gid)
{
	struct vh_port *p;
	int i;

	if (!gid->global.interface_id)	/* VFs that have no GUID yet */
		return NULL;
	for (i = 0; i < VH_MAX_LIDS; i++) {
		p = rcu_dereference(vh_lids[i]);
		if (p && p->guid == gid->global.interface_id &&
		    p->rvp.gid_prefix == gid->global.subnet_prefix)
			return p;
	}
	return NULL;
}

/* A QP hears only its own port; rdmavt's table is one for all ports. */
struct rvt_qp *vh_find_qp(struct vh_port *p, u32 qpn)
{
	struct rvt_qp *qp = rvt_lookup_qpn(&p->dev->rdi, &p->rvp, qpn);

	return qp && qp->port_num == p->num ? qp : NULL;
}

int vh_pkey_index(struct vh_port *p, u16 pkey)
{
	int i;

	for (i = 0; i < VH_NPKEYS; i++)
		if (p->pkeys[i] == pkey)
			return i;
	for (i = 0; i < VH_NPKEYS; i++)
		if (vh_pkey_match(p->pkeys[i], pkey))
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

	ib_dispatch_event(&ev);
}

/* Under vh_mutex. */
void vh_set_state(struct vh_port *p, int state)
{
	bool was = p->state == IB_PORT_ACTIVE;

	lockdep_assert_held(&vh_mutex);
	p->state = state;
	p->phys = state == IB_PORT_DOWN ? IB_PORT_PHYS_STATE_DISABLED :
		IB_PORT_PHYS_STATE_LINK_UP;
	if (!was && state == IB_PORT_ACTIVE) {
		vh_event(p, IB_EVENT_LID_CHANGE);
		vh_event(p, IB_EVENT_PORT_ACTIVE);
	} else if (was && state != IB_PORT_ACTIVE) {
		/* as an SM that finds the port gone at its next sweep */
		vh_sm_forget(p);
		vh_event(p, IB_EVENT_PORT_ERR);
	}
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

/* One datagram leaves port sp.  RCU read side. */
void vh_route(struct vh_port *sp, struct vh_pkt *pkt)
{
	bool mcast = vh_is_mcast_lid(pkt->dlid);
	struct vh_port *dp;
	int i;

	/* only SMPs (QP0) pass a link that is not active yet */
	if (sp->state < (pkt->dst_qpn ? IB_PORT_ACTIVE : IB_PORT_INIT))
		return;
	vh_count(&sp->tx, pkt->len, VH_UD_MTU, mcast);

	if (pkt->dlid == VH_SM_LID) {
		vh_sm_receive(sp, pkt);
	} else if (mcast) {
		pkt->dst_qpn = VH_MCAST_QPN;
		for (i = 0; pkt->has_grh && i < VH_MAX_LIDS; i++) {
			dp = rcu_dereference(vh_lids[i]);
			if (dp)
				vh_ud_deliver(dp, pkt);
		}
	} else {
		dp = vh_port_by_lid(pkt->dlid);
		if (dp)
			vh_ud_deliver(dp, pkt);
		else
			sp->rvp.n_pkt_drops++;
	}
}
