// SPDX-License-Identifier: GPL-2.0-only
/*
 * The send engine: takes work requests off a QP's send queue, one QP per work
 * item, and completes them.  rdmavt leaves this to the driver.  Not its
 * rvt_ruc_loopback(): that finds peers on the same device only, and here the
 * peer is usually another HCA.
 *
 * RVT_S_BUSY keeps it to one at a time, the work item or a program that posts
 * (vh_do_send), and rdmavt waits for both (through stop_send_queue and quiesce_qp)
 * before it frees the QP, so the QP that sends is safe without a reference.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca.h"

#define VH_CONN (BIT(IB_QPT_UC) | BIT(IB_QPT_RC))
#define VH_ALL (VH_CONN | BIT(IB_QPT_UD) | BIT(IB_QPT_SMI) | BIT(IB_QPT_GSI))

const struct rvt_operation_params vh_post_parms[RVT_OPERATION_MAX] = {
	[IB_WR_SEND] = { sizeof(struct ib_send_wr), VH_ALL, 0 },
	[IB_WR_SEND_WITH_IMM] = { sizeof(struct ib_send_wr), VH_ALL, 0 },
	[IB_WR_SEND_WITH_INV] = {
		sizeof(struct ib_send_wr), BIT(IB_QPT_RC), 0 },
	[IB_WR_RDMA_WRITE] = { sizeof(struct ib_rdma_wr), VH_CONN, 0 },
	[IB_WR_RDMA_WRITE_WITH_IMM] = { sizeof(struct ib_rdma_wr), VH_CONN, 0 },
	[IB_WR_RDMA_READ] = {
		sizeof(struct ib_rdma_wr), BIT(IB_QPT_RC),
		RVT_OPERATION_ATOMIC },
	[IB_WR_ATOMIC_CMP_AND_SWP] = {
		sizeof(struct ib_atomic_wr), BIT(IB_QPT_RC),
		RVT_OPERATION_ATOMIC | RVT_OPERATION_ATOMIC_SGE },
	[IB_WR_ATOMIC_FETCH_AND_ADD] = {
		sizeof(struct ib_atomic_wr), BIT(IB_QPT_RC),
		RVT_OPERATION_ATOMIC | RVT_OPERATION_ATOMIC_SGE },
	[IB_WR_REG_MR] = {
		sizeof(struct ib_reg_wr), VH_CONN, RVT_OPERATION_LOCAL },
	[IB_WR_LOCAL_INV] = {
		sizeof(struct ib_send_wr), VH_CONN, RVT_OPERATION_LOCAL },
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

/*
 * What one turn of a QP may copy; a message counts at least 4 KiB.  Long turns
 * starve IPoIB under load, short ones cost context switches.
 */
#define VH_TURN		(256 * 1024)

static struct workqueue_struct *vh_wq;

