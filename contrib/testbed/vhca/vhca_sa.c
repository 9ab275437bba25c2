// SPDX-License-Identifier: GPL-2.0-only
/* Tiny built-in SM/SA (LID 1) and the per-port SMA/PMA. */
#include <linux/random.h>
#include "vhca.h"

struct vh_mc {
	struct list_head list;
	union ib_gid mgid;
	u16 mlid, pkey;
	u32 qkey;
	u32 sl_flow_hop;
	u8 tclass, mtu, rate, plt, scope;
	DECLARE_BITMAP(full, VH_MAX_LIDS);	/* by LID of member port */
	DECLARE_BITMAP(non, VH_MAX_LIDS);
	DECLARE_BITMAP(sonly, VH_MAX_LIDS);
};

static LIST_HEAD(vh_mcs);
static DEFINE_SPINLOCK(vh_mc_lock);
static u16 vh_next_mlid = 0xc000;

static struct vh_mc *mc_find(const u8 *mgid)
{
	struct vh_mc *m;

	list_for_each_entry(m, &vh_mcs, list)
		if (!memcmp(m->mgid.raw, mgid, 16))
			return m;
	return NULL;
}

static bool mc_drop_member(struct vh_mc *m, u16 lid, u8 js)
{
	bool was = test_bit(lid, m->full) || test_bit(lid, m->non) ||
		   test_bit(lid, m->sonly);

	if (js & 1)
		clear_bit(lid, m->full);
	if (js & 2)
		clear_bit(lid, m->non);
	if (js & 0xc)
		clear_bit(lid, m->sonly);
	if (bitmap_empty(m->full, VH_MAX_LIDS) &&
	    bitmap_empty(m->non, VH_MAX_LIDS) &&
	    bitmap_empty(m->sonly, VH_MAX_LIDS)) {
		list_del(&m->list);
		kfree(m);
	}
	return was;
}

void vh_sa_forget(struct vh_port *p)
{
	struct vh_mc *m, *t;
	unsigned long flags;

	spin_lock_irqsave(&vh_mc_lock, flags);
	list_for_each_entry_safe(m, t, &vh_mcs, list)
		mc_drop_member(m, p->lid, 0xf);
	spin_unlock_irqrestore(&vh_mc_lock, flags);
}

void vh_sa_cleanup(void)
{
	struct vh_mc *m, *t;

	list_for_each_entry_safe(m, t, &vh_mcs, list) {
		list_del(&m->list);
		kfree(m);
	}
}

#define SA_STATUS(n) cpu_to_be16((n) << 8)	/* SA class-specific status */
enum { SA_NO_RESOURCES = 1, SA_REQ_INVALID, SA_NO_RECORDS, SA_TOO_MANY,
	SA_BAD_GID, SA_INSUF_COMP };

static __be16 sa_mcmember(struct vh_port *sp, u8 method, __be64 mask, u8 *d)
{
	struct vh_port *mp = vh_port_by_gid((union ib_gid *)(d + 16));
	u8 js = d[48] & 0xf;
	__be16 status = 0;
	struct vh_mc *m;
	unsigned long flags;
	u16 pkey;

	if (!mp)
		mp = sp;
	spin_lock_irqsave(&vh_mc_lock, flags);
	m = mc_find(d);
	if (method == IB_SA_METHOD_DELETE) {
		if (!m || !mc_drop_member(m, mp->lid, js))
			status = SA_STATUS(SA_REQ_INVALID);
		goto out;
	}
	if (method == IB_MGMT_METHOD_GET) {
		if (!m) {
			status = SA_STATUS(SA_NO_RECORDS);
			goto out;
		}
		goto fill;
	}
	if (d[0] != 0xff || !js) {
		status = SA_STATUS(SA_REQ_INVALID);
		goto out;
	}
	pkey = (mask & IB_SA_MCMEMBER_REC_PKEY) ? (d[40] << 8 | d[41]) :
		(d[4] << 8 | d[5]);
	if (m)
		pkey = m->pkey;
	if (vh_pkey_index(mp, pkey) < 0) {
		status = SA_STATUS(SA_REQ_INVALID);
		goto out;
	}
	if (!m) {
		bool ipoib = (d[2] == 0x40 && d[3] == 0x1b) ||
			     (d[2] == 0x60 && d[3] == 0x1b);

		if (!ipoib && !(mask & IB_SA_MCMEMBER_REC_QKEY)) {
			status = SA_STATUS(SA_INSUF_COMP);
			goto out;
		}
		m = kzalloc(sizeof(*m), GFP_ATOMIC);
		if (!m) {
			status = SA_STATUS(SA_NO_RESOURCES);
			goto out;
		}
		memcpy(m->mgid.raw, d, 16);
		m->mlid = vh_next_mlid++;
		m->pkey = pkey | 0x8000;
		m->qkey = (mask & IB_SA_MCMEMBER_REC_QKEY) ?
			get_unaligned_be32(d + 32) : 0x0b1b;
		m->mtu = 4;			/* 2048 */
		m->rate = 3;
		m->plt = 18;
		m->scope = d[1] & 0xf;
		if (mask & IB_SA_MCMEMBER_REC_TRAFFIC_CLASS)
			m->tclass = d[39];
		list_add(&m->list, &vh_mcs);
	}
	if (js & 1)
		set_bit(mp->lid, m->full);
	if (js & 2)
		set_bit(mp->lid, m->non);
	if (js & 0xc)
		set_bit(mp->lid, m->sonly);
fill:
	put_unaligned_be32(m->qkey, d + 32);
	put_unaligned_be16(m->mlid, d + 36);
	d[38] = 0x80 | m->mtu;
	d[39] = m->tclass;
	put_unaligned_be16(m->pkey, d + 40);
	d[42] = 0x80 | m->rate;
	d[43] = 0x80 | m->plt;
	put_unaligned_be32(m->sl_flow_hop, d + 44);
	d[48] = m->scope << 4 | js;
out:
	spin_unlock_irqrestore(&vh_mc_lock, flags);
	return status;
}

