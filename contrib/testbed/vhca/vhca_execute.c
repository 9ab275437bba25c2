// SPDX-License-Identifier: GPL-2.0-only
/*
 * The responder's half of the connected service: what a SEND, a WRITE, a READ
 * or an atomic does to the QP it arrives at, with that QP's r_lock held.  The
 * requester may be on the same kernel (vhca_rc.c: its buffers are copied from
 * and to directly) or in another guest (vhca_respond.c: the message is a
 * queue of fragments, and what a READ brings is sent from c->remote).
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/overflow.h>
#include <linux/skbuff.h>
#include "vhca.h"

/* What a work request asks of the other side. */
void vh_make_request(struct rvt_qp *sqp, struct rvt_swqe *wqe,
		     struct vh_request *rq)
{
	*rq = (struct vh_request){
		.opcode = wqe->wr.opcode,
		.slid = to_vport(sqp->ibqp.device, sqp->port_num)->lid,
		.solicited = wqe->wr.send_flags & IB_SEND_SOLICITED,
		.len = wqe->length,
	};
	switch (wqe->wr.opcode) {
	case IB_WR_SEND_WITH_IMM:
		rq->imm = wqe->wr.ex.imm_data;
		break;
	case IB_WR_SEND_WITH_INV:
		rq->rkey = wqe->wr.ex.invalidate_rkey;
		break;
	case IB_WR_RDMA_WRITE_WITH_IMM:
		rq->imm = wqe->wr.ex.imm_data;
		fallthrough;
	case IB_WR_RDMA_WRITE:
	case IB_WR_RDMA_READ:
		rq->addr = wqe->rdma_wr.remote_addr;
		rq->rkey = wqe->rdma_wr.rkey;
		break;
	case IB_WR_ATOMIC_CMP_AND_SWP:
	case IB_WR_ATOMIC_FETCH_AND_ADD:
		rq->addr = wqe->atomic_wr.remote_addr;
		rq->rkey = wqe->atomic_wr.rkey;
		rq->compare_add = wqe->atomic_wr.compare_add;
		rq->swap = wqe->atomic_wr.swap;
		break;
	default:
		break;
	}
}

/* A QP hears its own peer only, else anybody could write to it.  r_lock. */
bool vh_heard(struct vh_port *dp, struct rvt_qp *qp, u16 slid, u32 src_qpn)
{
	return dp->state == IB_PORT_ACTIVE &&
		(ib_rvt_state_ops[qp->state] & RVT_PROCESS_RECV_OK) &&
		qp->remote_qpn == src_qpn &&
		vh_peer_lid(qp) == slid;
}

static enum vh_rsp vh_refuse(struct vh_conn *c, enum ib_wc_status st)
{
	c->st = st;
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
static bool vh_map_remote(struct vh_conn *c, u32 len, u64 addr, int access)
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
	if (!rvt_rkey_ok(c->qp, &c->remote.sge, len, addr, c->rq->rkey, access))
		return false;
	c->remote.sg_list = NULL;
	c->remote.num_sge = 1;
	c->remote.total_len = len;
	return true;
}

/* The fragments into dst, piece by contiguous piece. */
static void vh_copy_parts(struct vh_conn *c, struct rvt_sge_state *dst,
			  bool last)
{
	struct skb_seq_state seq;
	struct sk_buff *skb;
	const u8 *data;
	u32 at, n;

	skb_queue_walk(c->parts, skb) {
		skb_prepare_seq_read(skb, 0, skb->len, &seq);
		for (at = 0; (n = skb_seq_read(at, &data, &seq)); at += n)
			rvt_copy_sge(c->qp, dst, (void *)data, n, true, last);
	}
}

/*
 * The message into dst, whose references are dropped on the way.  Both sides
 * were made to hold rq->len bytes (vh_setup_wqe, r_len, vh_map_remote);
 * without that rvt_copy_sge() would not end.
 */
static void vh_copy_in(struct vh_conn *c, struct rvt_sge_state *dst, bool last)
{
	u32 left = c->rq->len, len;

	if (c->parts) {
		vh_copy_parts(c, dst, last);
		return;
	}
	while (left) {
		len = rvt_get_sge_length(&c->local->sge, left);
		rvt_copy_sge(c->qp, dst, c->local->sge.vaddr, len, true, last);
		rvt_update_sge(c->local, len, false);
		left -= len;
	}
}

/*
 * What was asked for into the requester's buffers.  The sink is c->local, not
 * qp->r_sge: the references in it are the requester's, and whatever stayed in
 * r_sge would be put twice.
 */
static void vh_copy_out(struct vh_conn *c)
{
	u32 left = c->rq->len, len;

	while (left) {
		len = rvt_get_sge_length(&c->remote.sge, left);
		rvt_copy_sge(c->qp, c->local, c->remote.sge.vaddr, len, false,
			     false);
		rvt_update_sge(&c->remote, len, true);
		left -= len;
	}
}

static enum vh_rsp vh_do_send(struct vh_conn *c)
{
	enum vh_rsp r = vh_get_rwqe(c, false);

