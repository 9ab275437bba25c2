// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rdmavt asks of its driver (struct rvt_driver_provided), the ib_device
 * operations that it leaves out, and the attributes of an HCA.  rdmavt itself
 * has PDs, MRs, AHs, CQs, SRQs, QP states and the user ABI.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/cpumask.h>
#include <linux/topology.h>
#include "vhca.h"

static atomic_t vh_qpn = ATOMIC_INIT(0x100);

static struct vh_dev *rdi_to_vh(struct rvt_dev_info *rdi)
{
	return container_of(rdi, struct vh_dev, rdi);
}

static struct pci_dev *vh_get_pci_dev(struct rvt_dev_info *rdi)
{
	return rdi_to_vh(rdi)->pdev;
}

/* ---- QPs ---- */

static void *vh_qp_priv_alloc(struct rvt_dev_info *rdi, struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = kzalloc(sizeof(*priv), GFP_KERNEL);

	if (!priv)
		return ERR_PTR(-ENOMEM);
	if (qp->allowed_ops == IB_OPCODE_UD) {
		priv->buf = kmalloc(VH_UD_MTU, GFP_KERNEL);
		if (!priv->buf) {
			kfree(priv);
			return ERR_PTR(-ENOMEM);
		}
	}
	priv->qp = qp;
	INIT_WORK(&priv->work, vh_send_work);
	__skb_queue_head_init(&priv->req.data);
	__skb_queue_head_init(&priv->rsp.parts);
	vh_requester_reset(priv);
	vh_responder_reset(priv);
	return priv;
}

static void vh_qp_priv_free(struct rvt_dev_info *rdi, struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = qp->priv;

	__skb_queue_purge(&priv->req.data);
	__skb_queue_purge(&priv->rsp.parts);
	kfree(priv->buf);
	kfree(priv);
}

/*
 * A program that posts one request sends it itself.  It often spins on its CQ
 * next, and whatever another CPU must do first comes late then, above all when
 * that CPU is emulated and waits for its turn on the host.  Not for the kernel's
 * own QPs, which post with locks held and interrupts off.
 */
static void vh_do_send(struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = qp->priv;

	if (rvt_is_user_qp(qp) && in_task() && !irqs_disabled())
		vh_send_some(priv);
	else
		vh_send_kick(priv);
}

static bool vh_schedule_send(struct rvt_qp *qp)
{
	vh_send_kick(qp->priv);
	return true;
}

/*
 * Both stop_send_queue and quiesce_qp: rdmavt stops its timers between the two,
 * and an RNR timer that fires there queues the work of a QP about to be freed.
 */
static void vh_stop_send_queue(struct rvt_qp *qp)
{
	cancel_work_sync(&((struct vh_qp_priv *)qp->priv)->work);
	/* who sends in vh_do_send() is never long about it */
	while (READ_ONCE(qp->s_flags) & RVT_S_BUSY)
		usleep_range(50, 200);
}

/* Requests posted in SQD wait for RTS; nobody else looks at them again. */
static void vh_modify_qp(struct rvt_qp *qp, struct ib_qp_attr *attr,
			 int attr_mask, struct ib_udata *udata)
{
	struct vh_qp_priv *priv = qp->priv;

	if (attr_mask & IB_QP_AV)
		priv->guest = -1;
	if ((attr_mask & IB_QP_STATE) && qp->state == IB_QPS_RTS)
		vh_send_kick(priv);
}

/*
 * rdmavt's own allocator never gives QP0/QP1 back, so a device could not open
 * its MAD ports again after a move to another net namespace.  QPNs are unique
 * over all devices and never used twice (6 million are plenty for a test).
 */
static int vh_alloc_qpn(struct rvt_dev_info *rdi, struct rvt_qpn_table *qpt,
			enum ib_qp_type type, u32 port_num)
{
	int n;

	if (type == IB_QPT_SMI || type == IB_QPT_GSI)
		return type == IB_QPT_GSI;
	n = atomic_inc_return(&vh_qpn);
	if (n < 0x600000)
		return n;
	atomic_set(&vh_qpn, 0x600000);
	return -ENOMEM;
}

static void vh_qp_nop(struct rvt_qp *qp)
{
}

/* The QP begins anew; both halves' locks are held, and nobody sends. */
static void vh_qp_reset(struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = qp->priv;

	vh_requester_reset(priv);
	vh_responder_reset(priv);
}