static __be16 sa_path(struct vh_port *sp, __be64 mask, u8 *d)
{
	struct vh_port *dp = NULL, *from = NULL;
	u16 pkey = 0;
	int i;

	if (mask & IB_SA_PATH_REC_DGID)
		dp = vh_port_by_gid((union ib_gid *)(d + 8));
	else if (mask & IB_SA_PATH_REC_DLID)
		dp = vh_port_by_lid(get_unaligned_be16(d + 40));
	if (mask & IB_SA_PATH_REC_SGID)
		from = vh_port_by_gid((union ib_gid *)(d + 24));
	else if (mask & IB_SA_PATH_REC_SLID)
		from = vh_port_by_lid(get_unaligned_be16(d + 42));
	if (!from)
		from = sp;
	if (!dp || dp->state != IB_PORT_ACTIVE)
		return SA_STATUS(SA_NO_RECORDS);
	if (mask & IB_SA_PATH_REC_PKEY) {
		pkey = get_unaligned_be16(d + 50);
		if (vh_pkey_index(dp, pkey) < 0 ||
		    vh_pkey_index(from, pkey) < 0)
			return SA_STATUS(SA_NO_RECORDS);
	} else {
		for (i = 0; i < VH_NPKEYS && !pkey; i++)
			if (from->pkeys[i] & 0x7fff &&
			    vh_pkey_index(dp, from->pkeys[i]) >= 0)
				pkey = from->pkeys[i];
		if (!pkey)
			return SA_STATUS(SA_NO_RECORDS);
	}
	memcpy(d + 8, &dp->rvp.gid_prefix, 8);
	memcpy(d + 16, &dp->guid, 8);
	memcpy(d + 24, &from->rvp.gid_prefix, 8);
	memcpy(d + 32, &from->guid, 8);
	put_unaligned_be16(dp->lid, d + 40);
	put_unaligned_be16(from->lid, d + 42);
	put_unaligned_be32(0, d + 44);
	d[48] = 0;
	d[49] = 0x80 | 1;		/* reversible, one path */
	put_unaligned_be16(pkey, d + 50);
	put_unaligned_be16(0, d + 52);	/* qos class, sl */
	d[54] = 0x80 | 5;		/* exactly 4096 */
	d[55] = 0x80 | 16;		/* 100 Gb/s */
	d[56] = 0x80 | 18;
	d[57] = 0;
	return 0;
}

static void sm_answer(struct vh_port *sp, struct vh_pkt *req, void *mad)
{
	struct vh_pkt a = {
		.slid = VH_SM_LID, .dlid = sp->lid, .pkey = req->pkey,
		.sl = req->sl, .src_qpn = req->dst_qpn,
		.dst_qpn = req->src_qpn,
		.qkey = req->dst_qpn ? IB_QP1_QKEY : 0,
		.data = mad, .len = 256,
	};

	vh_deliver(sp, &a);
}