	if (r != RSP_OK)
		return r;
	if (c->rq->len > c->qp->r_len)
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (c->rq->opcode == IB_WR_SEND_WITH_INV) {
		if (rvt_invalidate_rkey(c->qp, c->rq->rkey))
			return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
		c->wc.wc_flags |= IB_WC_WITH_INVALIDATE;
		c->wc.ex.invalidate_rkey = c->rq->rkey;
	}
	vh_copy_in(c, &c->qp->r_sge, false);
	rvt_put_ss(&c->qp->r_sge);
	c->wc.opcode = IB_WC_RECV;
	return RSP_OK;
}

static enum vh_rsp vh_do_write(struct vh_conn *c)
{
	bool imm = c->rq->opcode == IB_WR_RDMA_WRITE_WITH_IMM;
	enum vh_rsp r;

	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_WRITE))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (imm) {
		r = vh_get_rwqe(c, true);
		if (r != RSP_OK)
			return r;
		c->wc.opcode = IB_WC_RECV_RDMA_WITH_IMM;
	}
	if (!vh_map_remote(c, c->rq->len, c->rq->addr, IB_ACCESS_REMOTE_WRITE))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	/* programs that poll on the last byte want it written last */
	vh_copy_in(c, &c->remote, !imm && rvt_is_user_qp(c->qp));
	return RSP_OK;
}

static enum vh_rsp vh_do_read(struct vh_conn *c)
{
	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_READ))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (!vh_map_remote(c, c->rq->len, c->rq->addr, IB_ACCESS_REMOTE_READ))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	if (c->local)			/* else the caller sends c->remote */
		vh_copy_out(c);
	return RSP_OK;
}

static enum vh_rsp vh_do_atomic(struct vh_conn *c)
{
	const struct vh_request *rq = c->rq;
	u64 *va;

	if (!(c->qp->qp_access_flags & IB_ACCESS_REMOTE_ATOMIC) ||
	    !IS_ALIGNED(rq->addr, sizeof(u64)))
		return vh_refuse(c, IB_WC_REM_INV_REQ_ERR);
	if (!vh_map_remote(c, sizeof(u64), rq->addr, IB_ACCESS_REMOTE_ATOMIC))
		return vh_refuse(c, IB_WC_REM_ACCESS_ERR);
	va = c->remote.sge.vaddr;
	if (rq->opcode == IB_WR_ATOMIC_FETCH_AND_ADD)
		c->old = atomic64_fetch_add(rq->compare_add, (atomic64_t *)va);
	else
		c->old = cmpxchg(va, rq->compare_add, rq->swap);
	rvt_put_mr(c->remote.sge.mr);
	if (c->local)
		*(u64 *)c->local->sge.vaddr = c->old;
	return RSP_OK;
}

/*
 * What flowed, as vh_count() has it: READ data and old values come back, the
 * operands of an atomic are a header.
 */
static void vh_count_done(struct vh_conn *c)
{
	bool asks = vh_asks(c->rq->opcode);
	u32 mtu = c->qp->pmtu, there = asks ? 0 : c->rq->len;

	vh_count(&c->sp->tx, there, mtu, false);
	vh_count(&c->dp->rx, there, mtu, false);
	if (asks) {
		vh_count(&c->dp->tx, c->rq->len, mtu, false);
		vh_count(&c->sp->rx, c->rq->len, mtu, false);
	}
}

/* A receive was used up: say so. */
static void vh_received(struct vh_conn *c)
{
	struct rvt_qp *qp = c->qp;

	if (!test_and_clear_bit(RVT_R_WRID_VALID, &qp->r_aflags))
		return;
	if (c->rq->opcode == IB_WR_SEND_WITH_IMM ||
	    c->rq->opcode == IB_WR_RDMA_WRITE_WITH_IMM) {
		c->wc.wc_flags |= IB_WC_WITH_IMM;
		c->wc.ex.imm_data = c->rq->imm;
	}
	c->wc.wr_id = qp->r_wr_id;
	c->wc.status = IB_WC_SUCCESS;
	c->wc.byte_len = c->rq->len;
	c->wc.qp = &qp->ibqp;
	c->wc.src_qp = qp->remote_qpn;
	c->wc.slid = c->dp->dev->eth ? 0 : c->rq->slid;
	c->wc.sl = rdma_ah_get_sl(&qp->remote_ah_attr);
	c->wc.port_num = c->dp->num;
	vh_recv_complete(qp, &c->wc, c->rq->solicited);
}

/* The responder's part, its r_lock held. */
enum vh_rsp vh_respond(struct vh_conn *c)
{
	struct rvt_qp *qp = c->qp;
	enum vh_rsp r;

	if (qp->state == IB_QPS_RTR && !(qp->r_flags & RVT_R_COMM_EST))
		rvt_comm_est(qp);

	switch (c->rq->opcode) {
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
		rvt_rc_error(qp, c->st == IB_WC_REM_ACCESS_ERR ?
			     IB_WC_LOC_PROT_ERR : IB_WC_LOC_QP_OP_ERR);
	if (r != RSP_OK)
		return r;
	/* before anybody can have seen the data; of fragments it was done */
	if (c->sp)
		vh_count_done(c);
	/* opcode says whether a receive was used; IB_WC_RECV is not 0 */
	if (c->wc.opcode)
		vh_received(c);
	return r;
}