/* The retry timer ran out.  The local engine just looks again. */
static void vh_restart_rc(struct rvt_qp *qp, u32 psn, int wait)
{
	vh_requester_expired(qp);
}

/*
 * Called before the QP table is freed, with a grace period still to come, also
 * when registration fails half way: nobody may look up QPs any more.
 */
static unsigned int vh_free_all_qps(struct rvt_dev_info *rdi)
{
	vh_fabric_del(rdi_to_vh(rdi));
	return 0;
}

static u32 vh_mtu_from_qp(struct rvt_dev_info *rdi, struct rvt_qp *qp, u32 pmtu)
{
	return ib_mtu_enum_to_int(pmtu);
}

static int vh_mtu_to_enum(u32 mtu)
{
	return ib_mtu_int_to_enum(mtu);
}

static int vh_pmtu_from_attr(struct rvt_dev_info *rdi, struct rvt_qp *qp,
			     struct ib_qp_attr *attr)
{
	return ib_mtu_enum_to_int(attr->path_mtu) > 0 ? attr->path_mtu : -EINVAL;
}

static int vh_check_ah(struct ib_device *ibdev, struct rdma_ah_attr *a)
{
	u32 dlid = rdma_ah_get_dlid(a);

	if (to_vh(ibdev)->eth)
		return a->type == RDMA_AH_ATTR_TYPE_ROCE &&
			(rdma_ah_get_ah_flags(a) & IB_AH_GRH) ? 0 : -EINVAL;
	if (!dlid || dlid > U16_MAX || rdma_ah_get_sl(a) > 15)
		return -EINVAL;
	/* a group is known by its MGID, which is in the GRH */
	if (vh_is_mcast_lid(dlid) && !(rdma_ah_get_ah_flags(a) & IB_AH_GRH))
		return -EINVAL;
	return 0;
}

static void vh_notify_new_ah(struct ib_device *ibdev, struct rdma_ah_attr *a,
			     struct rvt_ah *ah)
{
	ah->vl = 0;
	ah->log_pmtu = ilog2(VH_UD_MTU);
}

/* An Ethernet port's is what the interface's leaves for RoCE. */
static enum ib_mtu vh_mtu(struct vh_port *p)
{
	return p->dev->eth ? iboe_get_mtu(READ_ONCE(p->netdev->mtu)) :
		IB_MTU_4096;
}

/* Last check of a request at post time, on rdmavt's parsed copy of it. */
static int vh_setup_wqe(struct rvt_qp *qp, struct rvt_swqe *wqe,
			bool *call_send)
{
	u64 sum = 0;
	int i;

	*call_send = true;
	if (vh_is_local(wqe))
		return 0;
	/*
	 * rdmavt adds up the SGEs in 32 bits: two of 2 GiB make a length of 0,
	 * with SGEs that the engine would then leave half used.
	 */
	for (i = 0; i < wqe->wr.num_sge; i++)
		sum += wqe->sg_list[i].sge_length;
	if (sum != wqe->length || sum > VH_MAX_MSG)
		return -EINVAL;
	if (qp->allowed_ops == IB_OPCODE_UD &&
	    sum > ib_mtu_enum_to_int(vh_mtu(to_vport(qp->ibqp.device,
						     qp->port_num))))
		return -EINVAL;
	return 0;
}

static int vh_comp_vect_cpu(struct rvt_dev_info *rdi, int vector)
{
	return cpumask_local_spread(vector, rdi->dparms.node);
}

/* ---- ports ---- */

static int vh_get_guid_be(struct rvt_dev_info *rdi, struct rvt_ibport *rvp,
			  int idx, __be64 *guid)
{
	if (idx)
		return -EINVAL;
	*guid = container_of(rvp, struct vh_port, rvp)->guid;
	return 0;
}

static int vh_query_port_state(struct rvt_dev_info *rdi, u32 num,
			       struct ib_port_attr *a)
{
	struct vh_port *p = &rdi_to_vh(rdi)->port[num - 1];
	bool eth = p->dev->eth;

