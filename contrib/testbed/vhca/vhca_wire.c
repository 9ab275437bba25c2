// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cable between guests: a UDP socket of the kernel, in the network namespace
 * that the module was loaded from, and what every guest knows of the others'
 * ports.
 *
 * Datagrams are taken in softirq context, right where the network stack has
 * them (as an UDP tunnel does), and left from wherever they are made: no
 * thread of this module competes with a rank that spins on its completion
 * queue.
 *
 * Every guest announces its ports once a second and on every change.  One that
 * is not heard for a while has left: its ports are off the fabric, and the SM
 * forgets their memberships.  When it comes back it has another nonce.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include "vhca_wire.h"

#define VH_HELLO_PERIOD	HZ
/* An emulated guest may stand still for seconds without being gone. */
#define VH_HELLO_LEASE	(10 * HZ)
#define VH_HEADROOM	(LL_MAX_HEADER + sizeof(struct iphdr) + \
			 sizeof(struct udphdr))
#define VH_TTL		1		/* never past the guests' own link */

int vh_guest;
module_param_named(guest, vh_guest, int, 0444);
MODULE_PARM_DESC(guest, "number of this guest on the fabric; 0 has the subnet manager (default 0)");

static char *peers[VH_MAX_GUESTS];
static int npeers;
module_param_array(peers, charp, &npeers, 0444);
MODULE_PARM_DESC(peers, "IPv4 addresses of the other guests (default none)");

static __be32 vh_peer_addrs[VH_MAX_GUESTS];
static struct net *vh_net;		/* where the cable is */
static struct socket *vh_sock;
static u64 vh_nonce;

/* The ports of another guest, as it last announced them.  Never changed. */
struct vh_table {
	struct rcu_head rcu;
	u32 nports, ngids;
	struct vh_far_gid *gids;	/* behind the ports */
	struct vh_end ports[];
};

static struct vh_neighbour {
	__be32 addr;			/* 0: never heard of */
	u64 nonce;			/* 0: not there */
	u32 sm;
	unsigned long heard;		/* jiffies */
	struct vh_table __rcu *table;
} vh_neighbours[VH_MAX_GUESTS];		/* written by vh_hello_work() only */

#define VH_TOLD_GIDS	1024		/* they go in one datagram, with the ports */

static struct sk_buff_head vh_hellos;
static unsigned long vh_told;		/* jiffies */
static bool vh_news;			/* the others do not know yet */

static void vh_hello_work(struct work_struct *w);
static DECLARE_DELAYED_WORK(vh_hello, vh_hello_work);

/* ---- out ---- */

/* A datagram with its head and body, and room for payload.  Or NULL. */
struct sk_buff *vh_wire_new(enum vh_wire_type type, u8 flags,
			    const void *body, u32 body_len, u32 payload)
{
	struct vh_wire_head head = {
		.magic = cpu_to_be32(VH_WIRE_MAGIC),
		.version = VH_WIRE_VERSION,
		.type = type,
		.guest = vh_guest,
		.flags = flags,
	};
	struct sk_buff *skb;
	int err;

	/* pages, as many as needed: no large contiguous piece in softirq */
	skb = alloc_skb_with_frags(VH_HEADROOM + sizeof(head) + body_len,
				   payload, 3, &err, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, VH_HEADROOM);
	skb_put_data(skb, &head, sizeof(head));
	skb_put_data(skb, body, body_len);
	skb->data_len = payload;
	skb->len += payload;
	return skb;
}

void vh_wire_address(struct sk_buff *skb, u16 slid, u16 dlid, u32 src_qpn,
		     u32 dst_qpn, u32 psn)
{
	struct vh_wire_head *head = (void *)skb->data;

	head->slid = cpu_to_be16(slid);
	head->dlid = cpu_to_be16(dlid);
	head->src_qpn = cpu_to_be32(src_qpn);
	head->dst_qpn = cpu_to_be32(dst_qpn);
	head->psn = cpu_to_be32(psn & 0xffffff);
}

