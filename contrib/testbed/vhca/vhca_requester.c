// SPDX-License-Identifier: GPL-2.0-only
/*
 * The requester towards responders in other guests: go-back-N over rdmavt's
 * PSNs.  All of it runs in the send engine (vhca_send.c); softirq context only
 * notes what an ACK said, or queues the data of a READ, and starts the engine.
 *
 * Work requests from s_last up to priv->req.wqe are under way.  Up to VH_WINDOW
 * octets are, and the last fragment asks for an ACK.  READs and atomics go alone:
 * after all before them is acknowledged, and nothing before their data is here.
 * A READ is asked for in pieces of VH_READ.
 *
 * UC is the same without ACKs: done when sent.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include "vhca_wire.h"

#define VH_WINDOW	(8 * VH_FRAGMENT)
#define VH_WINDOW_PSNS	64u		/* at least, for small messages */
/*
 * The shortest ACK time-out.  Real HCAs have one too; here a guest that waits for
 * its turn on the host must not use up the retries.
 */
#define VH_MIN_TIMEOUT	(HZ / 2)

static bool vh_is_uc(struct rvt_qp *qp)
{
	return qp->ibqp.qp_type == IB_QPT_UC;
}

void vh_requester_reset(struct vh_qp_priv *priv)
{
	struct vh_requester *req = &priv->req;

	__skb_queue_purge(&req->data);
	priv->guest = -1;
	req->wqe = 0;
	req->off = 0;
	req->reading = false;
	req->expired = false;
	req->ss_valid = false;
	req->ack.kind = ACK_NONE;
	req->nak.kind = ACK_NONE;
}

/* ---- notes, in softirq context ---- */

/* The QP that something is for.  RCU read side. */
static struct rvt_qp *vh_find_requester(struct vh_wire_in *in)
{
	struct vh_port *p = vh_port_by_lid(in->dlid);
	struct rvt_qp *qp = p ? vh_find_qp(p, in->dst_qpn) : NULL;

	if (!qp || qp->ibqp.qp_type != IB_QPT_RC ||
	    vh_peer_lid(qp) != in->slid || qp->remote_qpn != in->src_qpn)
		return NULL;
	return qp;
}

void vh_requester_ack(struct vh_wire_in *in)
{
	struct rvt_qp *qp = vh_find_requester(in);
	struct vh_wire_ack body;
	struct vh_answer answer;
	struct vh_requester *req;
	unsigned long flags;

	if (!qp || !vh_wire_take(in, &body, sizeof(body)))
		return;
	answer = (struct vh_answer){
		.kind = body.kind,
		.value = body.value,
		.psn = in->psn,
	};
	req = &((struct vh_qp_priv *)qp->priv)->req;
	spin_lock_irqsave(&qp->s_lock, flags);
	if (answer.kind == ACK_POSITIVE) {
		if (req->ack.kind == ACK_NONE ||
		    vh_cmp_psn(answer.psn, req->ack.psn) > 0)
			req->ack = answer;
	} else {
		req->nak = answer;
	}
	spin_unlock_irqrestore(&qp->s_lock, flags);
	vh_send_kick(qp->priv);
}

void vh_requester_data(struct vh_wire_in *in)
{
	struct rvt_qp *qp = vh_find_requester(in);
	struct vh_requester *req;
	unsigned long flags;

	if (!qp)
		return;
	req = &((struct vh_qp_priv *)qp->priv)->req;
	spin_lock_irqsave(&qp->s_lock, flags);
	/* more than was asked for at once is not ours */
	if (req->reading && skb_queue_len(&req->data) < 2 * VH_READ / VH_FRAGMENT) {
		*(u32 *)in->skb->cb = in->psn;
		__skb_queue_tail(&req->data, in->skb);
		in->skb = NULL;
	}
	spin_unlock_irqrestore(&qp->s_lock, flags);
	vh_send_kick(qp->priv);
}

/* The retry timer ran out, of whatever peer; s_lock is held. */
void vh_requester_expired(struct rvt_qp *qp)
{
	((struct vh_qp_priv *)qp->priv)->req.expired = true;
}

