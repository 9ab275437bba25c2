// SPDX-License-Identifier: GPL-2.0-only
/*
 * The responder towards requesters in other guests: puts fragments in PSN
 * order, does the request when its last one is there (vhca_execute.c), and
 * answers.  All in softirq context, under the QP's r_lock; what is to be sent
 * is made under the lock and leaves after it.
 *
 * PSNs are rdmavt's: qp->r_psn is the one expected next, and every fragment
 * takes as many as it has packets of the path MTU.  A READ takes those of its
 * answer (IBA 9.7.3), and may be asked again for a part that was lost.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/slab.h>
#include "vhca_wire.h"

/* One fragment that came in, and what goes back. */
struct vh_arrival {
	struct vh_wire_in *in;
	struct vh_wire_request body;
	struct vh_port *dp;
	struct rvt_qp *qp;
	bool uc;
	u32 len, off;			/* of the message, of this fragment */
	struct vh_wire_ack ack;		/* kind ACK_NONE: none */
	u32 ack_psn;
	struct sk_buff_head out;
};

void vh_responder_reset(struct vh_qp_priv *priv)
{
	struct vh_responder *rsp = &priv->rsp;

	__skb_queue_purge(&rsp->parts);
	rsp->len = 0;
	rsp->nak_sent = false;
	rsp->next_atomic = 0;
	memset(rsp->atomics, 0xff, sizeof(rsp->atomics));	/* no such PSN */
}

static void vh_drop_parts(struct vh_responder *rsp)
{
	__skb_queue_purge(&rsp->parts);
	rsp->len = 0;
}

static u32 vh_packets_of(struct vh_arrival *a, u32 len)
{
	return len ? DIV_ROUND_UP(len, a->qp->pmtu) : 1;
}

static void vh_set_ack(struct vh_arrival *a, enum vh_ack_kind kind, u8 value)
{
	a->ack.kind = kind;
	a->ack.value = value;
	a->ack_psn = a->qp->r_psn;
}

static void vh_set_address(struct vh_arrival *a, struct sk_buff *skb, u32 psn)
{
	vh_wire_address(skb, a->dp->lid, a->in->slid, a->in->dst_qpn,
			a->in->src_qpn, psn);
}

/* A part of an answer; lost if there is no memory, and then asked again. */
static void vh_add_data(struct vh_arrival *a, struct sk_buff *skb, u32 psn)
{
	if (!skb)
		return;
	vh_set_address(a, skb, psn);
	__skb_queue_tail(&a->out, skb);
}

static void vh_answer_read(struct vh_arrival *a, struct vh_conn *c)
{
	u32 psn = a->in->psn, left = c->rq->len, len;
	struct sk_buff *skb;

	do {
		len = min(left, VH_FRAGMENT);
		skb = vh_wire_new(WIRE_DATA, 0, NULL, 0, len);
		/* with or without: the reference in c->remote goes with it */
		if (skb)
			vh_wire_fill(skb, &c->remote, len, true);
		else
			rvt_skip_sge(&c->remote, len, true);
		vh_count(&a->dp->tx, len, a->qp->pmtu, false);
		vh_add_data(a, skb, psn);
		psn += vh_packets_of(a, len);
		left -= len;
	} while (left);
}

static void vh_answer_atomic(struct vh_arrival *a, u64 old)
{
	__be64 data = cpu_to_be64(old);

	vh_count(&a->dp->tx, sizeof(old), a->qp->pmtu, false);
	vh_add_data(a, vh_wire_new(WIRE_DATA, 0, &data, sizeof(data), 0),
		    a->in->psn);
}

static void vh_save_atomic(struct vh_responder *rsp, u32 psn, u64 old)
{
	rsp->atomics[rsp->next_atomic].psn = psn;
	rsp->atomics[rsp->next_atomic].old = old;
	rsp->next_atomic = (rsp->next_atomic + 1) % VH_SAVED_ATOMICS;
}

static enum vh_rsp vh_do_request(struct vh_arrival *a, struct vh_conn *c)
{
	struct vh_responder *rsp = &((struct vh_qp_priv *)a->qp->priv)->rsp;
	enum vh_rsp r = vh_respond(c);

	if (r == RSP_OK && c->rq->opcode == IB_WR_RDMA_READ)
		vh_answer_read(a, c);
	else if (r == RSP_OK && vh_asks(c->rq->opcode)) {
		vh_save_atomic(rsp, a->in->psn, c->old);
		vh_answer_atomic(a, c->old);
	}
	return r;
}

static enum vh_rsp vh_perform(struct vh_arrival *a)
{
	struct vh_responder *rsp = &((struct vh_qp_priv *)a->qp->priv)->rsp;
	struct vh_request rq = {
		.opcode = a->body.opcode,
		.slid = a->in->slid,
		.solicited = a->in->head.flags & WIRE_SOLICITED,
		.len = a->len,
		.addr = be64_to_cpu(a->body.addr),
		.rkey = be32_to_cpu(a->body.rkey),
		.imm = a->body.imm,
		.compare_add = be64_to_cpu(a->body.compare_add),
		.swap = be64_to_cpu(a->body.swap),
	};
	struct vh_conn c = {
		.rq = &rq,
		.qp = a->qp,
		.dp = a->dp,
		.parts = &rsp->parts,
	};
	enum vh_rsp r = vh_do_request(a, &c);