/* The payload, which is the last len octets, from registered memory. */
void vh_wire_fill(struct sk_buff *skb, struct rvt_sge_state *ss, u32 len,
		  bool release)
{
	u32 at = skb->len - len, n;

	while (len) {
		n = rvt_get_sge_length(&ss->sge, len);
		skb_store_bits(skb, at, ss->sge.vaddr, n);
		rvt_update_sge(ss, n, release);
		at += n;
		len -= n;
	}
}

static void vh_wire_xmit(__be32 addr, struct sk_buff *skb)
{
	struct flowi4 fl = {
		.daddr = addr,
		.flowi4_proto = IPPROTO_UDP,
	};
	struct rtable *rt = ip_route_output_key(vh_net, &fl);

	if (IS_ERR(rt)) {		/* the link is down: as a pulled cable */
		kfree_skb(skb);
		return;
	}
	local_bh_disable();		/* the context of a network device */
	udp_tunnel_xmit_skb(rt, vh_sock->sk, skb, fl.saddr, addr, 0, VH_TTL, 0,
			    htons(VH_WIRE_PORT), htons(VH_WIRE_PORT), false,
			    true);
	local_bh_enable();
}

/* Takes the datagram.  No locks, interrupts on.  False: no such guest. */
bool vh_wire_send(int guest, struct sk_buff *skb)
{
	__be32 addr = 0;

	if (guest >= 0 && guest < VH_MAX_GUESTS && vh_sock)
		addr = READ_ONCE(vh_neighbours[guest].addr);
	if (!addr) {
		kfree_skb(skb);
		return false;
	}
	vh_wire_xmit(addr, skb);
	return true;
}

static struct sk_buff *vh_pack(const struct vh_pkt *pkt)
{
	struct vh_wire_datagram body = {
		.pkey = cpu_to_be16(pkt->pkey),
		.sl = pkt->sl,
		.qkey = cpu_to_be32(pkt->qkey),
		.imm = pkt->imm,
		.grh = pkt->grh,
		.vlan = cpu_to_be16(pkt->path.vlan),
		.path = pkt->path,
	};
	u8 flags = (pkt->roce ? WIRE_ROCE : 0) | (pkt->solicited ? WIRE_SOLICITED : 0) |
		(pkt->has_grh ? WIRE_GRH : 0) | (pkt->has_imm ? WIRE_IMM : 0);
	struct sk_buff *skb = vh_wire_new(WIRE_DATAGRAM, flags, &body,
					  sizeof(body), pkt->len);

	if (!skb)
		return NULL;
	vh_wire_address(skb, pkt->slid, pkt->dlid, pkt->src_qpn, pkt->dst_qpn,
			0);
	skb_store_bits(skb, skb->len - pkt->len, pkt->data, pkt->len);
	return skb;
}

bool vh_wire_datagram(int guest, const struct vh_pkt *pkt)
{
	struct sk_buff *skb = vh_pack(pkt);

	return skb && vh_wire_send(guest, skb);
}

/* To every other guest: who listens to a group is known over there. */
void vh_wire_flood(const struct vh_pkt *pkt)
{
	int guest;

	for (guest = 0; guest < VH_MAX_GUESTS; guest++)
		if (READ_ONCE(vh_neighbours[guest].nonce))
			vh_wire_datagram(guest, pkt);
}

/* An Ethernet frame, in one piece, to every other guest. */
void vh_wire_frame(const struct sk_buff *frame, u16 tci)
{
	struct vh_wire_frame body = { .tci = cpu_to_be16(tci) };
	struct sk_buff *skb;
	int guest;

	for (guest = 0; guest < VH_MAX_GUESTS; guest++) {
		if (!READ_ONCE(vh_neighbours[guest].nonce))
			continue;
		skb = vh_wire_new(WIRE_FRAME, 0, &body, sizeof(body),
				  frame->len);
		if (!skb)
			return;
		skb_store_bits(skb, skb->len - frame->len, frame->data,
			       frame->len);
		vh_wire_send(guest, skb);
	}
}

/* ---- in, softirq ---- */

