// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams: UD, and the MADs of QP0 (SMI) and QP1 (GSI).  A datagram is
 * gathered into a buffer, so nothing of the sender is locked or referenced
 * while the receiver takes it.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca.h"

/* May this QP have it?  r_lock held. */
static bool vh_ud_accept(struct vh_port *dp, struct rvt_qp *qp,
			 const struct vh_pkt *pkt, int *pkey_index)
{
	/* under r_lock, or RVT_R_REUSE_SGE would name a freed MR below */
	if (!(ib_rvt_state_ops[qp->state] & RVT_PROCESS_RECV_OK))
		return false;
	switch (qp->ibqp.qp_type) {
	case IB_QPT_SMI:
		return true;
	case IB_QPT_GSI:
		*pkey_index = vh_pkey_index(dp->pkeys, pkt->pkey);
		if (*pkey_index < 0) {
			dp->rvp.pkey_violations++;
			return false;
		}
		break;
	case IB_QPT_UD:
		if (!vh_pkey_match(pkt->pkey, dp->pkeys[qp->s_pkey_index])) {
			dp->rvp.pkey_violations++;
			return false;
		}
		break;
	default:
		return false;
	}
	if (pkt->qkey != qp->qkey) {
		dp->rvp.qkey_violations++;
		return false;
	}
	return true;
}

/*
 * How a RoCE packet came.  ib_core wants it in fields of their own, to answer a
 * MAD by; UCX up to 1.18 knows only where an mlx5 has it, in the SL (bit 3: UDP;
 * then the header, IPv6 or IPv4).
 */
static void vh_roce_wc(struct rvt_qp *qp, struct ib_wc *wc,
		       const struct vh_pkt *pkt, u16 tag)
{
	bool udp = pkt->path.type == IB_GID_TYPE_ROCE_UDP_ENCAP;
	bool v4 = ipv6_addr_v4mapped((struct in6_addr *)pkt->path.sgid.raw);

	if (rvt_is_user_qp(qp)) {
		wc->sl = !udp ? 0 : v4 ? 0xa : 0x9;
		return;
	}
	wc->wc_flags |= IB_WC_WITH_SMAC | IB_WC_WITH_NETWORK_HDR_TYPE;
	ether_addr_copy(wc->smac, pkt->path.smac);
	wc->network_hdr_type = !udp ? RDMA_NETWORK_ROCE_V1 :
		v4 ? RDMA_NETWORK_IPV4 : RDMA_NETWORK_IPV6;
	if (tag != VH_UNTAGGED) {
		wc->wc_flags |= IB_WC_WITH_VLAN;
		wc->vlan_id = tag;
	}
}

/*
 * Put a datagram into the next receive buffer of a QP.  tag: its VLAN, if it is
 * a RoCE one.  RCU read side.
 */
static void vh_ud_to_qp(struct vh_port *dp, struct rvt_qp *qp,
			const struct vh_pkt *pkt, u16 tag)
{
	struct ib_wc wc = {};
	unsigned long flags;
	int pkx = 0, ret;

	spin_lock_irqsave(&qp->r_lock, flags);
	if (!vh_ud_accept(dp, qp, pkt, &pkx))
		goto drop;
	if (qp->r_flags & RVT_R_REUSE_SGE) {
		qp->r_flags &= ~RVT_R_REUSE_SGE;
	} else {
		ret = rvt_get_rwqe(qp, false);
		if (ret < 0)
			rvt_rc_error(qp, IB_WC_LOC_QP_OP_ERR);
		if (ret <= 0)
			goto drop;
	}
	wc.byte_len = pkt->len + sizeof(struct ib_grh);
	if (wc.byte_len > qp->r_len) {
		qp->r_flags |= RVT_R_REUSE_SGE;
		goto drop;
	}
	if (pkt->has_grh) {
		rvt_copy_sge(qp, &qp->r_sge, (void *)&pkt->grh,
			     sizeof(pkt->grh), true, false);
		wc.wc_flags |= IB_WC_GRH;
	} else {
		rvt_skip_sge(&qp->r_sge, sizeof(struct ib_grh), true);
	}
	rvt_copy_sge(qp, &qp->r_sge, (void *)pkt->data, pkt->len, true, false);
	rvt_put_ss(&qp->r_sge);
	if (test_and_clear_bit(RVT_R_WRID_VALID, &qp->r_aflags)) {
		if (pkt->has_imm) {
			wc.wc_flags |= IB_WC_WITH_IMM;
			wc.ex.imm_data = pkt->imm;
		}
		wc.wr_id = qp->r_wr_id;
		wc.status = IB_WC_SUCCESS;
		wc.opcode = IB_WC_RECV;
		wc.qp = &qp->ibqp;
		wc.src_qp = pkt->src_qpn;
		wc.pkey_index = pkx;
		wc.sl = pkt->sl;
		if (pkt->roce)
			vh_roce_wc(qp, &wc, pkt, tag);
		else
			wc.slid = pkt->slid;
		wc.port_num = dp->num;
		vh_recv_complete(qp, &wc, pkt->solicited);
	}
	spin_unlock_irqrestore(&qp->r_lock, flags);
	return;
drop:
	dp->rvp.n_pkt_drops++;
	spin_unlock_irqrestore(&qp->r_lock, flags);
}