/* ---- the engine; s_lock held unless said otherwise ---- */

static void vh_start_timer(struct rvt_qp *qp)
{
	rvt_mod_retry_timer(qp);
	if (qp->timeout_jiffies < VH_MIN_TIMEOUT)
		mod_timer(&qp->s_timer, jiffies + VH_MIN_TIMEOUT);
}

static void vh_stop_timer(struct rvt_qp *qp)
{
	if (qp->s_flags & RVT_S_TIMER) {
		qp->s_flags &= ~RVT_S_TIMER;
		del_timer(&qp->s_timer);
	}
}

static bool vh_may_send(struct rvt_qp *qp)
{
	return !(qp->s_flags & RVT_S_ANY_WAIT) &&
		(ib_rvt_state_ops[qp->state] & RVT_PROCESS_NEXT_SEND_OK);
}

static bool vh_under_way(struct rvt_qp *qp, struct vh_requester *req)
{
	return qp->s_last != req->wqe || req->off || req->reading;
}

/* Something went through: all retries are there again. */
static void vh_progress(struct rvt_qp *qp)
{
	qp->s_retry = qp->s_retry_cnt;
	qp->s_rnr_retry = qp->s_rnr_retry_cnt;
}

static u32 vh_psn_at(struct rvt_qp *qp, struct rvt_swqe *wqe, u32 off)
{
	return (wqe->psn + off / qp->pmtu) & 0xffffff;
}

/* Send again from that PSN on, one of those from req->acked to req->sent. */
static void vh_go_back(struct rvt_qp *qp, struct vh_requester *req, u32 psn)
{
	struct rvt_swqe *wqe;
	u32 i = qp->s_last;

	while (i != req->wqe) {
		wqe = rvt_get_swqe_ptr(qp, i);
		if (vh_cmp_psn(psn, wqe->lpsn) <= 0)
			break;
		i = rvt_qp_swqe_incr(qp, i);
	}
	if (i == qp->s_head) {		/* nothing is left to send again */
		req->off = 0;
	} else {
		wqe = rvt_get_swqe_ptr(qp, i);
		req->off = ((psn - wqe->psn) & 0xffffff) * qp->pmtu;
	}
	req->wqe = i;
	req->ss_valid = false;
	req->reading = false;
}

/* Complete what is at s_last.  Drops and takes s_lock. */
static void vh_finish(struct rvt_qp *qp, struct vh_requester *req,
		      enum vh_result r, enum ib_wc_status st)
{
	struct rvt_swqe *wqe = rvt_get_swqe_ptr(qp, qp->s_last);
	bool at_it = req->wqe == qp->s_last;

	if (at_it) {			/* it was the one being sent */
		req->wqe = rvt_qp_swqe_incr(qp, req->wqe);
		req->off = 0;
		req->ss_valid = false;
	}
	spin_unlock_irq(&qp->s_lock);
	vh_complete(qp, wqe, r, st);
	spin_lock_irq(&qp->s_lock);
}

static void vh_fail(struct rvt_qp *qp, struct vh_requester *req,
		    enum ib_wc_status st)
{
	vh_stop_timer(qp);
	if (qp->s_last != qp->s_head)
		vh_finish(qp, req, VH_FAIL, st);
}

/* Everything before psn has arrived: complete it. */
static void vh_acknowledged(struct rvt_qp *qp, struct vh_requester *req, u32 psn)
{
	struct rvt_swqe *wqe;

	if (!vh_under_way(qp, req) || vh_cmp_psn(psn, req->acked) <= 0 ||
	    vh_cmp_psn(psn, req->sent) > 0)
		return;			/* old news, or of another life */
	req->acked = psn;
	vh_progress(qp);
	while (qp->s_last != req->wqe && vh_may_send(qp)) {
		wqe = rvt_get_swqe_ptr(qp, qp->s_last);
		if (vh_asks(wqe->wr.opcode) || vh_cmp_psn(wqe->lpsn, psn) >= 0)
			break;
		vh_finish(qp, req, VH_DONE, IB_WC_SUCCESS);
	}
	if (vh_under_way(qp, req))
		vh_start_timer(qp);
	else
		vh_stop_timer(qp);
}