/* Takes the next len octets off the datagram. */
bool vh_wire_take(struct vh_wire_in *in, void *body, u32 len)
{
	if (!pskb_may_pull(in->skb, len))
		return false;
	memcpy(body, in->skb->data, len);
	__skb_pull(in->skb, len);
	return true;
}

static void vh_unpack(struct vh_wire_in *in)
{
	struct vh_wire_datagram body;
	struct vh_pkt pkt;

	if (!vh_wire_take(in, &body, sizeof(body)) ||
	    in->skb->len > VH_UD_MTU || skb_linearize(in->skb))
		return;
	pkt = (struct vh_pkt){
		.slid = in->slid,
		.dlid = in->dlid,
		.pkey = be16_to_cpu(body.pkey),
		.sl = body.sl,
		.has_grh = in->head.flags & WIRE_GRH,
		.has_imm = in->head.flags & WIRE_IMM,
		.solicited = in->head.flags & WIRE_SOLICITED,
		.src_qpn = in->src_qpn,
		.dst_qpn = in->dst_qpn,
		.qkey = be32_to_cpu(body.qkey),
		.imm = body.imm,
		.grh = body.grh,
		.roce = in->head.flags & WIRE_ROCE,
		.path = body.path,
		.data = in->skb->data,
		.len = in->skb->len,
	};
	pkt.path.vlan = be16_to_cpu(body.vlan);
	vh_arrive(&pkt);
}

static bool vh_is_peer(__be32 addr)
{
	int i;

	for (i = 0; i < npeers; i++)
		if (vh_peer_addrs[i] == addr)
			return true;
	return false;
}

/* From a peer, in our language, and about a LID of its own. */
static bool vh_wire_ok(const struct vh_wire_in *in)
{
	return in->head.magic == cpu_to_be32(VH_WIRE_MAGIC) &&
		in->head.version == VH_WIRE_VERSION &&
		in->head.guest < VH_MAX_GUESTS && in->head.guest != vh_guest &&
		vh_is_peer(ip_hdr(in->skb)->saddr) &&
		(in->head.type == WIRE_HELLO || in->head.type == WIRE_FRAME ||
		 vh_guest_of(in->slid) == in->head.guest ||
		 (in->slid == VH_SM_LID && in->head.guest == VH_SM_GUEST));
}

static void vh_wire_take_frame(struct vh_wire_in *in)
{
	struct vh_wire_frame body;

	if (vh_wire_take(in, &body, sizeof(body)))
		vh_eth_arrive(in->skb, be16_to_cpu(body.tci));
}

static int vh_wire_receive(struct sock *sk, struct sk_buff *skb)
{
	struct vh_wire_in in = { .skb = skb };

	if (!pskb_may_pull(skb, sizeof(struct udphdr)))
		goto drop;
	__skb_pull(skb, sizeof(struct udphdr));
	if (!vh_wire_take(&in, &in.head, sizeof(in.head)))
		goto drop;
	in.slid = be16_to_cpu(in.head.slid);
	in.dlid = be16_to_cpu(in.head.dlid);
	in.src_qpn = be32_to_cpu(in.head.src_qpn);
	in.dst_qpn = be32_to_cpu(in.head.dst_qpn);
	in.psn = be32_to_cpu(in.head.psn);
	if (!vh_wire_ok(&in))
		goto drop;
	/* whoever keeps it keeps nothing of the network stack's with it */
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	rcu_read_lock();
	switch (in.head.type) {
	case WIRE_HELLO:
		/* the address is needed once more: keep it behind the head */
		if (skb_queue_len(&vh_hellos) < 64) {
			*(struct vh_wire_head *)skb->cb = in.head;
			skb_queue_tail(&vh_hellos, skb);
			in.skb = NULL;
			mod_delayed_work(system_wq, &vh_hello, 0);
		}
		break;
	case WIRE_DATAGRAM:
		vh_unpack(&in);
		break;
	case WIRE_REQUEST:
		vh_responder_request(&in);
		break;
	case WIRE_ACK:
		vh_requester_ack(&in);
		break;
	case WIRE_DATA:
		vh_requester_data(&in);
		break;
	case WIRE_FRAME:
		vh_wire_take_frame(&in);
		break;
	}
	rcu_read_unlock();
drop:
	kfree_skb(in.skb);		/* NULL: somebody kept it */
	return 0;
}

