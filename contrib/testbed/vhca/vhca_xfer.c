// SPDX-License-Identifier: GPL-2.0-only
/* Send engine: moves data between QPs of all vhca devices by LID/QPN/MGID. */
#include <rdma/ib_hdrs.h>
#include "vhca.h"

const struct rvt_operation_params vh_post_parms[RVT_OPERATION_MAX] = {
#define VH_CONN (BIT(IB_QPT_UC) | BIT(IB_QPT_RC))
#define VH_ALLT (VH_CONN | BIT(IB_QPT_UD) | BIT(IB_QPT_SMI) | BIT(IB_QPT_GSI))
	[IB_WR_SEND] = { sizeof(struct ib_send_wr), VH_ALLT, 0 },
	[IB_WR_SEND_WITH_IMM] = { sizeof(struct ib_send_wr), VH_ALLT, 0 },
	[IB_WR_SEND_WITH_INV] = { sizeof(struct ib_send_wr), BIT(IB_QPT_RC), 0 },
	[IB_WR_RDMA_WRITE] = { sizeof(struct ib_rdma_wr), VH_CONN, 0 },
	[IB_WR_RDMA_WRITE_WITH_IMM] = { sizeof(struct ib_rdma_wr), VH_CONN, 0 },
	[IB_WR_RDMA_READ] = { sizeof(struct ib_rdma_wr), BIT(IB_QPT_RC),
			      RVT_OPERATION_ATOMIC },
	[IB_WR_ATOMIC_CMP_AND_SWP] = { sizeof(struct ib_atomic_wr),
		BIT(IB_QPT_RC), RVT_OPERATION_ATOMIC | RVT_OPERATION_ATOMIC_SGE },
	[IB_WR_ATOMIC_FETCH_AND_ADD] = { sizeof(struct ib_atomic_wr),
		BIT(IB_QPT_RC), RVT_OPERATION_ATOMIC | RVT_OPERATION_ATOMIC_SGE },
	[IB_WR_REG_MR] = { sizeof(struct ib_reg_wr), VH_CONN,
			   RVT_OPERATION_LOCAL },
	[IB_WR_LOCAL_INV] = { sizeof(struct ib_send_wr), VH_CONN,
			      RVT_OPERATION_LOCAL },
};

const enum ib_wc_opcode vh_wc_opcode[] = {
	[IB_WR_RDMA_WRITE] = IB_WC_RDMA_WRITE,
	[IB_WR_RDMA_WRITE_WITH_IMM] = IB_WC_RDMA_WRITE,
	[IB_WR_SEND] = IB_WC_SEND,
	[IB_WR_SEND_WITH_IMM] = IB_WC_SEND,
	[IB_WR_RDMA_READ] = IB_WC_RDMA_READ,
	[IB_WR_ATOMIC_CMP_AND_SWP] = IB_WC_COMP_SWAP,
	[IB_WR_ATOMIC_FETCH_AND_ADD] = IB_WC_FETCH_ADD,
	[IB_WR_SEND_WITH_INV] = IB_WC_SEND,
	[IB_WR_LOCAL_INV] = IB_WC_LOCAL_INV,
	[IB_WR_REG_MR] = IB_WC_REG_MR,
};

/* Put one datagram into one receiving QP.  RCU read side. */
static void vh_ud_to_qp(struct vh_port *dp, struct rvt_qp *qp,
			struct vh_pkt *pkt)
{
	struct ib_wc wc = {};
	unsigned long flags;
	int pkx = 0;

	if (!(ib_rvt_state_ops[qp->state] & RVT_PROCESS_RECV_OK))
		goto drop;
	switch (qp->ibqp.qp_type) {
	case IB_QPT_SMI:
		break;
	case IB_QPT_GSI:
		pkx = vh_pkey_index(dp, pkt->pkey);
		if (pkx < 0)
			goto drop;
		if (pkt->qkey != qp->qkey)
			goto drop;
		break;
	case IB_QPT_UD:
		if (!vh_pkey_match(pkt->pkey, dp->pkeys[qp->s_pkey_index])) {
			dp->rvp.pkey_violations++;
			goto drop;
		}
		if (pkt->qkey != qp->qkey) {
			dp->rvp.qkey_violations++;
			goto drop;
		}
		break;
	default:
		goto drop;
	}

