// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connected service between HCAs of this kernel (RC, and UC which loses where
 * RC reports): the requester's work item does the responder's part too, in one
 * go, with the responder's r_lock held and none of its own.  So a QP connected
 * to itself cannot deadlock, and no packets, PSNs or ACKs are needed.  What the
 * wire would do is kept: RNR NAK and time-out retries with the QP's own counts
 * and timers.  Peers in other guests: vhca_requester.c.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca.h"

/* A peer was not ready: wait as its timer code says.  s_lock held. */
enum vh_result vh_rnr(struct rvt_qp *sqp, u8 timer, enum ib_wc_status *st)
{
	lockdep_assert_held(&sqp->s_lock);
	to_vport(sqp->ibqp.device, sqp->port_num)->rvp.n_rnr_naks++;
	if (!sqp->s_rnr_retry) {
		*st = IB_WC_RNR_RETRY_EXC_ERR;
		return VH_FAIL;
	}
	if (sqp->s_rnr_retry_cnt < 7)		/* 7: for ever */
		sqp->s_rnr_retry--;
	/* not when a modify to the error state came in between */
	if (ib_rvt_state_ops[sqp->state] & RVT_PROCESS_RECV_OK)
		rvt_add_rnr_timer(sqp, timer << IB_AETH_CREDIT_SHIFT);
	else
		vh_send_kick(sqp->priv);
	return VH_WAIT;
}

/*
 * Nobody answered (port down, QP gone or not ours, other partition): one try
 * less, so that a short loss of link is survived as on real hardware.  s_lock
 * held.
 */
enum vh_result vh_retry(struct rvt_qp *sqp, enum ib_wc_status *st)
{
	lockdep_assert_held(&sqp->s_lock);
	if (!sqp->s_retry) {
		*st = IB_WC_RETRY_EXC_ERR;
		return VH_FAIL;
	}
	if (sqp->timeout)			/* 0: for ever */
		sqp->s_retry--;
	return VH_WAIT;
}

static enum vh_result vh_lost(struct rvt_qp *sqp, enum ib_wc_status *st)
{
	enum vh_result r;

	spin_lock_irq(&sqp->s_lock);
	to_vport(sqp->ibqp.device, sqp->port_num)->rvp.n_pkt_drops++;
	r = vh_retry(sqp, st);
	if (r == VH_WAIT) {
		if (ib_rvt_state_ops[sqp->state] & RVT_PROCESS_RECV_OK)
			rvt_add_retry_timer(sqp);
		else
			vh_send_kick(sqp->priv);
	}
	spin_unlock_irq(&sqp->s_lock);
	return r;
}

static enum vh_result vh_not_ready(struct rvt_qp *sqp, u8 timer,
				   enum ib_wc_status *st)
{
	enum vh_result r;

	spin_lock_irq(&sqp->s_lock);
	r = vh_rnr(sqp, timer, st);
	spin_unlock_irq(&sqp->s_lock);
	return r;
}

/* The responder, or NULL if the fabric would not bring us to it. */
static struct rvt_qp *vh_find_peer(struct rvt_qp *sqp, struct vh_port *sp,
				   struct vh_port **dp)
{
	struct rvt_qp *qp;

	*dp = vh_port_by_lid(vh_peer_lid(sqp));
	if (!*dp || sp->state != IB_PORT_ACTIVE)
		return NULL;
	qp = vh_find_qp(*dp, sqp->remote_qpn);
	if (!qp || qp->ibqp.qp_type != sqp->ibqp.qp_type ||
	    !vh_pkey_match(sp->pkeys[sqp->s_pkey_index],
			   (*dp)->pkeys[qp->s_pkey_index]))
		return NULL;
	return qp;
}

/* One RC or UC request.  RCU read side, no locks held, sqp is BUSY. */
enum vh_result vh_rc_send(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			  enum ib_wc_status *st)
{
	bool rc = sqp->ibqp.qp_type == IB_QPT_RC;
	struct vh_port *sp = to_vport(sqp->ibqp.device, sqp->port_num);
	struct rvt_sge_state local = {
		.sge = wqe->sg_list[0],
		.sg_list = wqe->sg_list + 1,
		.num_sge = wqe->wr.num_sge,
	};
	struct vh_request rq;
	struct vh_conn c = { .rq = &rq, .sp = sp, .local = &local };
	enum vh_rsp rsp = RSP_OK;
	bool heard = false;

	vh_make_request(sqp, wqe, &rq);
	c.qp = vh_find_peer(sqp, sp, &c.dp);
	if (c.qp) {
		spin_lock_irq(&c.qp->r_lock);
		heard = vh_heard(c.dp, c.qp, sp->lid, sqp->ibqp.qp_num);
		if (heard)
			rsp = vh_respond(&c);
		spin_unlock_irq(&c.qp->r_lock);
	}
	if (!rc) {
		if (!heard)
			sp->rvp.n_pkt_drops++;
		return VH_DONE;
	}
	if (!heard)
		return vh_lost(sqp, st);
	if (rsp == RSP_RNR)
		return vh_not_ready(sqp, c.qp->r_min_rnr_timer, st);
	if (rsp == RSP_ERR) {
		*st = c.st;
		return VH_FAIL;
	}
	return VH_DONE;
}