/* True if what may be sent must be looked at again. */
static bool vh_refused(struct rvt_qp *qp, struct vh_requester *req,
		       struct vh_answer nak)
{
	enum ib_wc_status st;

	if (!vh_under_way(qp, req) || vh_cmp_psn(nak.psn, req->acked) < 0 ||
	    vh_cmp_psn(nak.psn, req->sent) >= 0)
		return false;		/* old news, or of another life */
	vh_acknowledged(qp, req, nak.psn);
	if (!vh_under_way(qp, req))
		return false;
	switch (nak.kind) {
	case ACK_SEQUENCE:
		vh_go_back(qp, req, nak.psn);
		return false;
	case ACK_RNR:
		vh_stop_timer(qp);
		vh_go_back(qp, req, nak.psn);
		if (vh_rnr(qp, nak.value & 0x1f, &st) == VH_WAIT)
			return true;
		vh_fail(qp, req, st);
		return true;
	case ACK_ERROR:
		vh_fail(qp, req, nak.value);
		return true;
	}
	return false;
}

static void vh_timed_out(struct rvt_qp *qp, struct vh_requester *req)
{
	enum ib_wc_status st;

	if (!vh_under_way(qp, req))
		return;
	to_vport(qp->ibqp.device, qp->port_num)->rvp.n_pkt_drops++;
	if (vh_retry(qp, &st) == VH_FAIL)
		vh_fail(qp, req, st);
	else
		vh_go_back(qp, req, req->acked);
}

/* A piece of a READ, or an atomic's old value, in its place.  No locks. */
static bool vh_copy_data(struct rvt_qp *qp, struct rvt_swqe *wqe, u32 off,
			 struct sk_buff *skb)
{
	struct rvt_sge_state ss = {
		.sge = wqe->sg_list[0],
		.sg_list = wqe->sg_list + 1,
		.num_sge = wqe->wr.num_sge,
	};
	struct skb_seq_state seq;
	const u8 *data;
	u32 at, n;

	if (wqe->wr.opcode != IB_WR_RDMA_READ) {
		__be64 old;

		if (skb->len != sizeof(old))
			return false;
		skb_copy_bits(skb, 0, &old, sizeof(old));
		*(u64 *)ss.sge.vaddr = be64_to_cpu(old);
		return true;
	}
	rvt_skip_sge(&ss, off, false);
	skb_prepare_seq_read(skb, 0, skb->len, &seq);
	for (at = 0; (n = skb_seq_read(at, &data, &seq)); at += n)
		rvt_copy_sge(qp, &ss, (void *)data, n, false, false);
	return true;
}

/* What READs brought.  Drops and takes s_lock. */
static void vh_take_data(struct rvt_qp *qp, struct vh_requester *req)
{
	struct vh_port *p = to_vport(qp->ibqp.device, qp->port_num);
	struct rvt_swqe *wqe;
	struct sk_buff *skb;
	bool ok;
	u32 psn;

	while ((skb = __skb_dequeue(&req->data))) {
		psn = *(u32 *)skb->cb;
		wqe = rvt_get_swqe_ptr(qp, qp->s_last);
		if (!req->reading || psn != vh_psn_at(qp, wqe, req->off) ||
		    skb->len > wqe->length - req->off) {
			kfree_skb(skb);
			continue;
		}
		spin_unlock_irq(&qp->s_lock);
		ok = vh_copy_data(qp, wqe, req->off, skb);
		vh_count(&p->rx, skb->len, qp->pmtu, false);
		spin_lock_irq(&qp->s_lock);
		if (ok) {
			req->off += skb->len;
			req->acked = vh_psn_at(qp, wqe, req->off);
			vh_progress(qp);
			if (req->off == wqe->length) {
				req->acked = (wqe->lpsn + 1) & 0xffffff;
				req->reading = false;
				vh_stop_timer(qp);
				vh_finish(qp, req, VH_DONE, IB_WC_SUCCESS);
			} else if (req->off % VH_READ == 0) {
				req->reading = false;	/* ask for more */
			} else {
				vh_start_timer(qp);
			}
		}
		kfree_skb(skb);
	}
}

