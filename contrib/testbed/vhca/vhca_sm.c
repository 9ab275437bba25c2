// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tiny subnet manager and subnet administration at LID 1: what ib_ipoib,
 * ib_sa and rdma_cm need to come up without opensm (multicast membership,
 * paths, ClassPortInfo, SMInfo).  It has no port of its own: requests come from
 * vh_arrive(), answers leave through vh_forward().  One guest has it, the others'
 * ports are known to it from what they announce (vhca_wire.c).
 *
 * sa=0 makes it deaf and forgetful.  That may be written at run time; when it
 * comes back it asks all ports to register again, as a real SM does
 * (PortInfo:ClientReregister, IBA 14.4.11).
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <rdma/ib_sa.h>
#include <rdma/ib_smi.h>
#include "vhca.h"

#define VH_MAX_GROUPS	1024
#define VH_MAD_UNSUP_VERSION_ATTR	cpu_to_be16(0xc)
#define VH_MAD_UNSUP_METHOD		cpu_to_be16(0x8)
#define VH_SA_STATUS(n)			cpu_to_be16((n) << 8)

enum vh_sa_status {
	SA_NO_RESOURCES = 1,
	SA_REQ_INVALID = 2,
	SA_NO_RECORDS = 3,
	SA_INSUF_COMP = 6,
};

/* JoinState bits, and who is what in a group */
enum vh_join {
	JOIN_FULL = 1,
	JOIN_NON = 2,
	JOIN_SENDONLY = 0xc,
	JOIN_ANY = 0xf,
};

/* MCMemberRecord and PathRecord on the wire, offsets in the SA data */
enum {
	MC_MGID = 0, MC_PORT_GID = 16, MC_QKEY = 32, MC_MLID = 36, MC_MTU = 38,
	MC_TCLASS = 39, MC_PKEY = 40, MC_RATE = 42, MC_LIFE = 43,
	MC_SL_FLOW_HOP = 44, MC_SCOPE_JOIN = 48,
	PR_DGID = 8, PR_SGID = 24, PR_DLID = 40, PR_SLID = 42,
	PR_FLOW_HOP = 44, PR_TCLASS = 48, PR_REV_NUMB = 49, PR_PKEY = 50,
	PR_QOS_SL = 52, PR_MTU = 54, PR_RATE = 55, PR_LIFE = 56, PR_PREF = 57,
};

struct vh_group {
	struct list_head list;
	union ib_gid mgid;
	u16 mlid, pkey;
	u32 qkey, sl_flow_hop;
	u8 tclass;
	DECLARE_BITMAP(full, VH_MAX_LIDS);	/* by LID of the member port */
	DECLARE_BITMAP(non, VH_MAX_LIDS);
	DECLARE_BITMAP(sendonly, VH_MAX_LIDS);
};

static bool vh_sa_enable = true;
static u32 vh_sa_starts = 1;		/* how often it came up */

static LIST_HEAD(vh_groups);
static DEFINE_SPINLOCK(vh_group_lock);
static int vh_ngroups;

/* ---- groups, all under vh_group_lock ---- */

static struct vh_group *vh_group_find(const u8 *mgid)
{
	struct vh_group *g;

	list_for_each_entry(g, &vh_groups, list)
		if (!memcmp(g->mgid.raw, mgid, sizeof(g->mgid.raw)))
			return g;
	return NULL;
}

/* The lowest MLID not in use: 16,382 of them, and groups come and go. */
static u16 vh_free_mlid(void)
{
	u16 mlid = be16_to_cpu(IB_MULTICAST_LID_BASE);
	struct vh_group *g;

again:
	list_for_each_entry(g, &vh_groups, list)
		if (g->mlid == mlid) {
			mlid++;
			goto again;
		}
	return mlid;
}