/* ---- who is there; process context ---- */

/* The others are to know of a change at once. */
void vh_wire_announce(void)
{
	WRITE_ONCE(vh_news, true);
	if (vh_sock)
		mod_delayed_work(system_wq, &vh_hello, 0);
}

static struct sk_buff *vh_compose(bool leaving)
{
	struct vh_wire_hello body = {
		.nonce = cpu_to_be64(leaving ? 0 : vh_nonce),
		.sm = cpu_to_be32(leaving ? 0 : vh_sm_generation()),
	};
	u16 lid, first = vh_first_lid(vh_guest);
	struct vh_far_gid *gids;
	struct vh_wire_port *w;
	struct sk_buff *skb;
	struct vh_port *p;
	struct vh_end e;
	u32 n = 0, ngids = 0, size;
	int i;

	w = kcalloc(VH_GUEST_LIDS, sizeof(*w), GFP_KERNEL);
	gids = kcalloc(VH_TOLD_GIDS, sizeof(*gids), GFP_KERNEL);
	if (!w || !gids) {
		kfree(w);
		kfree(gids);
		return NULL;
	}
	rcu_read_lock();
	for (lid = first; !leaving && lid < first + VH_GUEST_LIDS; lid++) {
		p = vh_port_by_lid(lid);
		if (!p)
			continue;
		vh_describe(p, &e);
		w[n].lid = cpu_to_be16(e.lid);
		w[n].state = e.state;
		w[n].guid = e.guid;
		w[n].prefix = e.prefix;
		for (i = 0; i < VH_NPKEYS; i++)
			w[n].pkeys[i] = cpu_to_be16(e.pkeys[i]);
		n++;
		ngids += vh_list_gids(p, gids + ngids, VH_TOLD_GIDS - ngids);
	}
	rcu_read_unlock();
	body.nports = cpu_to_be32(n);
	body.ngids = cpu_to_be32(ngids);
	size = n * sizeof(*w) + ngids * sizeof(*gids);
	skb = vh_wire_new(WIRE_HELLO, 0, &body, sizeof(body), size);
	if (skb) {
		skb_store_bits(skb, skb->len - size, w, n * sizeof(*w));
		skb_store_bits(skb, skb->len - ngids * sizeof(*gids), gids,
			       ngids * sizeof(*gids));
	}
	kfree(w);
	kfree(gids);
	return skb;
}

static void vh_tell(bool leaving)
{
	struct sk_buff *skb;
	int i;

	for (i = 0; i < npeers; i++) {
		skb = vh_compose(leaving);
		if (skb)
			vh_wire_xmit(vh_peer_addrs[i], skb);
	}
}

static bool vh_was_up(struct vh_table *t, u16 lid)
{
	u32 i;

	for (i = 0; t && i < t->nports; i++)
		if (t->ports[i].lid == lid)
			return t->ports[i].state == IB_PORT_ACTIVE;
	return false;
}

/* Another table for a guest, NULL: it left. */
static void vh_set_table(int guest, struct vh_table *new)
{
	struct vh_neighbour *nb = &vh_neighbours[guest];
	struct vh_table *old = rcu_dereference_protected(nb->table, true);
	u32 i;

	/* as an SM that finds a port gone at its next sweep */
	for (i = 0; old && i < old->nports; i++)
		if (old->ports[i].state == IB_PORT_ACTIVE &&
		    !vh_was_up(new, old->ports[i].lid))
			vh_sm_forget(old->ports[i].lid, 1);
	rcu_assign_pointer(nb->table, new);
	if (old)
		kfree_rcu(old, rcu);
}

