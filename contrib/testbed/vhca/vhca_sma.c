// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agents of a port: SMA (node and port information, for smpquery and
 * ibstat) and PMA (counters, for perfquery and for the counters/ files in
 * sysfs, which the RDMA core reads through process_mad; the EXT_WIDTH
 * capability makes it use the 64-bit ones).
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <rdma/ib_pma.h>
#include <rdma/ib_smi.h>
#include "vhca.h"

#define VH_MAD_UNSUP_ATTR	cpu_to_be16(0xc)
#define VH_MAD_BAD_VALUE	cpu_to_be16(0x1c)

/* ---- SMA ---- */

static void vh_sma_node_info(struct vh_dev *dev, struct vh_port *p, u8 *d)
{
	struct ib_device_attr *a = &dev->rdi.dparms.props;

	memset(d, 0, IB_SMP_DATA_SIZE);
	d[0] = 1;				/* base version */
	d[1] = 1;				/* class version */
	d[2] = RDMA_NODE_IB_CA;
	d[3] = dev->nports;
	memcpy(d + 4, &a->sys_image_guid, 8);
	memcpy(d + 12, &dev->rdi.ibdev.node_guid, 8);
	memcpy(d + 20, &p->guid, 8);
	put_unaligned_be16(VH_NPKEYS, d + 28);
	put_unaligned_be16(a->vendor_part_id, d + 30);
	put_unaligned_be32(0, d + 32);		/* revision */
	put_unaligned_be32(p->num << 24 | a->vendor_id, d + 36);
}

static void vh_sma_port_info(struct vh_port *p, struct ib_port_info *pi)
{
	memset(pi, 0, IB_SMP_DATA_SIZE);
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
	pi->pkey_violations = cpu_to_be16(p->rvp.pkey_violations);
	pi->qkey_violations = cpu_to_be16(p->rvp.qkey_violations);
	pi->guid_cap = 1;
	pi->resv_resptimevalue = 3;
}

static int vh_sma(struct vh_dev *dev, struct vh_port *p, struct ib_smp *s)
{
	u32 mod = be32_to_cpu(s->attr_mod);
	int i;

	if (s->method != IB_MGMT_METHOD_GET && s->method != IB_MGMT_METHOD_SET)
		return IB_MAD_RESULT_SUCCESS;	/* an answer: for the client */
	switch (s->attr_id) {
	case IB_SMP_ATTR_NODE_DESC:
		memcpy(s->data, dev->rdi.ibdev.node_desc, IB_SMP_DATA_SIZE);
		break;
	case IB_SMP_ATTR_NODE_INFO:
		vh_sma_node_info(dev, p, s->data);
		break;
	case IB_SMP_ATTR_GUID_INFO:
		memset(s->data, 0, IB_SMP_DATA_SIZE);
		memcpy(s->data, &p->guid, 8);
		break;
	case IB_SMP_ATTR_PORT_INFO:
		if (mod > dev->nports)
			s->status |= VH_MAD_BAD_VALUE;
		else
			vh_sma_port_info(mod ? &dev->port[mod - 1] : p,
					 (void *)s->data);
		break;
	case IB_SMP_ATTR_PKEY_TABLE:
		memset(s->data, 0, IB_SMP_DATA_SIZE);
		for (i = 0; !mod && i < VH_NPKEYS; i++)
			put_unaligned_be16(p->pkeys[i], s->data + 2 * i);
		break;
	default:
		s->status |= VH_MAD_UNSUP_ATTR;
	}
	s->method = IB_MGMT_METHOD_GET_RESP;
	if (s->mgmt_class == IB_MGMT_CLASS_SUBN_DIRECTED_ROUTE)
		s->status |= IB_SMP_DIRECTION;
	return IB_MAD_RESULT_SUCCESS | IB_MAD_RESULT_REPLY;
}

/* ---- PMA ---- */

/* octets are whole words, see vh_count() */
static u64 vh_words(struct vh_counter *c)
{
	return (u64)atomic64_read(&c->octets) / 4;
}

static u64 vh_packets(struct vh_counter *c)
{
	return atomic64_read(&c->ucast) + atomic64_read(&c->mcast);
}

static void vh_reset_packets(struct vh_counter *c)
{
	atomic64_set(&c->ucast, 0);
	atomic64_set(&c->mcast, 0);
}