/* In PSNs. */
static u32 vh_window(struct rvt_qp *qp)
{
	return max(VH_WINDOW_PSNS, VH_WINDOW / qp->pmtu);
}

/* After all before it is done, and before anything behind it is begun. */
static bool vh_goes_alone(struct rvt_swqe *wqe)
{
	return vh_asks(wqe->wr.opcode) || vh_is_local(wqe);
}

/* May the entry at req->wqe be sent on now? */
static struct rvt_swqe *vh_next_to_send(struct rvt_qp *qp,
					struct vh_requester *req)
{
	struct rvt_swqe *wqe;
	u32 away;

	/* pairs with smp_wmb() in rvt_post_one_wr(): the entry is complete */
	if (req->wqe == smp_load_acquire(&qp->s_head) || req->reading)
		return NULL;
	wqe = rvt_get_swqe_ptr(qp, req->wqe);
	if (req->wqe == qp->s_last) {
		if (!req->off) {
			if (!vh_is_local(wqe))
				req->acked = req->asked = req->sent =
					wqe->psn & 0xffffff;
			return wqe;
		}
	} else if (vh_goes_alone(wqe)) {
		return NULL;
	}
	away = (vh_psn_at(qp, wqe, req->off) - req->acked) & 0xffffff;
	return vh_is_uc(qp) || away < vh_window(qp) ? wqe : NULL;
}

/* Ask for an ACK at the end of what there is, and often enough before. */
static bool vh_must_ask(struct rvt_qp *qp, struct vh_requester *req,
			u32 next_psn, bool last)
{
	struct rvt_swqe *wqe;
	u32 i;

	if (((next_psn - req->asked) & 0xffffff) >= vh_window(qp) / 2)
		return true;
	if (!last)
		return false;
	i = rvt_qp_swqe_incr(qp, req->wqe);
	if (i == smp_load_acquire(&qp->s_head))
		return true;
	wqe = rvt_get_swqe_ptr(qp, i);	/* which waits for this one */
	return vh_goes_alone(wqe);
}

static struct sk_buff *vh_make_fragment(struct rvt_qp *qp,
					struct vh_requester *req,
					struct rvt_swqe *wqe, u32 len, u8 flags)
{
	struct vh_port *p = to_vport(qp->ibqp.device, qp->port_num);
	bool asks = vh_asks(wqe->wr.opcode);
	struct vh_wire_request body = {};
	struct vh_request rq;
	struct sk_buff *skb;

	vh_make_request(qp, wqe, &rq);
	body.opcode = rq.opcode;
	body.pkey = cpu_to_be16(p->pkeys[qp->s_pkey_index]);
	/* a READ is asked for piece by piece, each a request of its own */
	body.len = cpu_to_be32(asks ? len : rq.len);
	body.off = cpu_to_be32(asks ? 0 : req->off);
	body.addr = cpu_to_be64(asks ? rq.addr + req->off : rq.addr);
	body.rkey = cpu_to_be32(rq.rkey);
	body.imm = rq.imm;
	body.compare_add = cpu_to_be64(rq.compare_add);
	body.swap = cpu_to_be64(rq.swap);
	if (rq.solicited)
		flags |= WIRE_SOLICITED;
	if (vh_is_uc(qp))
		flags |= WIRE_UC;
	skb = vh_wire_new(WIRE_REQUEST, flags, &body, sizeof(body),
			  asks ? 0 : len);
	if (!skb)
		return NULL;
	vh_wire_address(skb, p->lid, vh_peer_lid(qp), qp->ibqp.qp_num,
			qp->remote_qpn, vh_psn_at(qp, wqe, req->off));
	if (!asks) {
		if (!req->ss_valid) {
			req->ss = (struct rvt_sge_state){
				.sge = wqe->sg_list[0],
				.sg_list = wqe->sg_list + 1,
				.num_sge = wqe->wr.num_sge,
			};
			rvt_skip_sge(&req->ss, req->off, false);
			req->ss_valid = true;
		}
		vh_wire_fill(skb, &req->ss, len, false);
	}
	return skb;
}