/* A group goes with its last member. */
static void vh_group_put(struct vh_group *g)
{
	if (!bitmap_empty(g->full, VH_MAX_LIDS) ||
	    !bitmap_empty(g->non, VH_MAX_LIDS) ||
	    !bitmap_empty(g->sendonly, VH_MAX_LIDS))
		return;
	list_del(&g->list);
	vh_ngroups--;
	kfree(g);
}

/* True if it was a member. */
static bool vh_group_leave(struct vh_group *g, u16 lid, u8 join)
{
	bool was = false;

	if (join & JOIN_FULL)
		was |= test_and_clear_bit(lid, g->full);
	if (join & JOIN_NON)
		was |= test_and_clear_bit(lid, g->non);
	if (join & JOIN_SENDONLY)
		was |= test_and_clear_bit(lid, g->sendonly);
	vh_group_put(g);
	return was;
}

static void vh_group_join(struct vh_group *g, u16 lid, u8 join)
{
	if (join & JOIN_FULL)
		set_bit(lid, g->full);
	if (join & JOIN_NON)
		set_bit(lid, g->non);
	if (join & JOIN_SENDONLY)
		set_bit(lid, g->sendonly);
}

static struct vh_group *vh_group_new(__be64 mask, const u8 *d, u16 pkey)
{
	struct vh_group *g;

	if (vh_ngroups >= VH_MAX_GROUPS)
		return NULL;
	g = kzalloc(sizeof(*g), GFP_ATOMIC);
	if (!g)
		return NULL;
	memcpy(g->mgid.raw, d + MC_MGID, sizeof(g->mgid.raw));
	g->mlid = vh_free_mlid();
	g->pkey = pkey | 0x8000;
	g->qkey = mask & IB_SA_MCMEMBER_REC_QKEY ?
		get_unaligned_be32(d + MC_QKEY) : 0x0b1b;
	if (mask & IB_SA_MCMEMBER_REC_TRAFFIC_CLASS)
		g->tclass = d[MC_TCLASS];
	list_add(&g->list, &vh_groups);
	vh_ngroups++;
	return g;
}

static void vh_group_forget(struct vh_group *g, u16 lid, u16 count)
{
	bitmap_clear(g->full, lid, count);
	bitmap_clear(g->non, lid, count);
	bitmap_clear(g->sendonly, lid, count);
	vh_group_put(g);
}

/* These ports are off the fabric. */
void vh_sm_forget(u16 lid, u16 count)
{
	struct vh_group *g, *t;
	unsigned long flags;

	spin_lock_irqsave(&vh_group_lock, flags);
	list_for_each_entry_safe(g, t, &vh_groups, list)
		vh_group_forget(g, lid, count);
	spin_unlock_irqrestore(&vh_group_lock, flags);
}

/* No ports are left. */
void vh_sm_exit(void)
{
	struct vh_group *g, *t;

	list_for_each_entry_safe(g, t, &vh_groups, list)
		kfree(g);
}

/* ---- SA ---- */

static bool vh_gid_end(const u8 *d, struct vh_end *e)
{
	union ib_gid gid;

	memcpy(gid.raw, d, sizeof(gid.raw));
	return vh_end_by_gid(&gid, e);
}

/* Join a group, creating it if need be.  Under vh_group_lock. */
static __be16 vh_sa_join(const struct vh_end *mp, __be64 mask, u8 *d,
			 struct vh_group **gp)
{
	u16 sig = get_unaligned_be16(d + MC_MGID + 2);
	bool ipoib = sig == 0x401b || sig == 0x601b;
	u8 join = d[MC_SCOPE_JOIN] & JOIN_ANY;
	struct vh_group *g = *gp;
	u16 pkey;

