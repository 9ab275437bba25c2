/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What travels between guests, each in one UDP datagram.  All guests run the
 * same build of this module, so there is a version to refuse others by and no
 * negotiation.  Numbers are big endian; P_Keys, PSNs and opcodes mean what they
 * mean in the verbs API.
 */
#ifndef VHCA_WIRE_H
#define VHCA_WIRE_H

#include <linux/skbuff.h>
#include "vhca.h"

#define VH_WIRE_MAGIC	0x76686361	/* "vhca" */
#define VH_WIRE_VERSION	2
#define VH_WIRE_PORT	18551		/* UDP, both sides */

/*
 * Payload of one datagram: a multiple of every path MTU, so that a fragment of
 * a message begins with a packet and has a PSN.
 */
#define VH_FRAGMENT	32768u
/* One READ request asks for so much, so that no answer overruns the link. */
#define VH_READ		(4 * VH_FRAGMENT)

enum vh_wire_type {
	WIRE_HELLO = 1,			/* who I am, my ports */
	WIRE_DATAGRAM,			/* UD, QP0, QP1 */
	WIRE_REQUEST,			/* RC and UC: a fragment of a request */
	WIRE_ACK,			/* of requests */
	WIRE_DATA,			/* what a READ or an atomic asked for */
	WIRE_FRAME,			/* of Ethernet */
};

struct vh_wire_head {
	__be32 magic;
	u8 version;
	u8 type;
	u8 guest;			/* the sender */
	u8 flags;			/* enum vh_wire_flags */
	__be16 slid, dlid;
	__be32 src_qpn, dst_qpn;
	__be32 psn;			/* of the first packet in it */
} __packed;

enum vh_wire_flags {
	WIRE_SOLICITED = 1,
	WIRE_ASK = 2,			/* the responder is to send an ACK */
	WIRE_GRH = 4,
	WIRE_IMM = 8,
	WIRE_UC = 16,
	WIRE_ROCE = 32,
};

/* Behind the head of a WIRE_HELLO; vh_wire_port and vh_far_gid follow. */
struct vh_wire_hello {
	__be64 nonce;			/* another one each time it is loaded */
	__be32 sm;			/* vh_sm_generation() */
	__be32 nports, ngids;
} __packed;

struct vh_wire_port {
	__be16 lid;
	u8 state;
	u8 pad;
	__be64 guid, prefix;
	__be16 pkeys[VH_NPKEYS];
} __packed;

struct vh_wire_datagram {
	__be16 pkey;
	u8 sl;
	u8 pad;
	__be32 qkey, imm;
	struct ib_grh grh;
	__be16 vlan;			/* the path's */
	struct vh_path path;		/* RoCE */
} __packed;

struct vh_wire_frame {
	__be16 tci;
} __packed;

struct vh_wire_request {
	u8 opcode;			/* enum ib_wr_opcode */
	u8 pad;
	__be16 pkey;
	__be32 len, off;		/* of the message, of this fragment */
	__be64 addr;
	__be32 rkey, imm;
	__be64 compare_add, swap;
} __packed;

enum vh_ack_kind {
	ACK_NONE,
	ACK_POSITIVE,			/* everything before psn has arrived */
	ACK_SEQUENCE,			/* ... and then one is missing */
	ACK_RNR,			/* no receive buffer; value: timer code */
	ACK_ERROR,			/* psn failed; value: enum ib_wc_status */
};

struct vh_wire_ack {
	u8 kind;
	u8 value;
} __packed;

/* A received datagram: its head, and the rest with the head taken off. */
struct vh_wire_in {
	struct vh_wire_head head;
	u16 slid, dlid;
	u32 src_qpn, dst_qpn, psn;
	struct sk_buff *skb;
};

static inline s32 vh_cmp_psn(u32 a, u32 b)
{
	return rvt_cmp_msn(a, b);	/* 24 bits, as MSNs */
}

struct sk_buff *vh_wire_new(enum vh_wire_type type, u8 flags,
			    const void *body, u32 body_len, u32 payload);
void vh_wire_address(struct sk_buff *skb, u16 slid, u16 dlid, u32 src_qpn,
		     u32 dst_qpn, u32 psn);
void vh_wire_fill(struct sk_buff *skb, struct rvt_sge_state *ss, u32 len,
		  bool release);
bool vh_wire_send(int guest, struct sk_buff *skb);
bool vh_wire_take(struct vh_wire_in *in, void *body, u32 len);

/* vhca_requester.c */
void vh_requester_ack(struct vh_wire_in *in);
void vh_requester_data(struct vh_wire_in *in);

/* vhca_respond.c */
void vh_responder_request(struct vh_wire_in *in);

#endif