/* One fragment leaves.  Drops and takes s_lock. */
static void vh_send_fragment(struct rvt_qp *qp, struct vh_requester *req,
			     struct rvt_swqe *wqe)
{
	struct vh_port *p = to_vport(qp->ibqp.device, qp->port_num);
	bool asks = vh_asks(wqe->wr.opcode), last;
	/* READs end where they would have without a loss: see the responder */
	u32 len = min(wqe->length - req->off,
		      asks ? VH_READ - req->off % VH_READ : VH_FRAGMENT);
	struct sk_buff *skb;
	u32 next_psn;
	u8 flags = 0;

	last = req->off + len == wqe->length;
	next_psn = last ? (wqe->lpsn + 1) & 0xffffff :
		vh_psn_at(qp, wqe, req->off + len);
	if (!asks && !vh_is_uc(qp) && vh_must_ask(qp, req, next_psn, last)) {
		flags = WIRE_ASK;
		req->asked = next_psn;
	}
	req->reading = asks;		/* first: the answer may be quick */
	spin_unlock_irq(&qp->s_lock);
	skb = vh_make_fragment(qp, req, wqe, len, flags);
	/* a link that is down, or no memory: as lost on the way */
	if (skb && p->state == IB_PORT_ACTIVE) {
		vh_count(&p->tx, asks ? 0 : len, qp->pmtu, false);
		vh_wire_send(vh_guest_of(vh_peer_lid(qp)), skb);
	} else {
		kfree_skb(skb);
	}
	spin_lock_irq(&qp->s_lock);
	if (vh_cmp_psn(next_psn, req->sent) > 0)
		req->sent = next_psn;

	if (!asks) {
		req->off += len;
		if (last) {
			req->off = 0;
			req->ss_valid = false;
			req->wqe = rvt_qp_swqe_incr(qp, req->wqe);
		}
	}
	if (vh_is_uc(qp)) {
		if (last)
			vh_finish(qp, req, VH_DONE, IB_WC_SUCCESS);
	} else if (!(qp->s_flags & RVT_S_TIMER)) {
		vh_start_timer(qp);
	}
}

/* A local operation, all before it done.  Drops and takes s_lock. */
static void vh_do_local(struct rvt_qp *qp, struct vh_requester *req,
			struct rvt_swqe *wqe)
{
	enum ib_wc_status st = IB_WC_SUCCESS;
	enum vh_result r;

	spin_unlock_irq(&qp->s_lock);
	r = vh_local_op(qp, wqe, false, &st);
	spin_lock_irq(&qp->s_lock);
	vh_finish(qp, req, r, st);
}

static bool vh_noted(struct vh_requester *req)
{
	return req->ack.kind != ACK_NONE || req->nak.kind != ACK_NONE ||
		req->expired || !skb_queue_empty(&req->data);
}

/* RCU read side; s_lock held, RVT_S_BUSY set. */
void vh_requester_work(struct vh_qp_priv *priv)
{
	struct vh_requester *req = &priv->req;
	struct rvt_qp *qp = priv->qp;
	struct vh_answer ack, nak;
	struct rvt_swqe *wqe;
	int budget = 2 * VH_WINDOW_PSNS;

	while (vh_may_send(qp)) {
		ack = req->ack;
		nak = req->nak;
		req->ack.kind = ACK_NONE;
		req->nak.kind = ACK_NONE;
		if (ack.kind != ACK_NONE)
			vh_acknowledged(qp, req, ack.psn);
		if (nak.kind != ACK_NONE && vh_refused(qp, req, nak))
			continue;	/* if it may not go on, that ends it */
		vh_take_data(qp, req);
		if (req->expired) {
			req->expired = false;
			vh_timed_out(qp, req);
			continue;
		}
		wqe = vh_next_to_send(qp, req);
		if (!wqe && vh_noted(req))
			continue;	/* while the lock was not held */
		if (!wqe)
			break;
		if (!budget--) {
			vh_send_kick(priv);
			break;
		}
		if (vh_is_local(wqe))
			vh_do_local(qp, req, wqe);
		else
			vh_send_fragment(qp, req, wqe);
	}
}
