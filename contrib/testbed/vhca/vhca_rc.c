// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connected service (RC, and UC which loses where RC reports): the requester's
 * work item does the responder's part too, in one go, with the responder's
 * r_lock held and none of its own.  So a QP connected to itself cannot
 * deadlock, and no packets, PSNs or ACKs are needed.  What the wire would do is
 * kept: RNR NAK and time-out retries with the QP's own counts and timers.
 *
 * For a second guest, struct vh_conn is where it would be cut: the requester's
 * half goes out as a request, vh_respond() runs over there.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/overflow.h>
#include "vhca.h"

struct vh_conn {
	struct rvt_qp *sqp, *qp;	/* requester, responder */
	struct vh_port *sp, *dp;	/* their ports */
	struct rvt_swqe *wqe;
	struct rvt_sge_state local;	/* requester's buffers */
	struct rvt_sge_state remote;	/* what the R_Key gave, with a reference */
	struct ib_wc wc;		/* of the responder, if it gets one */
	enum ib_wc_status st;		/* of the request */
	enum ib_wc_status rsp_st;	/* of the responder when it fails */
};

enum vh_rsp {
	RSP_OK,
	RSP_RNR,			/* no receive buffer */
	RSP_ERR,			/* see st and rsp_st */
};

static enum vh_rsp vh_refuse(struct vh_conn *c, enum ib_wc_status st)
{
	c->st = st;
	c->rsp_st = st == IB_WC_REM_ACCESS_ERR ? IB_WC_LOC_PROT_ERR :
		IB_WC_LOC_QP_OP_ERR;
	return RSP_ERR;
}

static enum vh_rsp vh_get_rwqe(struct vh_conn *c, bool id_only)
{
	int ret = rvt_get_rwqe(c->qp, id_only);

	if (ret < 0)
		return vh_refuse(c, IB_WC_REM_OP_ERR);
	return ret ? RSP_OK : RSP_RNR;
}

/* Check the R_Key of a request; c->remote takes a reference on the MR. */
static bool vh_map_remote(struct vh_conn *c, u32 len, u64 addr, u32 rkey,
			  int access)
{
	u64 end;

	c->remote.num_sge = 0;
	/*
	 * No bytes, no R_Key check (IBA 9.7.4.1.5); with one, the reference
	 * would stay for ever, since the copy loop that drops it never runs.
	 */
	if (!len)
		return true;
	/* rvt_rkey_ok() lets an address near 2^64 wrap around to a small one */
	if (check_add_overflow(addr, (u64)len, &end))
		return false;
	if (!rvt_rkey_ok(c->qp, &c->remote.sge, len, addr, rkey, access))
		return false;
	c->remote.sg_list = NULL;
	c->remote.num_sge = 1;
	c->remote.total_len = len;
	return true;
}

/*
 * Both sides' SGEs were made to hold len bytes (vh_setup_wqe, r_len,
 * vh_map_remote); without that rvt_copy_sge() would not end.
 */
static void vh_copy(struct vh_conn *c, struct rvt_sge_state *dst, bool dst_ref,
		    struct rvt_sge_state *src, bool src_ref, bool last)
{
	u32 left = c->wqe->length, len;

	while (left) {
		len = rvt_get_sge_length(&src->sge, left);
		rvt_copy_sge(c->qp, dst, src->sge.vaddr, len, dst_ref, last);
		rvt_update_sge(src, len, src_ref);
		left -= len;
	}
}

static void vh_count_data(struct vh_conn *c, bool to_requester, u32 len)
{
	struct vh_port *from = to_requester ? c->dp : c->sp;
	struct vh_port *to = to_requester ? c->sp : c->dp;

	vh_count(&from->tx, len, c->sqp->pmtu, false);
	vh_count(&to->rx, len, c->sqp->pmtu, false);
}

static enum vh_rsp vh_do_send(struct vh_conn *c)
{
	struct rvt_swqe *wqe = c->wqe;
	enum vh_rsp r = vh_get_rwqe(c, false);

	if (r != RSP_OK)
		return r;
	if (wqe->length > c->qp->r_len)
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (wqe->wr.opcode == IB_WR_SEND_WITH_INV) {
		if (rvt_invalidate_rkey(c->qp, wqe->wr.ex.invalidate_rkey))
			return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
		c->wc.wc_flags |= IB_WC_WITH_INVALIDATE;
		c->wc.ex.invalidate_rkey = wqe->wr.ex.invalidate_rkey;
	}
	vh_copy(c, &c->qp->r_sge, true, &c->local, false, false);
	rvt_put_ss(&c->qp->r_sge);
	c->wc.opcode = IB_WC_RECV;
	vh_count_data(c, false, wqe->length);
	return RSP_OK;
}