static void vh_left(int guest)
{
	pr_info("guest %d left the fabric\n", guest);
	WRITE_ONCE(vh_neighbours[guest].nonce, 0);
	vh_neighbours[guest].sm = 0;
	vh_set_table(guest, NULL);
}

static struct vh_table *vh_read_table(struct sk_buff *skb, int guest, u32 n,
				      u32 ngids)
{
	u32 i, k, told = ngids * sizeof(struct vh_far_gid);
	struct vh_table *t;

	if (n > VH_GUEST_LIDS || ngids > VH_TOLD_GIDS ||
	    skb->len != n * sizeof(struct vh_wire_port) + told)
		return NULL;
	t = kzalloc(struct_size(t, ports, n) + told, GFP_KERNEL);
	if (!t)
		return NULL;
	t->gids = (void *)&t->ports[n];
	t->ngids = ngids;
	skb_copy_bits(skb, skb->len - told, t->gids, told);
	for (i = 0; i < ngids; i++)
		if (vh_guest_of(be16_to_cpu(t->gids[i].lid)) != guest) {
			kfree(t);
			return NULL;
		}
	for (i = 0; i < n; i++) {
		struct vh_end *e = &t->ports[i];
		struct vh_wire_port w;

		skb_copy_bits(skb, i * sizeof(w), &w, sizeof(w));
		e->lid = be16_to_cpu(w.lid);
		e->guid = w.guid;
		e->prefix = w.prefix;
		e->state = w.state;
		for (k = 0; k < VH_NPKEYS; k++)
			e->pkeys[k] = be16_to_cpu(w.pkeys[k]);
		if (vh_guest_of(e->lid) != guest) {
			kfree(t);
			return NULL;
		}
	}
	t->nports = n;
	return t;
}

static void vh_heard_hello(struct sk_buff *skb)
{
	struct vh_wire_in in = { .head = *(struct vh_wire_head *)skb->cb,
				 .skb = skb };
	int guest = in.head.guest;
	struct vh_neighbour *nb = &vh_neighbours[guest];
	struct vh_wire_hello body;
	struct vh_table *t;
	bool back, sm_back;
	u64 nonce;
	u32 sm;

	if (!vh_wire_take(&in, &body, sizeof(body)))
		return;
	nonce = be64_to_cpu(body.nonce);
	sm = be32_to_cpu(body.sm);
	back = nonce && nonce != nb->nonce;
	if (nb->nonce && nonce != nb->nonce)
		vh_left(guest);
	if (!nonce)
		return;
	t = vh_read_table(skb, guest, be32_to_cpu(body.nports),
			  be32_to_cpu(body.ngids));
	if (!t)
		return;
	vh_set_table(guest, t);
	sm_back = sm && sm != nb->sm;
	nb->sm = sm;
	nb->heard = jiffies;
	WRITE_ONCE(nb->addr, ip_hdr(skb)->saddr);
	WRITE_ONCE(nb->nonce, nonce);
	if (back) {
		pr_info("guest %d joined the fabric, %u ports\n", guest,
			t->nports);
		WRITE_ONCE(vh_news, true);
	}
	if (sm_back)
		vh_event_all(IB_EVENT_CLIENT_REREGISTER);
}

static void vh_hello_work(struct work_struct *w)
{
	struct sk_buff *skb;
	int guest;

	while ((skb = skb_dequeue(&vh_hellos))) {
		vh_heard_hello(skb);
		kfree_skb(skb);
	}
	for (guest = 0; guest < VH_MAX_GUESTS; guest++)
		if (vh_neighbours[guest].nonce &&
		    time_after(jiffies, vh_neighbours[guest].heard + VH_HELLO_LEASE))
			vh_left(guest);
	if (xchg(&vh_news, false) ||
	    time_after_eq(jiffies, vh_told + VH_HELLO_PERIOD)) {
		vh_told = jiffies;
		vh_tell(false);
	}
	queue_delayed_work(system_wq, &vh_hello, VH_HELLO_PERIOD);
}

/* ---- ports of other guests, under RCU ---- */