	if (d[MC_MGID] != 0xff || !join)
		return VH_SA_STATUS(SA_REQ_INVALID);
	if (g)
		pkey = g->pkey;
	else if (mask & IB_SA_MCMEMBER_REC_PKEY)
		pkey = get_unaligned_be16(d + MC_PKEY);
	else	/* IPoIB's MGIDs have it in them */
		pkey = get_unaligned_be16(d + MC_MGID + 4);
	if (vh_pkey_index(mp->pkeys, pkey) < 0)
		return VH_SA_STATUS(SA_REQ_INVALID);
	if (!g) {
		if (!ipoib && !(mask & IB_SA_MCMEMBER_REC_QKEY))
			return VH_SA_STATUS(SA_INSUF_COMP);
		g = vh_group_new(mask, d, pkey);
		if (!g)
			return VH_SA_STATUS(SA_NO_RESOURCES);
		*gp = g;
	}
	vh_group_join(g, mp->lid, join);
	return 0;
}

static void vh_sa_fill_group(struct vh_group *g, u8 *d)
{
	put_unaligned_be32(g->qkey, d + MC_QKEY);
	put_unaligned_be16(g->mlid, d + MC_MLID);
	d[MC_MTU] = 0x80 | IB_MTU_2048;		/* as opensm's default */
	d[MC_TCLASS] = g->tclass;
	put_unaligned_be16(g->pkey, d + MC_PKEY);
	d[MC_RATE] = 0x80 | IB_RATE_10_GBPS;
	d[MC_LIFE] = 0x80 | 18;
	put_unaligned_be32(g->sl_flow_hop, d + MC_SL_FLOW_HOP);
	d[MC_SCOPE_JOIN] = (g->mgid.raw[1] & 0xf) << 4 |
		(d[MC_SCOPE_JOIN] & JOIN_ANY);
}

static __be16 vh_sa_mcmember(const struct vh_end *asking, u8 method,
			     __be64 mask, u8 *d)
{
	struct vh_end member;
	struct vh_group *g;
	unsigned long flags;
	__be16 status = 0;

	if (!vh_gid_end(d + MC_PORT_GID, &member))
		member = *asking;
	spin_lock_irqsave(&vh_group_lock, flags);
	g = vh_group_find(d + MC_MGID);
	switch (method) {
	case IB_SA_METHOD_DELETE:
		if (!g || !vh_group_leave(g, member.lid, d[MC_SCOPE_JOIN]))
			status = VH_SA_STATUS(SA_REQ_INVALID);
		break;
	case IB_MGMT_METHOD_SET:
		status = vh_sa_join(&member, mask, d, &g);
		if (!status)
			vh_sa_fill_group(g, d);
		break;
	default:
		if (g)
			vh_sa_fill_group(g, d);
		else
			status = VH_SA_STATUS(SA_NO_RECORDS);
	}
	spin_unlock_irqrestore(&vh_group_lock, flags);
	return status;
}

/* The P_Key of a path: the one asked for, or the first that both have. */
static u16 vh_sa_path_pkey(const struct vh_end *from, const struct vh_end *to,
			   __be64 mask, const u8 *d)
{
	u16 pkey;
	int i;

	if (mask & IB_SA_PATH_REC_PKEY) {
		pkey = get_unaligned_be16(d + PR_PKEY);
		return vh_pkey_index(from->pkeys, pkey) >= 0 &&
			vh_pkey_index(to->pkeys, pkey) >= 0 ? pkey : 0;
	}
	for (i = 0; i < VH_NPKEYS; i++) {
		pkey = from->pkeys[i];
		if (pkey & 0x7fff && vh_pkey_index(to->pkeys, pkey) >= 0)
			return pkey;
	}
	return 0;
}