/* A datagram for LID 1.  Called from the send engine, RCU read side. */
int vh_sa_mad(struct vh_port *sp, struct vh_pkt *pkt)
{
	struct ib_sa_mad *m;
	u8 method;
	__be64 mask;

	if (!vh_sa_enable || pkt->len != 256 || pkt->dst_qpn > 1)
		return 0;
	m = kmemdup(pkt->data, 256, GFP_ATOMIC);
	if (!m)
		return 0;
	method = m->mad_hdr.method;
	if (method & IB_MGMT_METHOD_RESP || method == IB_MGMT_METHOD_TRAP ||
	    method == IB_MGMT_METHOD_TRAP_REPRESS)
		goto out;
	if (pkt->dst_qpn == 0) {
		struct ib_smp *s = (struct ib_smp *)m;

		if (s->mgmt_class != IB_MGMT_CLASS_SUBN_LID_ROUTED)
			goto out;
		s->method = IB_MGMT_METHOD_GET_RESP;
		memset(s->data, 0, 64);
		if (s->attr_id == IB_SMP_ATTR_SM_INFO) {
			put_unaligned_be64(0x0002c90300feed01ULL, s->data);
			put_unaligned_be32(1, s->data + 16);
			s->data[20] = 0xf << 4 | 3;	/* prio 15, master */
		} else {
			s->status = cpu_to_be16(0xc);
		}
		sm_answer(sp, pkt, m);
		goto out;
	}
	if (m->mad_hdr.mgmt_class != IB_MGMT_CLASS_SUBN_ADM)
		goto out;
	mask = m->sa_hdr.comp_mask;	/* IB_SA_* masks are big endian */
	m->mad_hdr.method = method == IB_SA_METHOD_DELETE ?
		IB_SA_METHOD_DELETE_RESP : IB_MGMT_METHOD_GET_RESP;
	m->mad_hdr.status = 0;
	switch (be16_to_cpu(m->mad_hdr.attr_id)) {
	case IB_MGMT_CLASSPORTINFO_ATTR_ID: {
		struct ib_class_port_info *c = (void *)m->data;

		memset(m->data, 0, sizeof(m->data));
		c->base_version = 1;
		c->class_version = 2;
		ib_set_cpi_resp_time(c, 16);
		ib_set_cpi_capmask2(c, IB_SA_CAP_MASK2_SENDONLY_FULL_MEM_SUPPORT);
		break;
	}
	case IB_SA_ATTR_MC_MEMBER_REC:
		m->mad_hdr.status = sa_mcmember(sp, method, mask, m->data);
		break;
	case IB_SA_ATTR_PATH_REC:
		m->mad_hdr.status = sa_path(sp, mask, m->data);
		break;
	case IB_SA_ATTR_INFORM_INFO:
	case IB_SA_ATTR_SERVICE_REC:
		break;				/* accepted, echoed */
	default:
		m->mad_hdr.status = cpu_to_be16(0xc);	/* unsupported */
	}
	if (m->mad_hdr.status)
		pr_debug("vhca: SA lid %u attr %#x status %#x\n", sp->lid,
			 be16_to_cpu(m->mad_hdr.attr_id),
			 be16_to_cpu(m->mad_hdr.status));
	sm_answer(sp, pkt, m);
out:
	kfree(m);
	return 0;
}

static void sma_port_info(struct vh_port *p, struct ib_port_info *pi)
{
	memset(pi, 0, 64);
	pi->gid_prefix = p->rvp.gid_prefix;
	pi->lid = cpu_to_be16(p->lid);
	pi->sm_lid = cpu_to_be16(p->rvp.sm_lid);
	pi->cap_mask = cpu_to_be32(p->rvp.port_cap_flags);
	pi->local_port_num = p->num;
	pi->link_width_enabled = IB_WIDTH_1X | IB_WIDTH_4X;
	pi->link_width_supported = IB_WIDTH_1X | IB_WIDTH_4X;
	pi->link_width_active = p->width;
	pi->linkspeed_portstate = 0x70 | p->state;
	pi->portphysstate_linkdown = p->phys << 4 | 2;
	pi->linkspeedactive_enabled = 0x47;
	pi->neighbormtu_mastersmsl = IB_MTU_4096 << 4;
	pi->vlcap_inittype = 0x10;
	pi->inittypereply_mtucap = IB_MTU_4096;
	pi->operationalvl_pei_peo_fpi_fpo = 0x10;
	pi->guid_cap = 1;
	pi->resv_resptimevalue = 3;
}