	/* the SM gives a port its LID before it arms it; RoCE has no LIDs */
	a->lid = eth || p->state < IB_PORT_ARMED ? 0 : p->lid;
	a->sm_lid = !eth && p->state == IB_PORT_ACTIVE ? VH_SM_LID : 0;
	a->state = p->state;
	a->phys_state = p->phys;
	a->gid_tbl_len = eth ? VH_NGIDS : 1;
	a->ip_gids = eth;
	a->active_width = p->width;
	a->active_speed = p->speed;
	a->max_vl_num = 1;
	a->max_mtu = IB_MTU_4096;
	a->active_mtu = vh_mtu(p);
	a->max_msg_sz = VH_MAX_MSG;
	return 0;
}

static int vh_shut_down_port(struct rvt_dev_info *rdi, u32 num)
{
	mutex_lock(&vh_mutex);
	vh_set_state(&rdi_to_vh(rdi)->port[num - 1], IB_PORT_DOWN);
	mutex_unlock(&vh_mutex);
	return 0;
}

static void vh_cap_mask_chg(struct rvt_dev_info *rdi, u32 port)
{
}

/* ---- the device ---- */

static void vh_get_fw(struct ib_device *ibdev, char *str)
{
	snprintf(str, IB_FW_VERSION_NAME_MAX, "0.0.1-vhca");
}

static int vh_modify_device(struct ib_device *ibdev, int mask,
			    struct ib_device_modify *m)
{
	if (mask & ~IB_DEVICE_MODIFY_NODE_DESC)
		return -EOPNOTSUPP;
	memcpy(ibdev->node_desc, m->node_desc, IB_DEVICE_NODE_DESC_MAX);
	return 0;
}

/*
 * The first moment with a QP table, the last without clients.  (In the
 * prototype the port was on the fabric before registration, and a datagram to
 * a LID used again found no QP table.)
 */
static int vh_enable(struct ib_device *ibdev)
{
	struct vh_dev *dev = to_vh(ibdev);

	vh_mmap_wrap(dev);
	vh_fabric_add(dev);
	return 0;
}

static ssize_t hca_type_show(struct device *d, struct device_attribute *a,
			     char *buf)
{
	return sysfs_emit(buf, "VHCA-TEST\n");
}
static DEVICE_ATTR_RO(hca_type);

static ssize_t hw_rev_show(struct device *d, struct device_attribute *a,
			   char *buf)
{
	return sysfs_emit(buf, "0\n");
}
static DEVICE_ATTR_RO(hw_rev);

static ssize_t board_id_show(struct device *d, struct device_attribute *a,
			     char *buf)
{
	return sysfs_emit(buf, "VHCA0000000001\n");
}
static DEVICE_ATTR_RO(board_id);

static struct attribute *vh_attrs[] = {
	&dev_attr_hca_type.attr,
	&dev_attr_hw_rev.attr,
	&dev_attr_board_id.attr,
	NULL
};

static const struct attribute_group vh_group = { .attrs = vh_attrs };
/* empty, but rdmavt insists on one */
static const struct attribute_group *vh_port_groups[] = { NULL };

static const struct ib_device_ops vh_ops = {
	.owner = THIS_MODULE,
	/* the distribution's libipathverbs is the user space side */
	.driver_id = RDMA_DRIVER_QIB,
	.device_group = &vh_group,
	.port_groups = vh_port_groups,
	.process_mad = vh_process_mad,
	.get_dev_fw_str = vh_get_fw,
	.get_link_layer = vh_link_layer,
	.add_gid = vh_add_gid,
	.del_gid = vh_del_gid,
	.modify_device = vh_modify_device,
	.enable_driver = vh_enable,
	.disassociate_ucontext = vh_disassociate,
	.mmap = vh_mmap,
};

static void vh_set_driver_f(struct rvt_driver_provided *f)
{
	f->get_pci_dev = vh_get_pci_dev;
	f->qp_priv_alloc = vh_qp_priv_alloc;
	f->qp_priv_free = vh_qp_priv_free;
	f->alloc_qpn = vh_alloc_qpn;
	f->notify_qp_reset = vh_qp_reset;
	f->flush_qp_waiters = vh_qp_nop;
	f->notify_error_qp = vh_qp_nop;
	f->stop_send_queue = vh_stop_send_queue;
	f->quiesce_qp = vh_stop_send_queue;
	f->free_all_qps = vh_free_all_qps;
	f->notify_restart_rc = vh_restart_rc;
	f->modify_qp = vh_modify_qp;
	f->do_send = vh_do_send;
	f->schedule_send = vh_schedule_send;
	f->schedule_send_no_lock = vh_schedule_send;
	f->setup_wqe = vh_setup_wqe;
	f->check_ah = vh_check_ah;
	f->notify_new_ah = vh_notify_new_ah;
	f->mtu_from_qp = vh_mtu_from_qp;
	f->mtu_to_path_mtu = vh_mtu_to_enum;
	f->get_pmtu_from_attr = vh_pmtu_from_attr;
	f->get_guid_be = vh_get_guid_be;
	f->query_port_state = vh_query_port_state;
	f->shut_down_port = vh_shut_down_port;
	f->cap_mask_chg = vh_cap_mask_chg;
	f->comp_vect_cpu_lookup = vh_comp_vect_cpu;
}

