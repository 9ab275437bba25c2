/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhca: TEST-ONLY virtual InfiniBand HCAs with an in-kernel fabric.
 * What the source files share; each file says at its top why it exists.
 *
 * Locks, outermost first:
 *   rtnl		(kernel) Ethernet interfaces
 *   vh_mutex		list of devices, link states, VF settings, P_Key tables
 *   rvt_ibport.lock	(rdmavt) multicast attachments of a port
 *   qp->r_lock		(rdmavt) receive half of a QP
 *   qp->s_lock		(rdmavt) send half of a QP
 * Ports and QPs of other devices are found under RCU; see vhca_fabric.c.
 * What comes from another guest comes in softirq context; see vhca_wire.c.
 */
#ifndef VHCA_H
#define VHCA_H

#include <linux/etherdevice.h>
#include <linux/pci.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <rdma/rdma_vt.h>
#include <rdma/rdmavt_qp.h>
#include <rdma/rdmavt_cq.h>
#include <rdma/ib_addr.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_hdrs.h>	/* brings get_unaligned_be16() on 6.1 and 6.12 */

#define VH_NPKEYS	16
#define VH_SM_LID	1
#define VH_SM_GUEST	0		/* where the subnet manager is */
#define VH_LID_BASE	2
#define VH_MAX_GUESTS	4
#define VH_GUEST_LIDS	512		/* every guest has a range of its own */
#define VH_MAX_LIDS	(VH_LID_BASE + VH_MAX_GUESTS * VH_GUEST_LIDS)
#define VH_MAX_PORTS	2
#define VH_MAX_PFS	16
#define VH_MAX_VFS	64
#define VH_MAX_UNITS	(VH_GUEST_LIDS / VH_MAX_PORTS)
#define VH_UD_MTU	4096
/* One message is copied with interrupts off: keep that in the milliseconds. */
#define VH_MAX_MSG	(64u << 20)
#define VH_MCAST_QPN	0xffffff
#define VH_NGIDS	128		/* of an Ethernet port */
#define VH_ETH_OUI	0xb8599fULL	/* Mellanox */
#define VH_UNTAGGED	0xffff		/* as ib_core calls no VLAN */

struct vh_dev;

/* What crossed a port in one direction; see vh_count() for the rules. */
struct vh_counter {
	atomic64_t octets;
	atomic64_t ucast;		/* packets */
	atomic64_t mcast;
};

struct vh_port {
	struct rvt_ibport rvp;		/* rdmavt's part, must be first */
	struct vh_dev *dev;
	u32 num;			/* 1 based */
	u16 lid;
	__be64 guid;
	u16 pkeys[VH_NPKEYS];
	u8 link;			/* the cable: as set, enum ib_port_state */
	u8 state;			/* the same; Ethernet: if up as well */
	u8 phys;			/* enum ib_port_phys_state */
	u8 width;			/* enum ib_port_width */
	u16 speed;			/* enum ib_port_speed */
	struct vh_counter tx, rx;
	/* link layer Ethernet only */
	struct net_device *netdev;
	bool running;			/* the interface is up */
	struct list_head eth;		/* vh_eth_ports */
	struct vh_gid __rcu *gids[VH_NGIDS];
};

struct vh_vf {
	u64 node_guid, port_guid;	/* host order; 0 = not set */
	int link;			/* IFLA_VF_LINK_STATE_* */
	/* link layer Ethernet only; read without a lock by the switch */
	u8 mac[ETH_ALEN];
	bool admin_mac;			/* the PF has set it */
	bool spoofchk, trust;
	u16 vlan;			/* 0: the VF's own affair */
	u8 qos;
	int min_rate, max_rate;
};

struct vh_dev {
	struct rvt_dev_info rdi;	/* must be first: rvt_alloc_device() */
	struct pci_dev *pdev;
	struct vh_dev *pf;		/* NULL for a PF */
	int vf_id;
	int unit;
	int nports;
	bool eth;			/* link layer Ethernet, all ports */
	struct vh_port port[VH_MAX_PORTS];
	struct vh_vf vf[VH_MAX_VFS];	/* PF only */
	struct list_head list;		/* vh_devs */
	u16 pci_vendor, pci_device;	/* before spoofing */
	u32 pci_class;
	int (*rvt_resize_cq)(struct ib_cq *cq, int cqe, struct ib_udata *u);
	int (*rvt_modify_srq)(struct ib_srq *srq, struct ib_srq_attr *attr,
			      enum ib_srq_attr_mask mask, struct ib_udata *u);
};

