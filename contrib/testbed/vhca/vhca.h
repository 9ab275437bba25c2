/* SPDX-License-Identifier: GPL-2.0-only */
/* vhca: TEST-ONLY virtual InfiniBand HCA with an in-kernel loopback fabric. */
#ifndef VHCA_H
#define VHCA_H
#include <linux/pci.h>
#include <linux/workqueue.h>
#include <rdma/rdma_vt.h>
#include <rdma/rdmavt_qp.h>
#include <rdma/rdmavt_cq.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_sa.h>
#include <rdma/ib_smi.h>
#include <rdma/ib_pma.h>

#define VH_NPKEYS	16
#define VH_SM_LID	1
#define VH_LID_BASE	2
#define VH_MAX_LIDS	256
#define VH_UD_MTU	4096
#define VH_MAX_PORTS	2
#define VH_MAX_VFS	64

struct vh_dev;

struct vh_port {
	struct rvt_ibport rvp;		/* rdmavt's part, first */
	struct vh_dev *dev;
	u32 num;			/* 1 based */
	u16 lid;
	__be64 guid;
	u16 pkeys[VH_NPKEYS];
	u8 state;			/* enum ib_port_state */
	u8 phys;
	u8 width;
	u16 speed;
	atomic64_t tx_bytes, rx_bytes, tx_pkts, rx_pkts;
};

struct vh_vf {
	u64 node_guid, port_guid;	/* host order; 0 = unset */
	int link;			/* IFLA_VF_LINK_STATE_* */
};

struct vh_dev {
	struct rvt_dev_info rdi;	/* first */
	struct pci_dev *pdev;
	struct vh_dev *pf;		/* NULL for a PF */
	int vf_id;
	int unit;
	int nports;
	struct vh_port port[VH_MAX_PORTS];
	struct vh_vf vf[VH_MAX_VFS];	/* PF only */
	struct list_head list;
};

struct vh_qp_priv {
	struct rvt_qp *qp;
	struct work_struct work;
	u8 *buf;			/* UD/GSI/SMI bounce buffer */
};

/* one datagram in flight */
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

static inline struct vh_dev *to_vh(struct ib_device *ibdev)
{
	return container_of(ib_to_rvt(ibdev), struct vh_dev, rdi);
}

static inline struct vh_port *to_vport(struct ib_device *ibdev, u32 num)
{
	return &to_vh(ibdev)->port[num - 1];
}

static inline bool vh_pkey_match(u16 a, u16 b)
{
	return (a & 0x7fff) && (a & 0x7fff) == (b & 0x7fff) &&
	       ((a | b) & 0x8000);
}

extern struct workqueue_struct *vh_wq;
extern bool vh_sa_enable;
extern const struct rvt_operation_params vh_post_parms[RVT_OPERATION_MAX];
extern const enum ib_wc_opcode vh_wc_opcode[];

struct vh_port *vh_port_by_lid(u16 lid);		/* under RCU */
struct vh_port *vh_port_by_gid(const union ib_gid *gid);/* under RCU */
int vh_pkey_index(struct vh_port *p, u16 pkey);
void vh_for_each_port(void (*fn)(struct vh_port *, void *), void *arg);

void vh_send_work(struct work_struct *w);
void vh_deliver(struct vh_port *dp, struct vh_pkt *pkt);
int vh_sa_mad(struct vh_port *sp, struct vh_pkt *pkt);
void vh_sa_forget(struct vh_port *p);
void vh_sa_cleanup(void);
int vh_process_mad(struct ib_device *ibdev, int flags, u32 port_num,
		   const struct ib_wc *in_wc, const struct ib_grh *in_grh,
		   const struct ib_mad *in, struct ib_mad *out,
		   size_t *out_size, u16 *out_pkey_index);
#endif