static enum vh_rsp vh_do_write(struct vh_conn *c)
{
	struct rvt_swqe *wqe = c->wqe;
	bool imm = wqe->wr.opcode == IB_WR_RDMA_WRITE_WITH_IMM;
	enum vh_rsp r;

	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_WRITE))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (imm) {
		r = vh_get_rwqe(c, true);
		if (r != RSP_OK)
			return r;
		c->wc.opcode = IB_WC_RECV_RDMA_WITH_IMM;
	}
	if (!vh_map_remote(c, wqe->length, wqe->rdma_wr.remote_addr,
			   wqe->rdma_wr.rkey, IB_ACCESS_REMOTE_WRITE))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	/* programs that poll on the last byte want it written last */
	vh_copy(c, &c->remote, true, &c->local, false,
		!imm && rvt_is_user_qp(c->qp));
	vh_count_data(c, false, wqe->length);
	return RSP_OK;
}

static enum vh_rsp vh_do_read(struct vh_conn *c)
{
	struct rvt_swqe *wqe = c->wqe;

	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_READ))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (!vh_map_remote(c, wqe->length, wqe->rdma_wr.remote_addr,
			   wqe->rdma_wr.rkey, IB_ACCESS_REMOTE_READ))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	/*
	 * The sink is c->local, not qp->r_sge: the references in it are the
	 * requester's, and whatever stayed in r_sge would be put twice.
	 */
	vh_copy(c, &c->local, false, &c->remote, true, false);
	vh_count_data(c, false, 0);		/* the request */
	vh_count_data(c, true, wqe->length);	/* the data flow back */
	return RSP_OK;
}

static enum vh_rsp vh_do_atomic(struct vh_conn *c)
{
	struct ib_atomic_wr *wr = &c->wqe->atomic_wr;
	u64 old, *va;

	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_ATOMIC) ||
	    !IS_ALIGNED(wr->remote_addr, sizeof(u64)))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (!vh_map_remote(c, sizeof(u64), wr->remote_addr, wr->rkey,
			   IB_ACCESS_REMOTE_ATOMIC))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	va = c->remote.sge.vaddr;
	if (c->wqe->wr.opcode == IB_WR_ATOMIC_FETCH_AND_ADD)
		old = atomic64_fetch_add(wr->compare_add, (atomic64_t *)va);
	else
		old = cmpxchg(va, wr->compare_add, wr->swap);
	*(u64 *)c->local.sge.vaddr = old;
	rvt_put_mr(c->remote.sge.mr);
	vh_count_data(c, false, 0);		/* operands are a header */
	vh_count_data(c, true, sizeof(u64));	/* the old value */
	return RSP_OK;
}

/* The responder's part, its r_lock held. */
static enum vh_rsp vh_respond(struct vh_conn *c)
{
	struct rvt_swqe *wqe = c->wqe;
	struct rvt_qp *qp = c->qp;
	enum vh_rsp r;

	if (qp->state == IB_QPS_RTR && !(qp->r_flags & RVT_R_COMM_EST))
		rvt_comm_est(qp);

	switch (wqe->wr.opcode) {
	case IB_WR_SEND:
	case IB_WR_SEND_WITH_IMM:
	case IB_WR_SEND_WITH_INV:
		r = vh_do_send(c);
		break;
	case IB_WR_RDMA_WRITE:
	case IB_WR_RDMA_WRITE_WITH_IMM:
		r = vh_do_write(c);
		break;
	case IB_WR_RDMA_READ:
		r = vh_do_read(c);
		break;
	case IB_WR_ATOMIC_CMP_AND_SWP:
	case IB_WR_ATOMIC_FETCH_AND_ADD:
		r = vh_do_atomic(c);
		break;
	default:
		r = vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	}
	if (r == RSP_ERR)
		rvt_rc_error(qp, c->rsp_st);
	if (r != RSP_OK || !c->wc.opcode)
		return r;

	/* a receive was used up; opcode says so, IB_WC_RECV is not 0 */
	if (!test_and_clear_bit(RVT_R_WRID_VALID, &qp->r_aflags))
		return r;
	if (wqe->wr.opcode == IB_WR_SEND_WITH_IMM ||
	    wqe->wr.opcode == IB_WR_RDMA_WRITE_WITH_IMM) {
		c->wc.wc_flags |= IB_WC_WITH_IMM;
		c->wc.ex.imm_data = wqe->wr.ex.imm_data;
	}
	c->wc.wr_id = qp->r_wr_id;
	c->wc.status = IB_WC_SUCCESS;
	c->wc.byte_len = wqe->length;
	c->wc.qp = &qp->ibqp;
	c->wc.src_qp = qp->remote_qpn;
	c->wc.slid = c->sp->lid;
	c->wc.sl = rdma_ah_get_sl(&qp->remote_ah_attr);
	c->wc.port_num = c->dp->num;
	vh_recv_complete(qp, &c->wc, wqe->wr.send_flags & IB_SEND_SOLICITED);
	return r;
}