static int vh_sma(struct vh_dev *dev, struct vh_port *p, struct ib_smp *s)
{
	int i;

	if (s->method != IB_MGMT_METHOD_GET && s->method != IB_MGMT_METHOD_SET)
		return IB_MAD_RESULT_SUCCESS;	/* responses: to the client */
	switch (s->attr_id) {
	case IB_SMP_ATTR_NODE_DESC:
		memcpy(s->data, dev->rdi.ibdev.node_desc, 64);
		break;
	case IB_SMP_ATTR_NODE_INFO: {
		u8 *d = s->data;

		memset(d, 0, 64);
		d[0] = 1; d[1] = 1; d[2] = 1; d[3] = dev->nports;
		memcpy(d + 4, &dev->rdi.dparms.props.sys_image_guid, 8);
		memcpy(d + 12, &dev->rdi.ibdev.node_guid, 8);
		memcpy(d + 20, &p->guid, 8);
		put_unaligned_be16(VH_NPKEYS, d + 28);
		put_unaligned_be16(dev->rdi.dparms.props.vendor_part_id, d + 30);
		put_unaligned_be32(0, d + 32);
		put_unaligned_be32(p->num << 24 |
				   dev->rdi.dparms.props.vendor_id, d + 36);
		break;
	}
	case IB_SMP_ATTR_GUID_INFO:
		memset(s->data, 0, 64);
		memcpy(s->data, &p->guid, 8);
		break;
	case IB_SMP_ATTR_PORT_INFO: {
		u32 n = be32_to_cpu(s->attr_mod);

		if (n > dev->nports) {
			s->status |= cpu_to_be16(0x1c);
			break;
		}
		sma_port_info(n ? &dev->port[n - 1] : p, (void *)s->data);
		break;
	}
	case IB_SMP_ATTR_PKEY_TABLE:
		memset(s->data, 0, 64);
		if (!s->attr_mod)
			for (i = 0; i < VH_NPKEYS; i++)
				put_unaligned_be16(p->pkeys[i], s->data + 2 * i);
		break;
	default:
		s->status |= cpu_to_be16(0xc);
	}
	s->method = IB_MGMT_METHOD_GET_RESP;
	if (s->mgmt_class == IB_MGMT_CLASS_SUBN_DIRECTED_ROUTE)
		s->status |= IB_SMP_DIRECTION;
	return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
}

static int vh_pma(struct vh_port *p, struct ib_pma_mad *m)
{
	if (m->mad_hdr.method != IB_MGMT_METHOD_GET &&
	    m->mad_hdr.method != IB_MGMT_METHOD_SET)
		return IB_MAD_RESULT_SUCCESS;
	memset(m->data + 4, 0, sizeof(m->data) - 4);
	switch (m->mad_hdr.attr_id) {
	case IB_PMA_CLASS_PORT_INFO: {
		struct ib_class_port_info *c = (void *)m->data;

		c->base_version = 1;
		c->class_version = 1;
		c->capability_mask = IB_PMA_CLASS_CAP_EXT_WIDTH;
		ib_set_cpi_resp_time(c, 18);
		break;
	}
	case IB_PMA_PORT_COUNTERS: {
		struct ib_pma_portcounters *c = (void *)m->data;
		u64 max = U32_MAX;

		c->port_xmit_data = cpu_to_be32(min(max, (u64)atomic64_read(&p->tx_bytes) / 4));
		c->port_rcv_data = cpu_to_be32(min(max, (u64)atomic64_read(&p->rx_bytes) / 4));
		c->port_xmit_packets = cpu_to_be32(min(max, (u64)atomic64_read(&p->tx_pkts)));
		c->port_rcv_packets = cpu_to_be32(min(max, (u64)atomic64_read(&p->rx_pkts)));
		break;
	}
	case IB_PMA_PORT_COUNTERS_EXT: {
		struct ib_pma_portcounters_ext *c = (void *)m->data;

		c->port_xmit_data = cpu_to_be64(atomic64_read(&p->tx_bytes) / 4);
		c->port_rcv_data = cpu_to_be64(atomic64_read(&p->rx_bytes) / 4);
		c->port_xmit_packets = cpu_to_be64(atomic64_read(&p->tx_pkts));
		c->port_rcv_packets = cpu_to_be64(atomic64_read(&p->rx_pkts));
		break;
	}
	default:
		m->mad_hdr.status |= cpu_to_be16(0xc);
	}
	m->mad_hdr.method = IB_MGMT_METHOD_GET_RESP;
	return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
}

int vh_process_mad(struct ib_device *ibdev, int flags, u32 port_num,
		   const struct ib_wc *in_wc, const struct ib_grh *in_grh,
		   const struct ib_mad *in, struct ib_mad *out,
		   size_t *out_size, u16 *out_pkey_index)
{
	struct vh_port *p = to_vport(ibdev, port_num);

	switch (in->mad_hdr.mgmt_class) {
	case IB_MGMT_CLASS_SUBN_LID_ROUTED:
	case IB_MGMT_CLASS_SUBN_DIRECTED_ROUTE:
		*out = *in;
		return vh_sma(p->dev, p, (struct ib_smp *)out);
	case IB_MGMT_CLASS_PERF_MGMT:
		*out = *in;
		return vh_pma(p, (struct ib_pma_mad *)out);
	}
	return IB_MAD_RESULT_SUCCESS;
}