static __be16 vh_sa_path(const struct vh_end *asking, u8 method, __be64 mask,
			 u8 *d)
{
	struct vh_end to, from = *asking;
	bool found = false;
	u16 pkey;

	if (method != IB_MGMT_METHOD_GET)
		return VH_MAD_UNSUP_METHOD;
	if (mask & IB_SA_PATH_REC_DGID)
		found = vh_gid_end(d + PR_DGID, &to);
	else if (mask & IB_SA_PATH_REC_DLID)
		found = vh_end_by_lid(get_unaligned_be16(d + PR_DLID), &to);
	if (mask & IB_SA_PATH_REC_SGID)
		vh_gid_end(d + PR_SGID, &from);
	else if (mask & IB_SA_PATH_REC_SLID)
		vh_end_by_lid(get_unaligned_be16(d + PR_SLID), &from);
	if (!found || to.state != IB_PORT_ACTIVE)
		return VH_SA_STATUS(SA_NO_RECORDS);
	pkey = vh_sa_path_pkey(&from, &to, mask, d);
	if (!pkey)
		return VH_SA_STATUS(SA_NO_RECORDS);

	memcpy(d + PR_DGID, &to.prefix, 8);
	memcpy(d + PR_DGID + 8, &to.guid, 8);
	memcpy(d + PR_SGID, &from.prefix, 8);
	memcpy(d + PR_SGID + 8, &from.guid, 8);
	put_unaligned_be16(to.lid, d + PR_DLID);
	put_unaligned_be16(from.lid, d + PR_SLID);
	put_unaligned_be32(0, d + PR_FLOW_HOP);
	d[PR_TCLASS] = 0;
	d[PR_REV_NUMB] = 0x80 | 1;		/* reversible, one path */
	put_unaligned_be16(pkey, d + PR_PKEY);
	put_unaligned_be16(0, d + PR_QOS_SL);
	d[PR_MTU] = 0x80 | IB_MTU_4096;
	d[PR_RATE] = 0x80 | IB_RATE_100_GBPS;
	d[PR_LIFE] = 0x80 | 18;
	d[PR_PREF] = 0;
	return 0;
}

static void vh_sa_cpi(u8 *d)
{
	struct ib_class_port_info *c = (void *)d;

	memset(d, 0, IB_MGMT_SA_DATA);
	c->base_version = 1;
	c->class_version = 2;
	ib_set_cpi_resp_time(c, 16);
	ib_set_cpi_capmask2(c, IB_SA_CAP_MASK2_SENDONLY_FULL_MEM_SUPPORT);
}

/* True if there is something to answer. */
static bool vh_sa_mad(const struct vh_end *asking, struct ib_sa_mad *m)
{
	__be64 mask = m->sa_hdr.comp_mask;	/* IB_SA_* are big endian too */
	u8 method = m->mad_hdr.method;
	__be16 status = 0;

	if (m->mad_hdr.mgmt_class != IB_MGMT_CLASS_SUBN_ADM)
		return false;
	m->mad_hdr.method = method == IB_SA_METHOD_DELETE ?
		IB_SA_METHOD_DELETE_RESP : IB_MGMT_METHOD_GET_RESP;
	if (method != IB_MGMT_METHOD_GET && method != IB_MGMT_METHOD_SET &&
	    method != IB_SA_METHOD_DELETE) {
		status = VH_MAD_UNSUP_METHOD;	/* tables need RMPP */
		goto out;
	}
	switch (be16_to_cpu(m->mad_hdr.attr_id)) {
	case IB_MGMT_CLASSPORTINFO_ATTR_ID:
		vh_sa_cpi(m->data);
		break;
	case IB_SA_ATTR_MC_MEMBER_REC:
		status = vh_sa_mcmember(asking, method, mask, m->data);
		break;
	case IB_SA_ATTR_PATH_REC:
		status = vh_sa_path(asking, method, mask, m->data);
		break;
	case IB_SA_ATTR_INFORM_INFO:
	case IB_SA_ATTR_SERVICE_REC:
		break;				/* accepted, echoed */
	default:
		status = VH_MAD_UNSUP_VERSION_ATTR;
	}
out:
	m->mad_hdr.status = status;
	if (status)
		pr_debug("SA: lid %u attribute %#x status %#x\n", asking->lid,
			 be16_to_cpu(m->mad_hdr.attr_id), be16_to_cpu(status));
	return true;
}