/* A port as the rest of the fabric knows it, be it here or in another guest. */
struct vh_end {
	u16 lid;
	__be64 guid, prefix;
	u8 state;
	u16 pkeys[VH_NPKEYS];
};

/* What another guest said of our requests; see vhca_requester.c. */
struct vh_answer {
	u8 kind;			/* enum vh_ack_kind */
	u8 value;
	u32 psn;
};

/* The requester's half towards another guest.  s_lock, or RVT_S_BUSY. */
struct vh_requester {
	u32 wqe, off;			/* what is sent next: entry, octet */
	u32 acked;			/* the responder expects this PSN next */
	u32 sent;			/* the first PSN that was never sent */
	u32 asked;			/* PSN of the last request for an ACK */
	bool reading;			/* a READ or atomic is under way */
	bool expired;			/* the ACK timer ran out */
	bool ss_valid;
	struct rvt_sge_state ss;	/* at wqe, off */
	struct vh_answer ack, nak;	/* newest of each, kind 0: none */
	struct sk_buff_head data;	/* what READs and atomics brought */
};

#define VH_SAVED_ATOMICS	16	/* = max_rdma_atomic */

/* The responder's half towards another guest.  r_lock. */
struct vh_responder {
	struct sk_buff_head parts;	/* of the message that is coming in */
	u32 len;			/* octets in them */
	bool nak_sent;			/* one NAK for a gap is enough */
	u8 next_atomic;
	struct {
		u32 psn;
		u64 old;
	} atomics[VH_SAVED_ATOMICS];	/* answers, should they be lost */
};

struct vh_qp_priv {
	struct rvt_qp *qp;
	int guest;			/* RoCE: where the peer is, -1: unknown */
	struct work_struct work;
	u8 *buf;			/* UD: one datagram, gathered */
	struct vh_requester req;
	struct vh_responder rsp;
};

/*
 * How a RoCE packet goes: what its Ethernet and IP headers would say.  The VLAN
 * is the one on the switch, 0: none.
 */
struct vh_path {
	union ib_gid sgid, dgid;
	u8 smac[ETH_ALEN], dmac[ETH_ALEN];
	u16 vlan;
	u8 type;			/* enum ib_gid_type */
};

/* A GID of a port in another guest, as it is told. */
struct vh_far_gid {
	__be16 lid, vlan;
	u8 mac[ETH_ALEN];
	u8 type;
	u8 pad;
	union ib_gid gid;
} __packed;

/*
 * One datagram in flight.  It is complete in itself (no pointer to the sender)
 * so that it can travel to another guest.
 */
struct vh_pkt {
	u16 slid, dlid, pkey;
	u8 sl;
	bool has_grh, has_imm, solicited;
	bool roce;			/* path is valid, and grh is as RoCE has it */
	u32 src_qpn, dst_qpn, qkey;
	__be32 imm;
	struct ib_grh grh;
	struct vh_path path;
	const void *data;
	u32 len;
};

/*
 * One request on a connection, as the responder sees it: complete in itself,
 * for the same reason.
 */
struct vh_request {
	enum ib_wr_opcode opcode;
	u16 slid;
	bool solicited;
	u32 len;			/* of the whole message */
	u64 addr;
	u32 rkey;			/* the one to access or to invalidate */
	__be32 imm;
	u64 compare_add, swap;
};

/* What became of it. */
enum vh_rsp {
	RSP_OK,
	RSP_RNR,			/* no receive buffer */
	RSP_ERR,			/* see st */
};

/* The responder's work on one request. */
struct vh_conn {
	const struct vh_request *rq;
	struct rvt_qp *qp;
	struct vh_port *dp;
	struct vh_port *sp;		/* NULL: in another guest */
	/* the requester's buffers, or the parts that another guest sent */
	struct rvt_sge_state *local;
	struct sk_buff_head *parts;
	struct rvt_sge_state remote;	/* what the R_Key gave, with a reference */
	u64 old;			/* of an atomic */
	struct ib_wc wc;		/* of the responder, if it gets one */
	enum ib_wc_status st;		/* for the requester when it fails */
};