	spin_lock_irqsave(&qp->r_lock, flags);
	if (qp->r_flags & RVT_R_REUSE_SGE) {
		qp->r_flags &= ~RVT_R_REUSE_SGE;
	} else {
		int ret = rvt_get_rwqe(qp, false);

		if (ret < 0) {
			rvt_rc_error(qp, IB_WC_LOC_QP_OP_ERR);
			goto unlock;
		}
		if (!ret) {
			dp->rvp.n_pkt_drops++;
			goto unlock;
		}
	}
	wc.byte_len = pkt->len + sizeof(struct ib_grh);
	if (wc.byte_len > qp->r_len) {
		qp->r_flags |= RVT_R_REUSE_SGE;
		dp->rvp.n_pkt_drops++;
		goto unlock;
	}
	if (pkt->has_grh) {
		rvt_copy_sge(qp, &qp->r_sge, &pkt->grh, sizeof(pkt->grh),
			     true, false);
		wc.wc_flags |= IB_WC_GRH;
	} else {
		rvt_skip_sge(&qp->r_sge, sizeof(struct ib_grh), true);
	}
	rvt_copy_sge(qp, &qp->r_sge, (void *)pkt->data, pkt->len, true, false);
	rvt_put_ss(&qp->r_sge);
	if (!test_and_clear_bit(RVT_R_WRID_VALID, &qp->r_aflags))
		goto unlock;
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
	wc.slid = pkt->slid;
	wc.sl = pkt->sl;
	wc.port_num = dp->num;
	rvt_recv_cq(qp, &wc, pkt->solicited);
	atomic64_inc(&dp->rx_pkts);
	atomic64_add(pkt->len, &dp->rx_bytes);
unlock:
	spin_unlock_irqrestore(&qp->r_lock, flags);
	return;
drop:
	dp->rvp.n_pkt_drops++;
}

/* Deliver a datagram to one port.  RCU read side. */
void vh_deliver(struct vh_port *dp, struct vh_pkt *pkt)
{
	struct rvt_qp *qp;

	if (dp->state != IB_PORT_ACTIVE && pkt->dst_qpn != 0)
		return;
	if (pkt->dst_qpn == 0xffffff) {
		struct rvt_mcast *mc;
		struct rvt_mcast_qp *p;

		mc = rvt_mcast_find(&dp->rvp, &pkt->grh.dgid, pkt->dlid);
		if (!mc)
			return;
		list_for_each_entry_rcu(p, &mc->qp_list, list)
			vh_ud_to_qp(dp, p->qp, pkt);
		if (atomic_dec_return(&mc->refcount) <= 1)
			wake_up(&mc->wait);
		return;
	}
	qp = rvt_lookup_qpn(&dp->dev->rdi, &dp->rvp, pkt->dst_qpn);
	if (qp)
		vh_ud_to_qp(dp, qp, pkt);
	else
		dp->rvp.n_pkt_drops++;
}

static void vh_deliver_cb(struct vh_port *dp, void *arg)
{
	vh_deliver(dp, arg);
}

static void vh_gather(struct rvt_swqe *wqe, u8 *buf)
{
	struct rvt_sge_state ss;
	u32 left = wqe->length;

	ss.sge = wqe->sg_list[0];
	ss.sg_list = wqe->sg_list + 1;
	ss.num_sge = wqe->wr.num_sge;
	while (left) {
		u32 len = rvt_get_sge_length(&ss.sge, left);

		memcpy(buf, ss.sge.vaddr, len);
		rvt_update_sge(&ss, len, false);
		buf += len;
		left -= len;
	}
}

static enum ib_wc_status vh_send_ud(struct rvt_qp *sqp, struct rvt_swqe *wqe)
{
	struct vh_port *sp = to_vport(sqp->ibqp.device, sqp->port_num);
	struct rdma_ah_attr *ah = rvt_get_swqe_ah_attr(wqe);
	struct vh_qp_priv *priv = sqp->priv;
	struct vh_pkt pkt = {};
	u32 qk = rvt_get_swqe_remote_qkey(wqe);
	u16 pkx;

