/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhca: TEST-ONLY virtual InfiniBand HCAs with an in-kernel fabric.
 * What the source files share; each file says at its top why it exists.
 *
 * Locks, outermost first:
 *   vh_mutex		list of devices, link states, VF settings, P_Key tables
 *   rvt_ibport.lock	(rdmavt) multicast attachments of a port
 *   qp->r_lock		(rdmavt) receive half of a QP
 *   qp->s_lock		(rdmavt) send half of a QP
 * Ports and QPs of other devices are found under RCU; see vhca_fabric.c.
 */
#ifndef VHCA_H
#define VHCA_H

#include <linux/pci.h>
#include <linux/workqueue.h>
#include <rdma/rdma_vt.h>
#include <rdma/rdmavt_qp.h>
#include <rdma/rdmavt_cq.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_hdrs.h>	/* brings get_unaligned_be16() on 6.1 and 6.12 */

#define VH_NPKEYS	16
#define VH_SM_LID	1
#define VH_LID_BASE	2
#define VH_MAX_LIDS	256
#define VH_MAX_PORTS	2
#define VH_MAX_PFS	8
#define VH_MAX_VFS	64
#define VH_MAX_UNITS	((VH_MAX_LIDS - VH_LID_BASE) / VH_MAX_PORTS)
#define VH_UD_MTU	4096
/* One message is copied with interrupts off: keep that in the milliseconds. */
#define VH_MAX_MSG	(64u << 20)
#define VH_MCAST_QPN	0xffffff

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
	u8 state;			/* enum ib_port_state */
	u8 phys;			/* enum ib_port_phys_state */
	u8 width;			/* enum ib_port_width */
	u16 speed;			/* enum ib_port_speed */
	struct vh_counter tx, rx;
};

struct vh_vf {
	u64 node_guid, port_guid;	/* host order; 0 = not set */
	int link;			/* IFLA_VF_LINK_STATE_* */
};

struct vh_dev {
	struct rvt_dev_info rdi;	/* must be first: rvt_alloc_device() */
	struct pci_dev *pdev;
	struct vh_dev *pf;		/* NULL for a PF */
	int vf_id;
	int unit;
	int nports;
	struct vh_port port[VH_MAX_PORTS];
	struct vh_vf vf[VH_MAX_VFS];	/* PF only */
	struct list_head list;		/* vh_devs */
	u16 pci_vendor, pci_device;	/* before spoofing */
	u32 pci_class;
	int (*rvt_resize_cq)(struct ib_cq *cq, int cqe, struct ib_udata *u);
	int (*rvt_modify_srq)(struct ib_srq *srq, struct ib_srq_attr *attr,
			      enum ib_srq_attr_mask mask, struct ib_udata *u);
};

struct vh_qp_priv {
	struct rvt_qp *qp;
	struct work_struct work;
	u8 *buf;			/* UD: one datagram, gathered */
};

/*
 * One datagram in flight.  It is complete in itself (no pointer to the sender)
 * so that it can one day travel to another guest.
 */
struct vh_pkt {
	u16 slid, dlid, pkey;
	u8 sl;
	bool has_grh, has_imm, solicited;
	u32 src_qpn, dst_qpn, qkey;
	__be32 imm;
	struct ib_grh grh;
	const void *data;
	u32 len;
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

/* vhca_main.c */
extern struct mutex vh_mutex;
extern struct list_head vh_devs;
extern struct pci_driver vh_driver;
extern bool vh_vf_autoguid;

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

/* vhca_fabric.c */
void vh_fabric_add(struct vh_dev *dev);
void vh_fabric_del(struct vh_dev *dev);
struct vh_port *vh_port_by_lid(u16 lid);
struct vh_port *vh_port_by_gid(const union ib_gid *gid);
struct rvt_qp *vh_find_qp(struct vh_port *p, u32 qpn);
int vh_pkey_index(struct vh_port *p, u16 pkey);
void vh_event(struct vh_port *p, enum ib_event_type t);
void vh_set_state(struct vh_port *p, int state);
void vh_count(struct vh_counter *c, u32 len, u32 mtu, bool mcast);
void vh_route(struct vh_port *sp, struct vh_pkt *pkt);

/* vhca_send.c */
extern const struct rvt_operation_params vh_post_parms[RVT_OPERATION_MAX];
extern const enum ib_wc_opcode vh_wc_opcode[];
int vh_send_init(void);
void vh_send_exit(void);
void vh_send_kick(struct vh_qp_priv *priv);
void vh_send_work(struct work_struct *w);
void vh_recv_complete(struct rvt_qp *qp, struct ib_wc *wc, bool solicited);

/* vhca_ud.c */
void vh_ud_send(struct rvt_qp *sqp, struct rvt_swqe *wqe);
void vh_ud_deliver(struct vh_port *dp, struct vh_pkt *pkt);

/* vhca_rc.c */
enum vh_result vh_rc_send(struct rvt_qp *sqp, struct rvt_swqe *wqe,
			  enum ib_wc_status *st);

/* vhca_sm.c */
extern bool vh_sa_enable;
void vh_sm_receive(struct vh_port *sp, const struct vh_pkt *pkt);
void vh_sm_forget(struct vh_port *p);
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