static void vh_set_dparms(struct rvt_driver_params *p, struct vh_dev *dev)
{
	p->lkey_table_size = 16;
	p->qp_table_size = 256;
	p->qpn_start = 1;
	p->qpn_inc = 1;
	p->qos_shift = 1;
	/* rdmavt wants a reserved range; out of the way of vh_alloc_qpn() */
	p->qpn_res_start = 0x656b78;
	p->qpn_res_end = 0x656b78;
	p->psn_mask = 0xffffff;
	p->psn_modify_mask = 0xffffff;
	p->psn_shift = 8;
	p->nports = dev->nports;
	p->npkeys = dev->eth ? 1 : VH_NPKEYS;
	p->node = max(dev_to_node(&dev->pdev->dev), 0);
	p->core_cap_flags = dev->eth ? RDMA_CORE_PORT_IBA_ROCE |
		RDMA_CORE_PORT_IBA_ROCE_UDP_ENCAP : RDMA_CORE_PORT_IBA_IB;
	p->max_mad_size = IB_MGMT_MAD_SIZE;
	p->max_rdma_atomic = 16;
	p->sge_copy_mode = RVT_SGE_COPY_MEMCPY;
}

static void vh_set_props(struct ib_device_attr *a, struct vh_dev *dev)
{
	a->device_cap_flags = IB_DEVICE_BAD_PKEY_CNTR |
		IB_DEVICE_BAD_QKEY_CNTR | IB_DEVICE_SHUTDOWN_PORT |
		IB_DEVICE_SYS_IMAGE_GUID | IB_DEVICE_RC_RNR_NAK_GEN |
		IB_DEVICE_PORT_ACTIVE_EVENT | IB_DEVICE_MEM_MGT_EXTENSIONS;
	if (dev->pf)
		a->kernel_cap_flags |= IBK_VIRTUAL_FUNCTION;
	a->fw_ver = 1;
	a->page_size_cap = PAGE_SIZE;
	a->vendor_id = 0x001175;	/* QLogic, as the provider expects */
	a->vendor_part_id = dev->pdev->device;
	a->max_mr_size = ~0ULL;
	a->max_mr = 65535;
	a->max_pd = 65535;
	a->max_ah = 65535;
	a->max_qp = 16384;
	a->max_qp_wr = 16383;
	a->max_send_sge = 32;
	a->max_recv_sge = 32;
	a->max_sge_rd = 32;
	a->max_cq = 65535;
	a->max_cqe = 196607;
	a->max_qp_rd_atom = 16;
	a->max_qp_init_rd_atom = 255;
	a->max_srq = 1024;
	a->max_srq_wr = 131071;
	a->max_srq_sge = 32;
	a->atomic_cap = IB_ATOMIC_GLOB;
	a->max_pkeys = dev->eth ? 1 : VH_NPKEYS;
	a->max_mcast_grp = 16384;
	a->max_mcast_qp_attach = 64;
	a->max_total_mcast_qp_attach = 64 * 16384;
	a->max_fast_reg_page_list_len = 256;
}

void vh_verbs_setup(struct vh_dev *dev)
{
	struct rvt_dev_info *rdi = &dev->rdi;

	vh_set_driver_f(&rdi->driver_f);
	vh_set_dparms(&rdi->dparms, dev);
	vh_set_props(&rdi->dparms.props, dev);
	rdi->post_parms = vh_post_parms;
	rdi->wc_opcode = vh_wc_opcode;
	ib_set_device_ops(&rdi->ibdev, &vh_ops);
	if (!dev->pf && !dev->eth)	/* Ethernet: vhca_eth.c */
		ib_set_device_ops(&rdi->ibdev, &vh_pf_ops);
}