/* the old counters stop at their maximum */
static __be32 vh_be32(u64 v)
{
	return cpu_to_be32(min_t(u64, v, U32_MAX));
}

static void vh_pma_counters(struct vh_port *p, struct ib_pma_mad *m, bool set)
{
	struct ib_pma_portcounters *c = (void *)m->data;
	__be16 sel = c->counter_select;

	if (set) {
		if (sel & IB_PMA_SEL_PORT_XMIT_DATA)
			atomic64_set(&p->tx.octets, 0);
		if (sel & IB_PMA_SEL_PORT_RCV_DATA)
			atomic64_set(&p->rx.octets, 0);
		if (sel & IB_PMA_SEL_PORT_XMIT_PACKETS)
			vh_reset_packets(&p->tx);
		if (sel & IB_PMA_SEL_PORT_RCV_PACKETS)
			vh_reset_packets(&p->rx);
	}
	memset_after(c, 0, counter_select);
	c->port_xmit_data = vh_be32(vh_words(&p->tx));
	c->port_rcv_data = vh_be32(vh_words(&p->rx));
	c->port_xmit_packets = vh_be32(vh_packets(&p->tx));
	c->port_rcv_packets = vh_be32(vh_packets(&p->rx));
}

static void vh_pma_counters_ext(struct vh_port *p, struct ib_pma_mad *m,
				bool set)
{
	struct ib_pma_portcounters_ext *c = (void *)m->data;
	__be16 sel = c->counter_select;

	if (set) {
		if (sel & IB_PMA_SELX_PORT_XMIT_DATA)
			atomic64_set(&p->tx.octets, 0);
		if (sel & IB_PMA_SELX_PORT_RCV_DATA)
			atomic64_set(&p->rx.octets, 0);
		if (sel & IB_PMA_SELX_PORT_UNI_XMIT_PACKETS)
			atomic64_set(&p->tx.ucast, 0);
		if (sel & IB_PMA_SELX_PORT_UNI_RCV_PACKETS)
			atomic64_set(&p->rx.ucast, 0);
		if (sel & IB_PMA_SELX_PORT_MULTI_XMIT_PACKETS)
			atomic64_set(&p->tx.mcast, 0);
		if (sel & IB_PMA_SELX_PORT_MULTI_RCV_PACKETS)
			atomic64_set(&p->rx.mcast, 0);
	}
	memset_after(c, 0, counter_select);
	c->port_xmit_data = cpu_to_be64(vh_words(&p->tx));
	c->port_rcv_data = cpu_to_be64(vh_words(&p->rx));
	c->port_xmit_packets = cpu_to_be64(vh_packets(&p->tx));
	c->port_rcv_packets = cpu_to_be64(vh_packets(&p->rx));
	c->port_unicast_xmit_packets =
		cpu_to_be64(atomic64_read(&p->tx.ucast));
	c->port_unicast_rcv_packets =
		cpu_to_be64(atomic64_read(&p->rx.ucast));
	c->port_multicast_xmit_packets =
		cpu_to_be64(atomic64_read(&p->tx.mcast));
	c->port_multicast_rcv_packets =
		cpu_to_be64(atomic64_read(&p->rx.mcast));
}

static void vh_pma_cpi(struct ib_pma_mad *m)
{
	struct ib_class_port_info *c = (void *)m->data;

	memset(m->data, 0, sizeof(m->data));
	c->base_version = 1;
	c->class_version = 1;
	c->capability_mask = IB_PMA_CLASS_CAP_EXT_WIDTH;
	ib_set_cpi_resp_time(c, 18);
}

static int vh_pma(struct vh_port *p, struct ib_pma_mad *m)
{
	bool set = m->mad_hdr.method == IB_MGMT_METHOD_SET;

	if (!set && m->mad_hdr.method != IB_MGMT_METHOD_GET)
		return IB_MAD_RESULT_SUCCESS;
	switch (m->mad_hdr.attr_id) {
	case IB_PMA_CLASS_PORT_INFO:
		vh_pma_cpi(m);
		break;
	case IB_PMA_PORT_COUNTERS:
		vh_pma_counters(p, m, set);
		break;
	case IB_PMA_PORT_COUNTERS_EXT:
		vh_pma_counters_ext(p, m, set);
		break;
	default:
		m->mad_hdr.status |= VH_MAD_UNSUP_ATTR;
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