/* What became of a work request. */
enum vh_result {
	VH_DONE,			/* complete it with its status */
	VH_WAIT,			/* a timer will start the queue again */
	VH_FAIL,			/* complete it, then QP to the error state */
};

static inline struct vh_dev *to_vh(struct ib_device *ibdev)
{
	return container_of(ib_to_rvt(ibdev), struct vh_dev, rdi);
}

static inline struct vh_port *to_vport(struct ib_device *ibdev, u32 num)
{
	return &to_vh(ibdev)->port[num - 1];
}

/* Same partition, and at least one of the two a full member. */
static inline bool vh_pkey_match(u16 a, u16 b)
{
	return (a & 0x7fff) && (a & 0x7fff) == (b & 0x7fff) &&
	       ((a | b) & 0x8000);
}

static inline bool vh_is_mcast_lid(u16 lid)
{
	return lid >= be16_to_cpu(IB_MULTICAST_LID_BASE) &&
	       lid != be16_to_cpu(IB_LID_PERMISSIVE);
}

/* The answer brings data. */
static inline bool vh_asks(enum ib_wr_opcode op)
{
	return op == IB_WR_RDMA_READ || op == IB_WR_ATOMIC_CMP_AND_SWP ||
		op == IB_WR_ATOMIC_FETCH_AND_ADD;
}

/* A group of hosts.  As a GID an IPv4 address is mapped into IPv6. */
static inline bool vh_is_mcast_gid(const union ib_gid *gid)
{
	return rdma_is_multicast_addr((struct in6_addr *)gid->raw);
}

/* vhca_main.c */
extern struct mutex vh_mutex;
extern struct list_head vh_devs;
extern struct pci_driver vh_driver;
extern bool vh_vf_autoguid;
extern bool vh_eth_names;

/* vhca_verbs.c */
void vh_verbs_setup(struct vh_dev *dev);

/* vhca_mmap.c */
int vh_mmap(struct ib_ucontext *ctx, struct vm_area_struct *vma);
void vh_disassociate(struct ib_ucontext *ctx);
void vh_mmap_wrap(struct vh_dev *dev);

/* vhca_vf.c */
extern const struct ib_device_ops vh_pf_ops;
int vh_sriov(struct pci_dev *pdev, int num);
void vh_vf_init(struct vh_dev *dev, u64 base);
int vh_vf_state(struct vh_dev *dev);
void vh_vf_follow(struct vh_dev *pf);
bool vh_vf_ok(struct vh_dev *pf, int vf);
struct vh_dev *vh_find_vf(struct vh_dev *pf, int vf);
int vh_vf_set_link(struct vh_dev *pf, int vf, int state);

/* vhca_eth.c */
u32 vh_eth_base(struct vh_dev *dev);
void vh_eth_mac(struct vh_port *p, u8 *mac);
int vh_eth_add(struct vh_dev *dev);
void vh_eth_del(struct vh_dev *dev);
int vh_eth_vlan(struct vh_port *p, u16 tag);
bool vh_eth_spoofed(struct vh_port *p, const u8 *mac);
void vh_eth_arrive(struct sk_buff *skb, u16 tci);

/* vhca_gid.c */
enum rdma_link_layer vh_link_layer(struct ib_device *ibdev, u32 port);
int vh_add_gid(const struct ib_gid_attr *attr, void **context);
int vh_del_gid(const struct ib_gid_attr *attr, void **context);
bool vh_make_path(struct vh_port *sp, const struct rdma_ah_attr *ah,
		  struct vh_path *path);
u16 vh_lid_by_path(const struct vh_path *path);
u16 vh_peer_lid(struct rvt_qp *qp);
int vh_peer_guest(struct rvt_qp *qp);
bool vh_takes(struct vh_port *dp, const struct vh_path *path, u16 *tag);
u32 vh_list_gids(struct vh_port *p, struct vh_far_gid *list, u32 max);
void vh_roce_header(const struct rdma_ah_attr *ah, struct vh_pkt *pkt);