int vh_send_init(void)
{
	vh_wq = alloc_workqueue("vhca", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return vh_wq ? 0 : -ENOMEM;
}

void vh_send_exit(void)
{
	destroy_workqueue(vh_wq);
}

void vh_send_kick(struct vh_qp_priv *priv)
{
	queue_work(vh_wq, &priv->work);
}

/*
 * Completion on the receiving side, r_lock held.  Not rvt_recv_cq(): when the
 * CQ is full that calls rvt_error_qp() without s_lock, and a lost update of
 * s_flags stops the send queue for good.
 */
void vh_recv_complete(struct rvt_qp *qp, struct ib_wc *wc, bool solicited)
{
	if (!rvt_cq_enter(ibcq_to_rvtcq(qp->ibqp.recv_cq), wc, solicited))
		rvt_rc_error(qp, IB_WC_LOC_QP_OP_ERR);
}

/* Oldest work request, or NULL if none may be worked on.  Under s_lock. */
static struct rvt_swqe *vh_next_wqe(struct rvt_qp *sqp, bool *flush)
{
	int ops = ib_rvt_state_ops[sqp->state];

	/* pairs with smp_wmb() in rvt_post_one_wr(): the entry is complete */
	if (sqp->s_last == smp_load_acquire(&sqp->s_head))
		return NULL;
	*flush = !(ops & RVT_PROCESS_NEXT_SEND_OK);
	if (*flush && !(ops & RVT_FLUSH_SEND))
		return NULL;
	if (!*flush && sqp->s_last == sqp->s_cur)
		sqp->s_cur = rvt_qp_swqe_incr(sqp, sqp->s_cur);
	return rvt_get_swqe_ptr(sqp, sqp->s_last);
}

enum vh_result vh_local_op(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			   bool flush, enum ib_wc_status *st)
{
	/* REG_MR and most LOCAL_INV are done at post time */
	if (wqe->wr.opcode == IB_WR_LOCAL_INV &&
	    !(wqe->wr.send_flags & RVT_SEND_COMPLETION_ONLY)) {
		if (!flush && rvt_invalidate_rkey(sqp, wqe->wr.ex.invalidate_rkey))
			*st = IB_WC_LOC_PROT_ERR;
		atomic_dec(&sqp->local_ops_pending);
	}
	return *st == IB_WC_LOC_PROT_ERR ? VH_FAIL : VH_DONE;
}

static enum vh_result vh_one_wqe(struct rvt_qp *sqp, struct rvt_swqe *wqe,
				 bool flush, enum ib_wc_status *st)
{
	*st = flush ? IB_WC_WR_FLUSH_ERR : IB_WC_SUCCESS;
	if (vh_is_local(wqe))
		return vh_local_op(sqp, wqe, flush, st);
	if (flush)
		return VH_DONE;
	if (sqp->allowed_ops != IB_OPCODE_UD)
		return vh_rc_send(sqp, wqe, st);
	vh_ud_send(sqp, wqe);
	return VH_DONE;
}

static void vh_last_wqe(struct rvt_qp *qp)
{
	struct ib_event ev = {
		.device = qp->ibqp.device,
		.element.qp = &qp->ibqp,
		.event = IB_EVENT_QP_LAST_WQE_REACHED,
	};

	if (qp->ibqp.event_handler)
		qp->ibqp.event_handler(&ev, qp->ibqp.qp_context);
}

void vh_complete(struct rvt_qp *sqp, struct rvt_swqe *wqe,
		 enum vh_result r, enum ib_wc_status st)
{
	bool last = false;

	/* rdmavt's order; never with the peer's locks, it may be this QP */
	spin_lock_irq(&sqp->r_lock);
	spin_lock(&sqp->s_lock);
	sqp->s_rnr_retry = sqp->s_rnr_retry_cnt;
	sqp->s_retry = sqp->s_retry_cnt;
	rvt_send_complete(sqp, wqe, st);
	if (r == VH_FAIL)
		last = rvt_error_qp(sqp, IB_WC_WR_FLUSH_ERR);
	spin_unlock(&sqp->s_lock);
	spin_unlock_irq(&sqp->r_lock);
	if (last)
		vh_last_wqe(sqp);
}

/* The other end is in another guest, and there is no error to flush here. */
static bool vh_goes_out(struct rvt_qp *sqp)
{
	return sqp->allowed_ops != IB_OPCODE_UD &&
		vh_peer_guest(sqp) != vh_guest &&
		(ib_rvt_state_ops[sqp->state] & RVT_PROCESS_NEXT_SEND_OK);
}

/* Datagrams, peers on this kernel, and flushing.  s_lock held. */
static void vh_send_here(struct vh_qp_priv *priv)
{
	struct rvt_qp *sqp = priv->qp;
	s64 budget = VH_TURN;
	struct rvt_swqe *wqe;
	enum ib_wc_status st;
	enum vh_result r;
	bool flush;

	while ((wqe = vh_next_wqe(sqp, &flush))) {
		if (budget <= 0) {
			vh_send_kick(priv);
			break;
		}
		budget -= max(wqe->length, 4096u);
		spin_unlock_irq(&sqp->s_lock);
		r = vh_one_wqe(sqp, wqe, flush, &st);
		if (r != VH_WAIT)
			vh_complete(sqp, wqe, r, st);
		spin_lock_irq(&sqp->s_lock);
		if (r == VH_WAIT)
			break;
	}
}

/* Sends what may be sent, unless somebody else is at it, who will see it too. */
void vh_send_some(struct vh_qp_priv *priv)
{
	struct rvt_qp *sqp = priv->qp;
	bool out;

	rcu_read_lock();
	spin_lock_irq(&sqp->s_lock);
	out = vh_goes_out(sqp);
	/*
	 * RVT_S_TIMER: waiting to try again a peer that could not be reached;
	 * towards another guest it waits for an ACK, and may send on.
	 */
	if ((sqp->s_flags & (RVT_S_BUSY | RVT_S_ANY_WAIT)) ||
	    (!out && (sqp->s_flags & RVT_S_TIMER)) ||
	    !(ib_rvt_state_ops[sqp->state] & RVT_PROCESS_OR_FLUSH_SEND))
		goto unlock;
	sqp->s_flags |= RVT_S_BUSY;	/* the entry at s_last is ours */
	if (out)
		vh_requester_work(priv);
	/* also what an error out there leaves to be flushed */
	if (!vh_goes_out(sqp))
		vh_send_here(priv);
	sqp->s_flags &= ~RVT_S_BUSY;
unlock:
	spin_unlock_irq(&sqp->s_lock);
	rcu_read_unlock();
}

void vh_send_work(struct work_struct *w)
{
	vh_send_some(container_of(w, struct vh_qp_priv, work));
}