	if (wqe->length > VH_UD_MTU)
		return IB_WC_LOC_LEN_ERR;
	vh_gather(wqe, priv->buf);
	pkt.data = priv->buf;
	pkt.len = wqe->length;
	pkt.slid = sp->lid;
	pkt.dlid = rdma_ah_get_dlid(ah);
	pkt.sl = rdma_ah_get_sl(ah);
	pkt.src_qpn = sqp->ibqp.qp_num;
	pkt.dst_qpn = rvt_get_swqe_remote_qpn(wqe);
	pkt.qkey = (s32)qk < 0 ? sqp->qkey : qk;
	pkx = sqp->ibqp.qp_type == IB_QPT_GSI ?
		rvt_get_swqe_pkey_index(wqe) : sqp->s_pkey_index;
	pkt.pkey = pkx < VH_NPKEYS ? sp->pkeys[pkx] : 0;
	pkt.solicited = wqe->wr.send_flags & IB_SEND_SOLICITED;
	if (wqe->wr.opcode == IB_WR_SEND_WITH_IMM) {
		pkt.has_imm = true;
		pkt.imm = wqe->wr.ex.imm_data;
	}
	if (rdma_ah_get_ah_flags(ah) & IB_AH_GRH) {
		const struct ib_global_route *g = rdma_ah_read_grh(ah);

		pkt.has_grh = true;
		pkt.grh.version_tclass_flow =
			cpu_to_be32((6u << 28) | (g->traffic_class << 20) |
				    (g->flow_label & 0xfffff));
		pkt.grh.paylen = cpu_to_be16(wqe->length + 24);
		pkt.grh.next_hdr = 0x1b;
		pkt.grh.hop_limit = g->hop_limit;
		pkt.grh.sgid.global.subnet_prefix = sp->rvp.gid_prefix;
		pkt.grh.sgid.global.interface_id = sp->guid;
		pkt.grh.dgid = g->dgid;
	}
	atomic64_inc(&sp->tx_pkts);
	atomic64_add(wqe->length, &sp->tx_bytes);

	if (sp->state != IB_PORT_ACTIVE && sqp->ibqp.qp_type != IB_QPT_SMI)
		return IB_WC_SUCCESS;			/* lost */
	if (pkt.dlid == VH_SM_LID) {
		vh_sa_mad(sp, &pkt);
	} else if (pkt.dlid >= 0xc000 && pkt.dlid != 0xffff) {
		pkt.dst_qpn = 0xffffff;
		if (pkt.has_grh)
			vh_for_each_port(vh_deliver_cb, &pkt);
	} else {
		struct vh_port *dp = vh_port_by_lid(pkt.dlid);

		if (dp)
			vh_deliver(dp, &pkt);
		else
			sp->rvp.n_pkt_drops++;
	}
	return IB_WC_SUCCESS;
}

#define VH_BUDGET (256 * 1024)	/* bytes per run of a QP, 4 KiB per message */

enum { VH_OK, VH_RNR, VH_ERR };

/*
 * One RC/UC work request.  RCU read side, no locks held; sqp is BUSY so its
 * send queue is ours.
 */