	if (r == RSP_ERR)
		vh_set_ack(a, ACK_ERROR, c.st);
	else if (r == RSP_RNR)
		vh_set_ack(a, ACK_RNR, a->qp->r_min_rnr_timer);
	return r;
}

/* A request that was seen before: its answer was lost, or is late. */
static void vh_duplicate(struct vh_arrival *a)
{
	struct vh_responder *rsp = &((struct vh_qp_priv *)a->qp->priv)->rsp;
	int i;

	if (a->body.opcode == IB_WR_RDMA_READ) {
		vh_perform(a);		/* reading twice does no harm */
	} else if (vh_asks(a->body.opcode)) {
		for (i = 0; i < VH_SAVED_ATOMICS; i++)
			if (rsp->atomics[i].psn == a->in->psn)
				vh_answer_atomic(a, rsp->atomics[i].old);
	} else if (a->in->head.flags & WIRE_ASK) {
		vh_set_ack(a, ACK_POSITIVE, 0);
	}
}

/* One was lost.  UC loses the message; RC asks for it, but once. */
static bool vh_gap(struct vh_arrival *a)
{
	struct vh_responder *rsp = &((struct vh_qp_priv *)a->qp->priv)->rsp;

	if (a->uc) {
		vh_drop_parts(rsp);
		a->qp->r_psn = a->in->psn;
		return a->off == 0;	/* the next message is as good */
	}
	if (!rsp->nak_sent)
		vh_set_ack(a, ACK_SEQUENCE, 0);
	rsp->nak_sent = true;
	return false;
}

/* The fragment that was expected. */
static void vh_in_order(struct vh_arrival *a)
{
	struct vh_responder *rsp = &((struct vh_qp_priv *)a->qp->priv)->rsp;
	bool asks = vh_asks(a->body.opcode);
	struct sk_buff *skb = a->in->skb;
	u32 n = vh_packets_of(a, asks ? a->len : skb->len);

	if (a->off > a->len || (asks && skb->len) ||
	    (!asks && (a->off != rsp->len || skb->len > a->len - a->off)))
		return;			/* not what our requester sends */
	vh_count(&a->dp->rx, skb->len, a->qp->pmtu, false);
	if (!asks) {
		rsp->len += skb->len;
		__skb_queue_tail(&rsp->parts, skb);
		a->in->skb = NULL;
	}
	if (asks || rsp->len == a->len) {
		switch (vh_perform(a)) {
		case RSP_OK:
			vh_drop_parts(rsp);
			break;
		case RSP_RNR:
			/* all but this one stays; UC loses the message */
			if (a->uc) {
				vh_drop_parts(rsp);
				break;
			}
			rsp->len -= skb->len;
			__skb_unlink(skb, &rsp->parts);
			kfree_skb(skb);
			rsp->nak_sent = true;	/* what follows is out of order */
			return;
		case RSP_ERR:
			vh_drop_parts(rsp);
			return;
		}
	}
	rsp->nak_sent = false;
	a->qp->r_psn = (a->qp->r_psn + n) & 0xffffff;
	if (a->in->head.flags & WIRE_ASK)
		vh_set_ack(a, ACK_POSITIVE, 0);
}

/* r_lock held. */
static void vh_take_fragment(struct vh_arrival *a)
{
	s32 order;

	if (!vh_heard(a->dp, a->qp, a->in->slid, a->in->src_qpn))
		return;
	if (a->len > (vh_asks(a->body.opcode) ? VH_READ : VH_MAX_MSG))
		return;			/* not what our requester sends */
	order = vh_cmp_psn(a->in->psn, a->qp->r_psn);
	if (order < 0 && !a->uc)
		vh_duplicate(a);
	else if (order == 0 || vh_gap(a))
		vh_in_order(a);
}

static bool vh_find_responder(struct vh_arrival *a)
{
	struct vh_wire_in *in = a->in;

	if (!vh_wire_take(in, &a->body, sizeof(a->body)))
		return false;
	a->len = be32_to_cpu(a->body.len);
	a->off = be32_to_cpu(a->body.off);
	a->uc = in->head.flags & WIRE_UC;
	a->dp = vh_port_by_lid(in->dlid);
	a->qp = a->dp ? vh_find_qp(a->dp, in->dst_qpn) : NULL;
	return a->qp &&
		a->qp->ibqp.qp_type == (a->uc ? IB_QPT_UC : IB_QPT_RC) &&
		vh_pkey_match(be16_to_cpu(a->body.pkey),
			      a->dp->pkeys[a->qp->s_pkey_index]);
}

/* A fragment of a request.  Softirq, RCU read side. */
void vh_responder_request(struct vh_wire_in *in)
{
	struct vh_arrival a = { .in = in };
	struct sk_buff *skb;
	unsigned long flags;

	__skb_queue_head_init(&a.out);
	if (!vh_find_responder(&a))
		return;
	spin_lock_irqsave(&a.qp->r_lock, flags);
	vh_take_fragment(&a);
	spin_unlock_irqrestore(&a.qp->r_lock, flags);

	if (a.ack.kind != ACK_NONE && !a.uc) {
		skb = vh_wire_new(WIRE_ACK, 0, &a.ack, sizeof(a.ack), 0);
		vh_add_data(&a, skb, a.ack_psn);
	}
	while ((skb = __skb_dequeue(&a.out)))
		vh_wire_send(in->head.guest, skb);
}