/* vhca_fabric.c */
void vh_fabric_add(struct vh_dev *dev);
void vh_fabric_del(struct vh_dev *dev);
u16 vh_first_lid(int guest);
int vh_guest_of(u16 lid);
struct vh_port *vh_port_by_lid(u16 lid);
bool vh_end_by_lid(u16 lid, struct vh_end *e);
bool vh_end_by_gid(const union ib_gid *gid, struct vh_end *e);
void vh_describe(struct vh_port *p, struct vh_end *e);
struct rvt_qp *vh_find_qp(struct vh_port *p, u32 qpn);
int vh_pkey_index(const u16 *pkeys, u16 pkey);
void vh_event(struct vh_port *p, enum ib_event_type t);
void vh_event_all(enum ib_event_type t);
void vh_set_state(struct vh_port *p, int state);
void vh_count(struct vh_counter *c, u32 len, u32 mtu, bool mcast);
void vh_route(struct vh_port *sp, struct vh_pkt *pkt);
bool vh_arrive(const struct vh_pkt *pkt);
bool vh_forward(const struct vh_pkt *pkt);

/* vhca_send.c */
extern const struct rvt_operation_params vh_post_parms[RVT_OPERATION_MAX];
extern const enum ib_wc_opcode vh_wc_opcode[];

/* Done on this side alone, nothing is sent. */
static inline bool vh_is_local(const struct rvt_swqe *wqe)
{
	return vh_post_parms[wqe->wr.opcode].flags & RVT_OPERATION_LOCAL;
}

int vh_send_init(void);
void vh_send_exit(void);
void vh_send_kick(struct vh_qp_priv *priv);
void vh_send_some(struct vh_qp_priv *priv);
void vh_send_work(struct work_struct *w);
enum vh_result vh_local_op(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			   bool flush, enum ib_wc_status *st);
void vh_complete(struct rvt_qp *sqp, struct rvt_swqe *wqe,
		 enum vh_result r, enum ib_wc_status st);
void vh_recv_complete(struct rvt_qp *qp, struct ib_wc *wc, bool solicited);

/* vhca_ud.c */
void vh_ud_send(struct rvt_qp *sqp, struct rvt_swqe *wqe);
void vh_ud_deliver(struct vh_port *dp, const struct vh_pkt *pkt);

/* vhca_rc.c */
enum vh_result vh_rc_send(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			  enum ib_wc_status *st);
enum vh_result vh_rnr(struct rvt_qp *sqp, u8 timer, enum ib_wc_status *st);
enum vh_result vh_retry(struct rvt_qp *sqp, enum ib_wc_status *st);

/* vhca_execute.c */
void vh_make_request(struct rvt_qp *sqp, struct rvt_swqe *wqe,
		     struct vh_request *rq);
bool vh_heard(struct vh_port *dp, struct rvt_qp *qp, u16 slid, u32 src_qpn);
enum vh_rsp vh_respond(struct vh_conn *c);

/* vhca_wire.c */
extern int vh_guest;
int vh_wire_init(void);
void vh_wire_exit(void);
void vh_wire_announce(void);
void vh_wire_flood(const struct vh_pkt *pkt);
void vh_wire_frame(const struct sk_buff *skb, u16 tci);
u16 vh_wire_lid_by_path(const struct vh_path *path, bool any_mac);
bool vh_wire_datagram(int guest, const struct vh_pkt *pkt);
bool vh_wire_end(u16 lid, struct vh_end *e);
bool vh_wire_end_by_gid(const union ib_gid *gid, struct vh_end *e);

/* vhca_requester.c */
void vh_requester_work(struct vh_qp_priv *priv);
void vh_requester_reset(struct vh_qp_priv *priv);
void vh_requester_expired(struct rvt_qp *qp);

/* vhca_respond.c */
void vh_responder_reset(struct vh_qp_priv *priv);

/* vhca_sm.c */
u32 vh_sm_generation(void);
bool vh_sm_receive(const struct vh_pkt *pkt);
void vh_sm_forget(u16 lid, u16 count);
void vh_sm_exit(void);

/* vhca_sma.c */
int vh_process_mad(struct ib_device *ibdev, int flags, u32 port_num,
		   const struct ib_wc *in_wc, const struct ib_grh *in_grh,
		   const struct ib_mad *in, struct ib_mad *out,
		   size_t *out_size, u16 *out_pkey_index);

/* vhca_ctl.c */
int vh_parse_pkeys(const char *s, u16 *pkeys);
bool vh_speed_ok(unsigned int speed);

#endif