static int vh_send_conn(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			enum ib_wc_status *st)
{
	bool rc = sqp->ibqp.qp_type == IB_QPT_RC, imm = false;
	struct vh_port *sp = to_vport(sqp->ibqp.device, sqp->port_num);
	struct rvt_sge_state src;
	struct vh_port *dp;
	struct rvt_qp *qp = NULL;
	struct ib_wc wc = {};
	unsigned long flags;
	bool release = true, to_last = false;
	enum ib_wc_status rst = IB_WC_LOC_QP_OP_ERR;
	u32 left = wqe->length;
	int ret;

	*st = IB_WC_SUCCESS;
	if (wqe->wr.opcode == IB_WR_REG_MR)
		return VH_OK;			/* done at post time */
	if (wqe->wr.opcode == IB_WR_LOCAL_INV) {
		if (!(wqe->wr.send_flags & RVT_SEND_COMPLETION_ONLY)) {
			if (rvt_invalidate_rkey(sqp, wqe->wr.ex.invalidate_rkey))
				*st = IB_WC_LOC_PROT_ERR;
			atomic_dec(&sqp->local_ops_pending);
		}
		return VH_OK;
	}

	dp = vh_port_by_lid(rdma_ah_get_dlid(&sqp->remote_ah_attr));
	if (dp && dp->state == IB_PORT_ACTIVE && sp->state == IB_PORT_ACTIVE)
		qp = rvt_lookup_qpn(&dp->dev->rdi, &dp->rvp, sqp->remote_qpn);
	if (!qp || qp->ibqp.qp_type != sqp->ibqp.qp_type ||
	    !vh_pkey_match(sp->pkeys[sqp->s_pkey_index],
			   dp->pkeys[qp->s_pkey_index]))
		goto unreachable;

	src.sge = wqe->sg_list[0];
	src.sg_list = wqe->sg_list + 1;
	src.num_sge = wqe->wr.num_sge;

	spin_lock_irqsave(&qp->r_lock, flags);
	if (!(ib_rvt_state_ops[qp->state] & RVT_PROCESS_RECV_OK)) {
		spin_unlock_irqrestore(&qp->r_lock, flags);
		goto unreachable;
	}
	if (qp->state == IB_QPS_RTR)
		rvt_comm_est(qp);

	switch (wqe->wr.opcode) {
	case IB_WR_SEND:
	case IB_WR_SEND_WITH_IMM:
	case IB_WR_SEND_WITH_INV:
		ret = rvt_get_rwqe(qp, false);
		if (ret < 0) {
			*st = IB_WC_REM_OP_ERR;
			goto err;
		}
		if (!ret)
			goto rnr;
		if (wqe->length > qp->r_len) {
			*st = IB_WC_REM_INV_REQ_ERR;
			goto err;
		}
		wc.opcode = IB_WC_RECV;
		if (wqe->wr.opcode == IB_WR_SEND_WITH_IMM)
			imm = true;
		if (wqe->wr.opcode == IB_WR_SEND_WITH_INV &&
		    !rvt_invalidate_rkey(qp, wqe->wr.ex.invalidate_rkey)) {
			wc.wc_flags |= IB_WC_WITH_INVALIDATE;
			wc.ex.invalidate_rkey = wqe->wr.ex.invalidate_rkey;
		}
		break;
	case IB_WR_RDMA_WRITE_WITH_IMM:
	case IB_WR_RDMA_WRITE:
		if (!(qp->qp_access_flags & IB_ACCESS_REMOTE_WRITE)) {
			*st = IB_WC_REM_INV_REQ_ERR;
			goto err;
		}
		if (wqe->wr.opcode == IB_WR_RDMA_WRITE_WITH_IMM) {
			ret = rvt_get_rwqe(qp, true);
			if (ret < 0) {
				*st = IB_WC_REM_OP_ERR;
				goto err;
			}
			if (!ret)
				goto rnr;
			wc.opcode = IB_WC_RECV_RDMA_WITH_IMM;
			imm = true;
		} else {
			to_last = rvt_is_user_qp(qp);
		}
		if (!wqe->length) {
			qp->r_sge.num_sge = 0;
			break;
		}
		if (!rvt_rkey_ok(qp, &qp->r_sge.sge, wqe->length,
				 wqe->rdma_wr.remote_addr, wqe->rdma_wr.rkey,
				 IB_ACCESS_REMOTE_WRITE)) {
			*st = IB_WC_REM_ACCESS_ERR;
			rst = IB_WC_LOC_PROT_ERR;
			goto err;
		}
		qp->r_sge.sg_list = NULL;
		qp->r_sge.num_sge = 1;
		qp->r_sge.total_len = wqe->length;
		break;
	case IB_WR_RDMA_READ:
		if (!(qp->qp_access_flags & IB_ACCESS_REMOTE_READ)) {
			*st = IB_WC_REM_INV_REQ_ERR;
			goto err;
		}
		if (!rvt_rkey_ok(qp, &src.sge, wqe->length,
				 wqe->rdma_wr.remote_addr, wqe->rdma_wr.rkey,
				 IB_ACCESS_REMOTE_READ)) {
			*st = IB_WC_REM_ACCESS_ERR;
			rst = IB_WC_LOC_PROT_ERR;
			goto err;
		}
		/* source is the remote region (we hold its ref), sink is ours */
		release = false;
		src.sg_list = NULL;
		src.num_sge = wqe->length ? 1 : 0;
		qp->r_sge.sge = wqe->sg_list[0];
		qp->r_sge.sg_list = wqe->sg_list + 1;
		qp->r_sge.num_sge = wqe->wr.num_sge;
		qp->r_sge.total_len = wqe->length;
		break;
	case IB_WR_ATOMIC_CMP_AND_SWP:
	case IB_WR_ATOMIC_FETCH_AND_ADD: {
		u64 *va, old;

		if (!(qp->qp_access_flags & IB_ACCESS_REMOTE_ATOMIC) ||
		    (wqe->atomic_wr.remote_addr & 7)) {
			*st = IB_WC_REM_INV_REQ_ERR;
			goto err;
		}
		if (!rvt_rkey_ok(qp, &qp->r_sge.sge, 8,
				 wqe->atomic_wr.remote_addr,
				 wqe->atomic_wr.rkey, IB_ACCESS_REMOTE_ATOMIC)) {
			*st = IB_WC_REM_ACCESS_ERR;
			rst = IB_WC_LOC_PROT_ERR;
			goto err;
		}
		va = (u64 *)qp->r_sge.sge.vaddr;
		if (wqe->wr.opcode == IB_WR_ATOMIC_FETCH_AND_ADD)
			old = atomic64_fetch_add(wqe->atomic_wr.compare_add,
						 (atomic64_t *)va);
		else
			old = cmpxchg(va, wqe->atomic_wr.compare_add,
				      wqe->atomic_wr.swap);
		*(u64 *)wqe->sg_list[0].vaddr = old;
		rvt_put_mr(qp->r_sge.sge.mr);
		qp->r_sge.num_sge = 0;
		left = 0;
		goto done;
	}
	default:
		*st = IB_WC_LOC_QP_OP_ERR;
		spin_unlock_irqrestore(&qp->r_lock, flags);
		return VH_ERR;
	}

	while (left) {
		u32 len = rvt_get_sge_length(&src.sge, left);

		rvt_copy_sge(qp, &qp->r_sge, src.sge.vaddr, len, release,
			     to_last);
		rvt_update_sge(&src, len, !release);
		left -= len;
	}
	if (release)
		rvt_put_ss(&qp->r_sge);

	if (test_and_clear_bit(RVT_R_WRID_VALID, &qp->r_aflags)) {
		if (imm) {
			wc.wc_flags |= IB_WC_WITH_IMM;
			wc.ex.imm_data = wqe->wr.ex.imm_data;
		}
		wc.wr_id = qp->r_wr_id;
		wc.status = IB_WC_SUCCESS;
		wc.byte_len = wqe->length;
		wc.qp = &qp->ibqp;
		wc.src_qp = qp->remote_qpn;
		wc.slid = sp->lid;
		wc.sl = rdma_ah_get_sl(&qp->remote_ah_attr);
		wc.port_num = dp->num;
		rvt_recv_cq(qp, &wc, wqe->wr.send_flags & IB_SEND_SOLICITED);
	}
done:
	atomic64_inc(&sp->tx_pkts);
	atomic64_add(wqe->length, &sp->tx_bytes);
	atomic64_inc(&dp->rx_pkts);
	atomic64_add(wqe->length, &dp->rx_bytes);
	spin_unlock_irqrestore(&qp->r_lock, flags);
	return VH_OK;
rnr:
	spin_unlock_irqrestore(&qp->r_lock, flags);
	if (!rc)
		return VH_OK;
	sp->rvp.n_rnr_naks++;
	if (sqp->s_rnr_retry == 0) {
		*st = IB_WC_RNR_RETRY_EXC_ERR;
		return VH_ERR;
	}
	if (sqp->s_rnr_retry_cnt < 7)
		sqp->s_rnr_retry--;
	spin_lock_irqsave(&sqp->s_lock, flags);
	if (ib_rvt_state_ops[sqp->state] & RVT_PROCESS_RECV_OK)
		rvt_add_rnr_timer(sqp, qp->r_min_rnr_timer <<
				  IB_AETH_CREDIT_SHIFT);
	spin_unlock_irqrestore(&sqp->s_lock, flags);
	return VH_RNR;
err:
	rvt_rc_error(qp, rst);
	spin_unlock_irqrestore(&qp->r_lock, flags);
	if (!rc) {
		*st = IB_WC_SUCCESS;
		return VH_OK;
	}
	return VH_ERR;
unreachable:
	sp->rvp.n_pkt_drops++;
	if (!rc)
		return VH_OK;
	*st = IB_WC_RETRY_EXC_ERR;
	return VH_ERR;
}