/* SMPs to the SM's own port: SMInfo, so that `sminfo` finds a master. */
static bool vh_sm_smp(struct ib_smp *s)
{
	if (s->mgmt_class != IB_MGMT_CLASS_SUBN_LID_ROUTED)
		return false;
	s->method = IB_MGMT_METHOD_GET_RESP;
	s->status = 0;
	memset(s->data, 0, sizeof(s->data));
	if (s->attr_id == IB_SMP_ATTR_SM_INFO) {
		put_unaligned_be64(0x0002c90300feed01ULL, s->data);
		put_unaligned_be32(1, s->data + 16);	/* ActCount */
		s->data[20] = 0xf << 4 | 3;		/* priority 15, master */
	} else {
		s->status = VH_MAD_UNSUP_VERSION_ATTR;
	}
	return true;
}

/* A datagram for LID 1.  False if no SM is here.  RCU read side. */
bool vh_sm_receive(const struct vh_pkt *pkt)
{
	struct vh_pkt answer = {
		.slid = VH_SM_LID,
		.dlid = pkt->slid,
		.pkey = pkt->pkey,
		.sl = pkt->sl,
		.src_qpn = pkt->dst_qpn,
		.dst_qpn = pkt->src_qpn,
		.qkey = pkt->dst_qpn ? IB_QP1_QKEY : 0,
		.len = IB_MGMT_MAD_SIZE,
	};
	struct vh_end asking;
	union {
		struct ib_mad_hdr hdr;
		struct ib_sa_mad sa;
		struct ib_smp smp;
	} *m;

	if (!vh_sm_generation())
		return false;
	if (pkt->len != IB_MGMT_MAD_SIZE || pkt->dst_qpn > 1)
		return true;
	/* as a real QP1 would: a user's UD QP may not have this Q_Key */
	if (pkt->dst_qpn == 1 && pkt->qkey != IB_QP1_QKEY)
		return true;
	/* a port of another guest that was not announced yet: it asks again */
	if (!vh_end_by_lid(pkt->slid, &asking))
		return true;
	m = kmemdup(pkt->data, IB_MGMT_MAD_SIZE, GFP_ATOMIC);
	if (!m)
		return true;
	if (m->hdr.method & IB_MGMT_METHOD_RESP ||
	    m->hdr.method == IB_MGMT_METHOD_TRAP ||
	    m->hdr.method == IB_MGMT_METHOD_TRAP_REPRESS)
		goto out;
	if (pkt->dst_qpn ? vh_sa_mad(&asking, &m->sa) : vh_sm_smp(&m->smp)) {
		answer.data = m;
		vh_forward(&answer);
	}
out:
	kfree(m);
	return true;
}

/* ---- on and off ---- */

/* 0: no SM here, or deaf; else another number each time it comes up. */
u32 vh_sm_generation(void)
{
	return vh_guest == VH_SM_GUEST && READ_ONCE(vh_sa_enable) ?
		READ_ONCE(vh_sa_starts) : 0;
}

static int vh_sa_set(const char *val, const struct kernel_param *kp)
{
	bool was = vh_sa_enable;
	int ret = param_set_bool(val, kp);

	if (ret || was == vh_sa_enable)
		return ret;
	if (vh_sa_enable) {
		vh_sa_starts++;
		vh_event_all(IB_EVENT_CLIENT_REREGISTER);
	} else {
		vh_sm_forget(0, VH_MAX_LIDS);
	}
	vh_wire_announce();
	return 0;
}

static const struct kernel_param_ops vh_sa_ops = {
	.set = vh_sa_set,
	.get = param_get_bool,
};

module_param_cb(sa, &vh_sa_ops, &vh_sa_enable, 0644);
MODULE_PARM_DESC(sa, "answer as subnet manager and SA (default Y)");