bool vh_wire_end(u16 lid, struct vh_end *e)
{
	int guest = vh_guest_of(lid);
	struct vh_table *t;
	u32 i;

	t = guest < 0 ? NULL : rcu_dereference(vh_neighbours[guest].table);
	for (i = 0; t && i < t->nports; i++)
		if (t->ports[i].lid == lid) {
			*e = t->ports[i];
			return true;
		}
	return false;
}

bool vh_wire_end_by_gid(const union ib_gid *gid, struct vh_end *e)
{
	struct vh_table *t;
	int guest;
	u32 i;

	for (guest = 0; guest < VH_MAX_GUESTS; guest++) {
		t = rcu_dereference(vh_neighbours[guest].table);
		for (i = 0; t && i < t->nports; i++)
			if (t->ports[i].guid == gid->global.interface_id &&
			    t->ports[i].prefix == gid->global.subnet_prefix) {
				*e = t->ports[i];
				return true;
			}
	}
	return false;
}

/* A GID of another guest's; any_mac: of whatever interface. */
u16 vh_wire_lid_by_path(const struct vh_path *path, bool any_mac)
{
	const struct vh_far_gid *g;
	struct vh_table *t;
	u16 found = 0;
	int guest;
	u32 i;

	for (guest = 0; guest < VH_MAX_GUESTS; guest++) {
		t = rcu_dereference(vh_neighbours[guest].table);
		for (i = 0; t && i < t->ngids; i++) {
			g = &t->gids[i];
			if (g->type != path->type ||
			    be16_to_cpu(g->vlan) != path->vlan ||
			    memcmp(&g->gid, &path->dgid, sizeof(g->gid)))
				continue;
			if (ether_addr_equal_unaligned(g->mac, path->dmac))
				return be16_to_cpu(g->lid);
			if (any_mac)
				found = be16_to_cpu(g->lid);
		}
	}
	return found;
}

/* ---- coming and going ---- */

static int vh_wire_params(void)
{
	int i;

	if (vh_guest < 0 || vh_guest >= VH_MAX_GUESTS) {
		pr_err("guest=%d: 0 to %d\n", vh_guest, VH_MAX_GUESTS - 1);
		return -EINVAL;
	}
	for (i = 0; i < npeers; i++) {
		if (!in4_pton(peers[i], -1, (u8 *)&vh_peer_addrs[i], -1, NULL)) {
			pr_err("peers=...%s: not an IPv4 address\n", peers[i]);
			return -EINVAL;
		}
	}
	return 0;
}

int vh_wire_init(void)
{
	struct udp_port_cfg port = {
		.family = AF_INET,
		.local_udp_port = htons(VH_WIRE_PORT),
	};
	struct udp_tunnel_sock_cfg tunnel = {
		.encap_type = 1,
		.encap_rcv = vh_wire_receive,
	};
	int ret = vh_wire_params();

	if (ret || !npeers)
		return ret;
	skb_queue_head_init(&vh_hellos);
	vh_nonce = get_random_u64() | 1;
	vh_net = get_net(current->nsproxy->net_ns);
	ret = udp_sock_create4(vh_net, &port, &vh_sock);
	if (ret) {
		pr_err("UDP port %d: error %d\n", VH_WIRE_PORT, ret);
		put_net(vh_net);
		return ret;
	}
	setup_udp_tunnel_sock(vh_net, vh_sock, &tunnel);
	return 0;
}

/* No ports are left, and nobody sends any more. */
void vh_wire_exit(void)
{
	struct socket *sock = vh_sock;
	int guest;

	if (!sock)
		return;
	cancel_delayed_work_sync(&vh_hello);
	vh_tell(true);
	vh_sock = NULL;
	udp_tunnel_sock_release(sock);
	synchronize_net();		/* the last vh_wire_receive() is over */
	cancel_delayed_work_sync(&vh_hello);
	skb_queue_purge(&vh_hellos);
	for (guest = 0; guest < VH_MAX_GUESTS; guest++)
		vh_set_table(guest, NULL);
	put_net(vh_net);
	rcu_barrier();
}