/* Send engine of one QP: runs from vh_wq only. */
void vh_send_work(struct work_struct *w)
{
	struct vh_qp_priv *priv = container_of(w, struct vh_qp_priv, work);
	struct rvt_qp *sqp = priv->qp;
	enum ib_wc_status st;
	struct rvt_swqe *wqe;
	unsigned long flags;
	bool conn = sqp->ibqp.qp_type == IB_QPT_RC ||
		    sqp->ibqp.qp_type == IB_QPT_UC;
	int budget = VH_BUDGET, r;

	rcu_read_lock();
	spin_lock_irqsave(&sqp->s_lock, flags);
	if ((sqp->s_flags & (RVT_S_BUSY | RVT_S_ANY_WAIT)) ||
	    !(ib_rvt_state_ops[sqp->state] & RVT_PROCESS_OR_FLUSH_SEND))
		goto out;
	sqp->s_flags |= RVT_S_BUSY;

	while (sqp->s_last != READ_ONCE(sqp->s_head)) {
		smp_rmb();
		if (budget <= 0) {	/* do not hold RCU and the CPU for long */
			queue_work(vh_wq, &priv->work);
			break;
		}
		wqe = rvt_get_swqe_ptr(sqp, sqp->s_last);
		budget -= 4096 + wqe->length;
		if (!(ib_rvt_state_ops[sqp->state] & RVT_PROCESS_NEXT_SEND_OK)) {
			if (!(ib_rvt_state_ops[sqp->state] & RVT_FLUSH_SEND))
				break;
			spin_unlock_irqrestore(&sqp->s_lock, flags);
			st = IB_WC_WR_FLUSH_ERR;
			r = VH_OK;
			goto complete;
		}
		if (sqp->s_last == sqp->s_cur)
			sqp->s_cur = rvt_qp_swqe_incr(sqp, sqp->s_cur);
		spin_unlock_irqrestore(&sqp->s_lock, flags);

		if (conn) {
			r = vh_send_conn(sqp, wqe, &st);
		} else {
			st = vh_send_ud(sqp, wqe);
			r = VH_OK;
		}
		if (r == VH_RNR) {
			spin_lock_irqsave(&sqp->s_lock, flags);
			break;
		}
complete:
		/* rdmavt's order: r_lock, then s_lock */
		spin_lock_irqsave(&sqp->r_lock, flags);
		spin_lock(&sqp->s_lock);
		sqp->s_rnr_retry = sqp->s_rnr_retry_cnt;
		rvt_send_complete(sqp, wqe, st);
		if (r == VH_ERR && sqp->ibqp.qp_type == IB_QPT_RC) {
			int last = rvt_error_qp(sqp, IB_WC_WR_FLUSH_ERR);

			sqp->s_flags &= ~RVT_S_BUSY;
			spin_unlock(&sqp->s_lock);
			spin_unlock_irqrestore(&sqp->r_lock, flags);
			if (last && sqp->ibqp.event_handler) {
				struct ib_event ev = {
					.device = sqp->ibqp.device,
					.element.qp = &sqp->ibqp,
					.event = IB_EVENT_QP_LAST_WQE_REACHED,
				};
				sqp->ibqp.event_handler(&ev,
							sqp->ibqp.qp_context);
			}
			queue_work(vh_wq, &priv->work);	/* flush the rest */
			rcu_read_unlock();
			return;
		}
		spin_unlock(&sqp->r_lock);	/* keep s_lock, irqs off */
	}
	sqp->s_flags &= ~RVT_S_BUSY;
out:
	spin_unlock_irqrestore(&sqp->s_lock, flags);
	rcu_read_unlock();
}