/*
 * Not rvt_mcast_find(): after the reference that it takes is dropped the group
 * may be freed before its wait queue is woken.  Under the lock the group and,
 * through it, its QPs stay.
 */
static void vh_ud_mcast(struct vh_port *dp, const struct vh_pkt *pkt, u16 tag)
{
	const union ib_gid *mgid = pkt->roce ? &pkt->path.dgid : &pkt->grh.dgid;
	struct rvt_mcast *mc = NULL;
	struct rvt_mcast_qp *p;
	unsigned long flags;
	struct rb_node *n;
	int c;

	spin_lock_irqsave(&dp->rvp.lock, flags);
	n = dp->rvp.mcast_tree.rb_node;
	while (n) {
		mc = rb_entry(n, struct rvt_mcast, rb_node);
		c = memcmp(mgid->raw, mc->mcast_addr.mgid.raw,
			   sizeof(mgid->raw));
		if (!c)
			break;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	/* a LID means nothing in RoCE */
	if (n && (pkt->roce || mc->mcast_addr.lid == pkt->dlid)) {
		vh_count(&dp->rx, pkt->len, VH_UD_MTU, true);
		list_for_each_entry(p, &mc->qp_list, list)
			vh_ud_to_qp(dp, p->qp, pkt, tag);
	}
	spin_unlock_irqrestore(&dp->rvp.lock, flags);
}

/* A datagram arrives at a port.  RCU read side. */
void vh_ud_deliver(struct vh_port *dp, const struct vh_pkt *pkt)
{
	struct rvt_qp *qp;
	u16 tag = VH_UNTAGGED;

	if (dp->state < (pkt->dst_qpn ? IB_PORT_ACTIVE : IB_PORT_INIT))
		return;
	/* the other link layer is another network, whatever the LIDs are */
	if (pkt->roce ? !vh_takes(dp, &pkt->path, &tag) : dp->dev->eth)
		return;
	if (pkt->dst_qpn == VH_MCAST_QPN) {
		vh_ud_mcast(dp, pkt, tag);
		return;
	}
	vh_count(&dp->rx, pkt->len, VH_UD_MTU, false);
	qp = vh_find_qp(dp, pkt->dst_qpn);
	if (qp)
		vh_ud_to_qp(dp, qp, pkt, tag);
	else
		dp->rvp.n_pkt_drops++;
}

/* setup_wqe has made sure that the sum of the SGEs is wqe->length. */
static void vh_gather(struct rvt_swqe *wqe, u8 *buf)
{
	struct rvt_sge_state ss = {
		.sge = wqe->sg_list[0],
		.sg_list = wqe->sg_list + 1,
		.num_sge = wqe->wr.num_sge,
	};
	u32 left = wqe->length, len;

	while (left) {
		len = rvt_get_sge_length(&ss.sge, left);
		memcpy(buf, ss.sge.vaddr, len);
		rvt_update_sge(&ss, len, false);
		buf += len;
		left -= len;
	}
}

static void vh_make_grh(struct vh_port *sp, struct rdma_ah_attr *ah,
			struct vh_pkt *pkt)
{
	const struct ib_global_route *g = rdma_ah_read_grh(ah);

	pkt->has_grh = true;
	pkt->grh.version_tclass_flow =
		cpu_to_be32(IB_GRH_VERSION << IB_GRH_VERSION_SHIFT |
			    g->traffic_class << IB_GRH_TCLASS_SHIFT |
			    (g->flow_label & IB_GRH_FLOW_MASK));
	/* + BTH, DETH, ICRC */
	pkt->grh.paylen = cpu_to_be16(pkt->len + 24);
	pkt->grh.next_hdr = IB_GRH_NEXT_HDR;
	pkt->grh.hop_limit = g->hop_limit;
	pkt->grh.sgid.global.subnet_prefix = sp->rvp.gid_prefix;
	pkt->grh.sgid.global.interface_id = sp->guid;
	pkt->grh.dgid = g->dgid;
}

/* Where a RoCE datagram goes.  False: nowhere, or it may not. */
static bool vh_roce_route(struct vh_port *sp, struct rdma_ah_attr *ah,
			  struct vh_pkt *pkt)
{
	pkt->roce = true;
	if (!vh_make_path(sp, ah, &pkt->path))
		return false;
	/* any group: in RoCE it is known by its MGID alone */
	pkt->dlid = vh_is_mcast_gid(&pkt->path.dgid) ?
		be16_to_cpu(IB_MULTICAST_LID_BASE) :
		vh_lid_by_path(&pkt->path);
	if (!pkt->dlid)
		return false;
	vh_roce_header(ah, pkt);
	return true;
}

void vh_ud_send(struct rvt_qp *sqp, struct rvt_swqe *wqe)
{
	struct vh_port *sp = to_vport(sqp->ibqp.device, sqp->port_num);
	struct rdma_ah_attr *ah = rvt_get_swqe_ah_attr(wqe);
	struct vh_qp_priv *priv = sqp->priv;
	u32 qkey = rvt_get_swqe_remote_qkey(wqe);
	struct vh_pkt pkt = {
		.slid = sp->lid,
		.dlid = rdma_ah_get_dlid(ah),
		.sl = rdma_ah_get_sl(ah),
		.src_qpn = sqp->ibqp.qp_num,
		.dst_qpn = rvt_get_swqe_remote_qpn(wqe),
		/* IBA 10.2.5: with the top bit set, the QP's own Q_Key goes */
		.qkey = qkey & BIT(31) ? sqp->qkey : qkey,
		.solicited = wqe->wr.send_flags & IB_SEND_SOLICITED,
		.data = priv->buf,
		.len = wqe->length,
	};
	bool smi = sqp->ibqp.qp_type == IB_QPT_SMI;
	u16 pkx = sqp->s_pkey_index;

	/* QP0 talks to QP0 only, and nobody else may: user QPs send no SMPs */
	if (smi != !pkt.dst_qpn) {
		sp->rvp.n_pkt_drops++;
		return;
	}
	vh_gather(wqe, priv->buf);
	if (sqp->ibqp.qp_type == IB_QPT_GSI)
		pkx = rvt_get_swqe_pkey_index(wqe);
	if (pkx < VH_NPKEYS)
		pkt.pkey = sp->pkeys[pkx];
	if (wqe->wr.opcode == IB_WR_SEND_WITH_IMM) {
		pkt.has_imm = true;
		pkt.imm = wqe->wr.ex.imm_data;
	}
	if (sp->dev->eth) {
		if (!vh_roce_route(sp, ah, &pkt)) {
			sp->rvp.n_pkt_drops++;
			return;
		}
	} else if (rdma_ah_get_ah_flags(ah) & IB_AH_GRH) {
		vh_make_grh(sp, ah, &pkt);
	}
	vh_route(sp, &pkt);
}