/* The RNR NAK timer of the responder, the retry count of the requester. */
static enum vh_result vh_rnr(struct vh_conn *c)
{
	struct rvt_qp *sqp = c->sqp;
	enum vh_result r = VH_WAIT;

	spin_lock_irq(&sqp->s_lock);
	c->sp->rvp.n_rnr_naks++;
	if (!sqp->s_rnr_retry) {
		c->st = IB_WC_RNR_RETRY_EXC_ERR;
		r = VH_FAIL;
	} else {
		if (sqp->s_rnr_retry_cnt < 7)	/* 7: for ever */
			sqp->s_rnr_retry--;
		/* not when a modify to the error state came in between */
		if (ib_rvt_state_ops[sqp->state] & RVT_PROCESS_RECV_OK)
			rvt_add_rnr_timer(sqp, c->qp->r_min_rnr_timer <<
					  IB_AETH_CREDIT_SHIFT);
		else
			vh_send_kick(sqp->priv);
	}
	spin_unlock_irq(&sqp->s_lock);
	return r;
}

/*
 * Nobody answers (port down, QP gone or not ours, other partition): time out
 * and try again, so that a short loss of link is survived as on real hardware.
 */
static enum vh_result vh_timeout(struct vh_conn *c)
{
	struct rvt_qp *sqp = c->sqp;
	enum vh_result r = VH_WAIT;

	spin_lock_irq(&sqp->s_lock);
	c->sp->rvp.n_pkt_drops++;
	if (!sqp->s_retry) {
		c->st = IB_WC_RETRY_EXC_ERR;
		r = VH_FAIL;
	} else {
		if (sqp->timeout)		/* 0: for ever */
			sqp->s_retry--;
		if (ib_rvt_state_ops[sqp->state] & RVT_PROCESS_RECV_OK)
			rvt_add_retry_timer(sqp);
		else
			vh_send_kick(sqp->priv);
	}
	spin_unlock_irq(&sqp->s_lock);
	return r;
}

/* The responder, or NULL if the fabric would not bring us to it. */
static struct rvt_qp *vh_find_peer(struct vh_conn *c)
{
	struct rvt_qp *sqp = c->sqp, *qp;

	c->dp = vh_port_by_lid(rdma_ah_get_dlid(&sqp->remote_ah_attr));
	if (!c->dp || c->dp->state != IB_PORT_ACTIVE ||
	    c->sp->state != IB_PORT_ACTIVE)
		return NULL;
	qp = vh_find_qp(c->dp, sqp->remote_qpn);
	if (!qp || qp->ibqp.qp_type != sqp->ibqp.qp_type ||
	    !vh_pkey_match(c->sp->pkeys[sqp->s_pkey_index],
			   c->dp->pkeys[qp->s_pkey_index]))
		return NULL;
	return qp;
}

/* One RC or UC request.  RCU read side, no locks held, sqp is BUSY. */
enum vh_result vh_rc_send(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			  enum ib_wc_status *st)
{
	bool rc = sqp->ibqp.qp_type == IB_QPT_RC;
	struct vh_conn c = {
		.sqp = sqp,
		.sp = to_vport(sqp->ibqp.device, sqp->port_num),
		.wqe = wqe,
		.local = {
			.sge = wqe->sg_list[0],
			.sg_list = wqe->sg_list + 1,
			.num_sge = wqe->wr.num_sge,
		},
		.wc.opcode = 0,
	};
	enum vh_result r = VH_DONE;
	enum vh_rsp rsp;
	bool heard;

	c.qp = vh_find_peer(&c);
	if (!c.qp)
		goto lost;

	spin_lock_irq(&c.qp->r_lock);
	/* a QP hears its own peer only, else anybody could write to it */
	heard = (ib_rvt_state_ops[c.qp->state] & RVT_PROCESS_RECV_OK) &&
		c.qp->remote_qpn == sqp->ibqp.qp_num &&
		rdma_ah_get_dlid(&c.qp->remote_ah_attr) == c.sp->lid;
	rsp = heard ? vh_respond(&c) : RSP_OK;
	spin_unlock_irq(&c.qp->r_lock);
	if (!heard)
		goto lost;

	if (rc && rsp == RSP_RNR)
		r = vh_rnr(&c);
	else if (rc && rsp == RSP_ERR)
		r = VH_FAIL;
	if (r == VH_FAIL)
		*st = c.st;
	return r;
lost:
	if (rc)
		r = vh_timeout(&c);
	else
		c.sp->rvp.n_pkt_drops++;
	if (r == VH_FAIL)
		*st = c.st;
	return r;
}
