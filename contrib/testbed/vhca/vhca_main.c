// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhca: TEST-ONLY virtual InfiniBand HCAs on QEMU NVMe PCI functions
 * (1b36:0010, SR-IOV capable).  Never load it on a machine that matters.
 */
#include <linux/module.h>
#include <linux/idr.h>
#include <linux/vmalloc.h>
#include <linux/if_link.h>
#include <rdma/ib_addr.h>
#include <rdma/uverbs_ioctl.h>
#include "vhca.h"

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("TEST-ONLY virtual InfiniBand HCA");

static char *name = "mlx5_";
module_param(name, charp, 0444);
static char *pkeys = "0xffff,0x8001,0x8002,0x7fff";
module_param(pkeys, charp, 0444);
static int ports[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
module_param_array(ports, int, NULL, 0444);
MODULE_PARM_DESC(ports, "ports of the 1st, 2nd... PF");
static bool vf_autoguid = true;
module_param(vf_autoguid, bool, 0644);
bool vh_sa_enable = true;
module_param_named(sa, vh_sa_enable, bool, 0644);
static bool spoof = true;
module_param(spoof, bool, 0444);
MODULE_PARM_DESC(spoof, "show 15b3:ff01 (PF), 15b3:ff02 (VF), class 0207 in sysfs");
static int speed = IB_SPEED_HDR;
module_param(speed, int, 0444);

struct workqueue_struct *vh_wq;
static DEFINE_IDA(vh_ida);
static DEFINE_MUTEX(vh_mutex);			/* list, control */
static LIST_HEAD(vh_devs);
static struct vh_port __rcu *vh_lids[VH_MAX_LIDS];
static int vh_npf;
static atomic_t vh_qpn = ATOMIC_INIT(0x100);

struct vh_port *vh_port_by_lid(u16 lid)
{
	return lid < VH_MAX_LIDS ? rcu_dereference(vh_lids[lid]) : NULL;
}

struct vh_port *vh_port_by_gid(const union ib_gid *gid)
{
	struct vh_port *p;
	int i;

	for (i = 0; i < VH_MAX_LIDS; i++) {
		p = rcu_dereference(vh_lids[i]);
		if (p && p->guid == gid->global.interface_id &&
		    p->rvp.gid_prefix == gid->global.subnet_prefix)
			return p;
	}
	return NULL;
}

void vh_for_each_port(void (*fn)(struct vh_port *, void *), void *arg)
{
	struct vh_port *p;
	int i;

	for (i = 0; i < VH_MAX_LIDS; i++) {
		p = rcu_dereference(vh_lids[i]);
		if (p)
			fn(p, arg);
	}
}

int vh_pkey_index(struct vh_port *p, u16 pkey)
{
	int i;

	for (i = 0; i < VH_NPKEYS; i++)
		if (p->pkeys[i] == pkey)
			return i;
	for (i = 0; i < VH_NPKEYS; i++)
		if (vh_pkey_match(p->pkeys[i], pkey))
			return i;
	return -1;
}

/* ---- rdmavt's driver half ---- */

static struct pci_dev *vh_get_pci_dev(struct rvt_dev_info *rdi)
{
	return container_of(rdi, struct vh_dev, rdi)->pdev;
}

static void *vh_qp_priv_alloc(struct rvt_dev_info *rdi, struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = kzalloc(sizeof(*priv), GFP_KERNEL);

	if (!priv)
		return ERR_PTR(-ENOMEM);
	priv->buf = kmalloc(VH_UD_MTU, GFP_KERNEL);
	if (!priv->buf) {
		kfree(priv);
		return ERR_PTR(-ENOMEM);
	}
	priv->qp = qp;
	INIT_WORK(&priv->work, vh_send_work);
	return priv;
}

static void vh_qp_priv_free(struct rvt_dev_info *rdi, struct rvt_qp *qp)
{
	struct vh_qp_priv *priv = qp->priv;

	kfree(priv->buf);
	kfree(priv);
}

static void vh_do_send(struct rvt_qp *qp)
{
	queue_work(vh_wq, &((struct vh_qp_priv *)qp->priv)->work);
}

static bool vh_schedule_send(struct rvt_qp *qp)
{
	vh_do_send(qp);
	return true;
}

static void vh_stop_send_queue(struct rvt_qp *qp)
{
	cancel_work_sync(&((struct vh_qp_priv *)qp->priv)->work);
}

/*
 * rdmavt's own allocator never gives QP0/QP1 back, so a device could not open
 * its MAD ports again after a move to another net namespace.  QPNs are unique
 * over all devices and never used twice (24 bits are plenty for a test).
 */
static int vh_alloc_qpn(struct rvt_dev_info *rdi, struct rvt_qpn_table *qpt,
			enum ib_qp_type type, u32 port_num)
{
	int n;

	if (type == IB_QPT_SMI || type == IB_QPT_GSI)
		return type == IB_QPT_GSI;
	n = atomic_inc_return(&vh_qpn);
	return n >= 0x600000 ? -ENOMEM : n;
}

static void vh_qp_nop(struct rvt_qp *qp) { }
static void vh_restart_rc(struct rvt_qp *qp, u32 psn, int wait) { }
static unsigned int vh_free_all_qps(struct rvt_dev_info *rdi) { return 0; }
static void vh_cap_mask_chg(struct rvt_dev_info *rdi, u32 port) { }
static int vh_comp_vect_cpu(struct rvt_dev_info *rdi, int v)
{
	return cpumask_first(cpu_online_mask);
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
	return attr->path_mtu > IB_MTU_4096 ? -EINVAL : attr->path_mtu;
}

static int vh_check_ah(struct ib_device *ibdev, struct rdma_ah_attr *a)
{
	u32 dlid = rdma_ah_get_dlid(a);

	if (!dlid || rdma_ah_get_sl(a) > 15)
		return -EINVAL;
	if (dlid >= 0xc000 && dlid != 0xffff &&
	    !(rdma_ah_get_ah_flags(a) & IB_AH_GRH))
		return -EINVAL;
	return 0;
}

static void vh_notify_new_ah(struct ib_device *ibdev, struct rdma_ah_attr *a,
			     struct rvt_ah *ah)
{
	ah->vl = 0;
	ah->log_pmtu = ilog2(VH_UD_MTU);
}

static int vh_setup_wqe(struct rvt_qp *qp, struct rvt_swqe *wqe,
			bool *call_send)
{
	*call_send = false;
	if (qp->ibqp.qp_type != IB_QPT_RC && qp->ibqp.qp_type != IB_QPT_UC &&
	    wqe->length > VH_UD_MTU)
		return -EINVAL;
	return wqe->length > 0x80000000U ? -EINVAL : 0;
}

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
	struct vh_port *p = &container_of(rdi, struct vh_dev, rdi)->port[num - 1];

	a->lid = p->state == IB_PORT_DOWN ? 0 : p->lid;
	a->sm_lid = p->state == IB_PORT_ACTIVE ? VH_SM_LID : 0;
	a->state = p->state;
	a->phys_state = p->phys;
	a->gid_tbl_len = 1;
	a->active_width = p->width;
	a->active_speed = p->speed;
	a->max_vl_num = 1;
	a->max_mtu = IB_MTU_4096;
	a->active_mtu = IB_MTU_4096;
	return 0;
}

static void vh_event(struct vh_port *p, enum ib_event_type t)
{
	struct ib_event ev = { .device = &p->dev->rdi.ibdev, .event = t,
			       .element.port_num = p->num };

	ib_dispatch_event(&ev);
}

static void vh_set_state(struct vh_port *p, int state)
{
	bool was = p->state == IB_PORT_ACTIVE;

	p->state = state;
	p->phys = state == IB_PORT_DOWN ? IB_PORT_PHYS_STATE_DISABLED :
		IB_PORT_PHYS_STATE_LINK_UP;
	if (!was && state == IB_PORT_ACTIVE) {
		vh_event(p, IB_EVENT_LID_CHANGE);
		vh_event(p, IB_EVENT_PORT_ACTIVE);
	} else if (was && state != IB_PORT_ACTIVE) {
		vh_sa_forget(p);
		vh_event(p, IB_EVENT_PORT_ERR);
	}
}

static int vh_shut_down_port(struct rvt_dev_info *rdi, u32 num)
{
	vh_set_state(&container_of(rdi, struct vh_dev, rdi)->port[num - 1],
		     IB_PORT_DOWN);
	return 0;
}

/* ---- ib_device_ops not in rdmavt ---- */

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
 * Device removal and moves between net namespaces need disassociate_ucontext,
 * which rdmavt lacks: the last munmap by a process that outlives its ucontext
 * would follow rvt_mmap_info.context into freed memory.  So the mapping side
 * is ours: it never looks at the context.  The pages are plain vmalloc memory,
 * there is nothing to zap.
 */
static void vh_disassociate(struct ib_ucontext *c) { }

static void vh_free_map(struct kref *ref)
{
	struct rvt_mmap_info *ip = container_of(ref, struct rvt_mmap_info, ref);

	if (!list_empty(&ip->pending_mmaps))
		return;		/* resized, never mapped again: leak it */
	vfree(ip->obj);
	kfree(ip);
}

static void vh_vma_open(struct vm_area_struct *vma)
{
	struct rvt_mmap_info *ip = vma->vm_private_data;

	__module_get(THIS_MODULE);	/* uverbs does not pin us */
	kref_get(&ip->ref);
}

static void vh_vma_close(struct vm_area_struct *vma)
{
	struct rvt_mmap_info *ip = vma->vm_private_data;

	kref_put(&ip->ref, vh_free_map);
	module_put(THIS_MODULE);
}

static const struct vm_operations_struct vh_vm_ops = {
	.open = vh_vma_open,
	.close = vh_vma_close,
};

static int vh_mmap(struct ib_ucontext *ctx, struct vm_area_struct *vma)
{
	struct rvt_dev_info *rdi = ib_to_rvt(ctx->device);
	unsigned long off = vma->vm_pgoff << PAGE_SHIFT;
	struct rvt_mmap_info *ip;
	int ret;

	spin_lock_irq(&rdi->pending_lock);
	list_for_each_entry(ip, &rdi->pending_mmaps, pending_mmaps)
		if (ip->context == ctx && ip->offset == off)
			goto found;
	spin_unlock_irq(&rdi->pending_lock);
	return -EINVAL;
found:
	if (vma->vm_end - vma->vm_start > ip->size) {
		spin_unlock_irq(&rdi->pending_lock);
		return -EINVAL;
	}
	list_del_init(&ip->pending_mmaps);
	spin_unlock_irq(&rdi->pending_lock);
	ret = remap_vmalloc_range(vma, ip->obj, 0);
	if (ret)
		return ret;
	vma->vm_ops = &vh_vm_ops;
	vma->vm_private_data = ip;
	vh_vma_open(vma);
	return 0;
}

static struct vh_dev *vh_find_vf(struct vh_dev *pf, int vf)
{
	struct vh_dev *d;

	list_for_each_entry(d, &vh_devs, list)
		if (d->pf == pf && d->vf_id == vf)
			return d;
	return NULL;
}

static int vh_vf_state(struct vh_dev *pf, int vf)
{
	switch (pf->vf[vf].link) {
	case IFLA_VF_LINK_STATE_ENABLE:
		return IB_PORT_ACTIVE;
	case IFLA_VF_LINK_STATE_DISABLE:
		return IB_PORT_DOWN;
	}
	return pf->port[0].state;
}

static bool vh_vf_ok(struct vh_dev *pf, int vf)
{
	return !pf->pf && vf >= 0 && vf < pci_num_vf(pf->pdev) &&
	       vf < VH_MAX_VFS;
}

static int vh_set_vf_link_state(struct ib_device *ibdev, int vf, u32 port,
				int state)
{
	struct vh_dev *pf = to_vh(ibdev), *d;

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	pf->vf[vf].link = state;
	d = vh_find_vf(pf, vf);
	if (d && d->port[0].guid)
		vh_set_state(&d->port[0], vh_vf_state(pf, vf));
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_get_vf_config(struct ib_device *ibdev, int vf, u32 port,
			    struct ifla_vf_info *i)
{
	struct vh_dev *pf = to_vh(ibdev);

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	memset(i, 0, sizeof(*i));
	i->vf = vf;
	i->linkstate = pf->vf[vf].link;
	return 0;
}

static int vh_get_vf_stats(struct ib_device *ibdev, int vf, u32 port,
			   struct ifla_vf_stats *s)
{
	struct vh_dev *pf = to_vh(ibdev), *d;

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	d = vh_find_vf(pf, vf);
	if (d) {
		s->rx_packets = atomic64_read(&d->port[0].rx_pkts);
		s->tx_packets = atomic64_read(&d->port[0].tx_pkts);
		s->rx_bytes = atomic64_read(&d->port[0].rx_bytes);
		s->tx_bytes = atomic64_read(&d->port[0].tx_bytes);
	}
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_get_vf_guid(struct ib_device *ibdev, int vf, u32 port,
			  struct ifla_vf_guid *node, struct ifla_vf_guid *pg)
{
	struct vh_dev *pf = to_vh(ibdev);

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	node->guid = pf->vf[vf].node_guid;
	pg->guid = pf->vf[vf].port_guid;
	return 0;
}

/* As mlx5: the VF sees the new GUIDs when its driver is bound again. */
static int vh_set_vf_guid(struct ib_device *ibdev, int vf, u32 port, u64 guid,
			  int type)
{
	struct vh_dev *pf = to_vh(ibdev);

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	if (type == IFLA_VF_IB_NODE_GUID)
		pf->vf[vf].node_guid = guid;
	else if (type == IFLA_VF_IB_PORT_GUID)
		pf->vf[vf].port_guid = guid;
	else
		return -EINVAL;
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
	&dev_attr_hca_type.attr, &dev_attr_hw_rev.attr,
	&dev_attr_board_id.attr, NULL
};
static const struct attribute_group vh_group = { .attrs = vh_attrs };
static const struct attribute_group *vh_port_groups[] = { NULL };

static const struct ib_device_ops vh_ops = {
	.owner = THIS_MODULE,
	.driver_id = RDMA_DRIVER_QIB,	/* userspace: libipathverbs */
	.device_group = &vh_group,
	.port_groups = vh_port_groups,
	.process_mad = vh_process_mad,
	.get_dev_fw_str = vh_get_fw,
	.modify_device = vh_modify_device,
	.disassociate_ucontext = vh_disassociate,
	.mmap = vh_mmap,
};

static const struct ib_device_ops vh_pf_ops = {
	.set_vf_link_state = vh_set_vf_link_state,
	.get_vf_config = vh_get_vf_config,
	.get_vf_stats = vh_get_vf_stats,
	.get_vf_guid = vh_get_vf_guid,
	.set_vf_guid = vh_set_vf_guid,
};

static void vh_parse_pkeys(struct vh_port *p, const char *s)
{
	char *dup = kstrdup(s, GFP_KERNEL), *cur = dup, *tok;
	int i = 0;
	u16 v;

	if (!dup)
		return;
	memset(p->pkeys, 0, sizeof(p->pkeys));
	while ((tok = strsep(&cur, ",")) && i < VH_NPKEYS)
		if (*tok && !kstrtou16(tok, 0, &v))
			p->pkeys[i++] = v;
	kfree(dup);
}

static void vh_fill(struct vh_dev *dev)
{
	struct rvt_dev_info *rdi = &dev->rdi;
	struct ib_device_attr *a = &rdi->dparms.props;
	struct rvt_driver_provided *f = &rdi->driver_f;

	f->get_pci_dev = vh_get_pci_dev;
	f->qp_priv_alloc = vh_qp_priv_alloc;
	f->qp_priv_free = vh_qp_priv_free;
	f->alloc_qpn = vh_alloc_qpn;
	f->notify_qp_reset = vh_qp_nop;
	f->flush_qp_waiters = vh_qp_nop;
	f->notify_error_qp = vh_qp_nop;
	f->quiesce_qp = vh_qp_nop;
	f->stop_send_queue = vh_stop_send_queue;
	f->free_all_qps = vh_free_all_qps;
	f->notify_restart_rc = vh_restart_rc;
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

	rdi->post_parms = vh_post_parms;
	rdi->wc_opcode = vh_wc_opcode;
	rdi->dparms.lkey_table_size = 16;
	rdi->dparms.qp_table_size = 256;
	rdi->dparms.qpn_start = 1;
	rdi->dparms.qpn_inc = 1;
	rdi->dparms.qos_shift = 1;
	rdi->dparms.qpn_res_start = 0x656b78;
	rdi->dparms.qpn_res_end = 0x656b78;
	rdi->dparms.psn_mask = 0xffffff;
	rdi->dparms.psn_modify_mask = 0xffffff;
	rdi->dparms.psn_shift = 8;
	rdi->dparms.nports = dev->nports;
	rdi->dparms.npkeys = VH_NPKEYS;
	rdi->dparms.node = max(dev_to_node(&dev->pdev->dev), 0);
	rdi->dparms.core_cap_flags = RDMA_CORE_PORT_IBA_IB;
	rdi->dparms.max_mad_size = IB_MGMT_MAD_SIZE;
	rdi->dparms.max_rdma_atomic = 16;
	rdi->dparms.sge_copy_mode = RVT_SGE_COPY_MEMCPY;

	a->device_cap_flags = IB_DEVICE_BAD_PKEY_CNTR |
		IB_DEVICE_BAD_QKEY_CNTR | IB_DEVICE_SHUTDOWN_PORT |
		IB_DEVICE_SYS_IMAGE_GUID | IB_DEVICE_RC_RNR_NAK_GEN |
		IB_DEVICE_PORT_ACTIVE_EVENT | IB_DEVICE_SRQ_RESIZE |
		IB_DEVICE_MEM_MGT_EXTENSIONS;
	if (dev->pf)
		a->kernel_cap_flags |= IBK_VIRTUAL_FUNCTION;
	a->fw_ver = 1;
	a->page_size_cap = PAGE_SIZE;
	a->vendor_id = 0x001175;
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
	a->max_pkeys = VH_NPKEYS;
	a->max_mcast_grp = 16384;
	a->max_mcast_qp_attach = 64;
	a->max_total_mcast_qp_attach = 64 * 16384;
	a->max_fast_reg_page_list_len = 256;
}

static int vh_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vh_dev *dev, *pf = NULL;
	struct ib_device *ibdev;
	int unit, i, ret, nports = 1, vf = -1;
	u64 base;

	if (pdev->is_virtfn) {
		pf = pci_get_drvdata(pci_physfn(pdev));
		vf = pci_iov_vf_id(pdev);
		if (!pf || vf < 0 || vf >= VH_MAX_VFS)
			return -ENODEV;
	} else {
		nports = clamp(ports[min(vh_npf, 7)], 1, VH_MAX_PORTS);
	}
	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	if (spoof) {	/* no mlx5 id: libmlx5 must not claim the device */
		pdev->vendor = PCI_VENDOR_ID_MELLANOX;
		pdev->device = pf ? 0xff02 : 0xff01;
		pdev->class = 0x020700;
	}
	unit = ida_alloc_max(&vh_ida, (VH_MAX_LIDS - VH_LID_BASE) / 2 - 1,
			     GFP_KERNEL);
	if (unit < 0) {
		ret = unit;
		goto err_pci;
	}
	dev = (void *)rvt_alloc_device(sizeof(*dev), nports);
	if (!dev) {
		ret = -ENOMEM;
		goto err_ida;
	}
	dev->pdev = pdev;
	dev->pf = pf;
	dev->vf_id = vf;
	dev->unit = unit;
	dev->nports = nports;
	ibdev = &dev->rdi.ibdev;
	/* Mellanox OUI, a "1e57" (test) tag, and the PCI address */
	base = 0x0002c90300000000ULL | (u64)(pci_dev_id(pdev) & 0xffff) << 8;
	vh_fill(dev);
	dev->rdi.dparms.props.sys_image_guid =
		cpu_to_be64(pf ? be64_to_cpu(pf->rdi.ibdev.node_guid) : base);
	ibdev->node_guid = cpu_to_be64(base);
	ibdev->phys_port_cnt = nports;
	ibdev->num_comp_vectors = 1;
	ibdev->dev.parent = &pdev->dev;
	snprintf(ibdev->node_desc, sizeof(ibdev->node_desc), "vhca %s",
		 pci_name(pdev));
	for (i = 0; i < nports; i++) {
		struct vh_port *p = &dev->port[i];

		spin_lock_init(&p->rvp.lock);
		p->rvp.gid_prefix = cpu_to_be64(0xfe80000000000000ULL);
		p->rvp.sm_lid = VH_SM_LID;
		p->rvp.port_cap_flags = IB_PORT_SYS_IMAGE_GUID_SUP |
			IB_PORT_AUTO_MIGR_SUP | IB_PORT_CLIENT_REG_SUP;
		p->rvp.subnet_timeout = 18;
		p->dev = dev;
		p->num = i + 1;
		p->lid = VH_LID_BASE + unit * 2 + i;
		p->guid = cpu_to_be64(base + 1 + i);
		p->state = IB_PORT_ACTIVE;
		p->phys = IB_PORT_PHYS_STATE_LINK_UP;
		p->width = IB_WIDTH_4X;
		p->speed = speed;
		vh_parse_pkeys(p, pkeys);
		rvt_init_port(&dev->rdi, &p->rvp, i, p->pkeys);
	}
	if (pf) {
		struct vh_vf *v = &pf->vf[vf];

		if (vf_autoguid) {
			if (!v->node_guid)
				v->node_guid = base;
			if (!v->port_guid)
				v->port_guid = base + 1;
		}
		ibdev->node_guid = cpu_to_be64(v->node_guid);
		dev->port[0].guid = cpu_to_be64(v->port_guid);
		dev->port[0].state = v->port_guid ? vh_vf_state(pf, vf) :
			IB_PORT_DOWN;
		if (dev->port[0].state == IB_PORT_DOWN)
			dev->port[0].phys = IB_PORT_PHYS_STATE_DISABLED;
	}
	rvt_set_ibdev_name(&dev->rdi, "%s%d", name, unit);
	ib_set_device_ops(ibdev, &vh_ops);
	if (!pf)
		ib_set_device_ops(ibdev, &vh_pf_ops);
	pci_set_drvdata(pdev, dev);
	for (i = 0; i < nports; i++)
		rcu_assign_pointer(vh_lids[dev->port[i].lid], &dev->port[i]);
	ret = rvt_register_device(&dev->rdi);
	if (ret)
		goto err_reg;
	/*
	 * rdmavt keeps a trap agent per port; it would outlive the MAD ports
	 * when the device moves to another net namespace.  We send no traps.
	 */
	for (i = 0; i < nports; i++)
		if (dev->port[i].rvp.send_agent) {
			ib_unregister_mad_agent(dev->port[i].rvp.send_agent);
			dev->port[i].rvp.send_agent = NULL;
		}
	mutex_lock(&vh_mutex);
	list_add_tail(&dev->list, &vh_devs);
	mutex_unlock(&vh_mutex);
	if (!pf)
		vh_npf++;
	return 0;

err_reg:
	for (i = 0; i < nports; i++)
		RCU_INIT_POINTER(vh_lids[dev->port[i].lid], NULL);
	synchronize_rcu();
	pci_set_drvdata(pdev, NULL);
	rvt_dealloc_device(&dev->rdi);
err_ida:
	ida_free(&vh_ida, unit);
err_pci:
	pci_disable_device(pdev);
	return ret;
}

static void vh_remove(struct pci_dev *pdev)
{
	struct vh_dev *dev = pci_get_drvdata(pdev);
	int i, unit = dev->unit;

	if (!pdev->is_virtfn)
		pci_disable_sriov(pdev);
	mutex_lock(&vh_mutex);
	list_del(&dev->list);
	mutex_unlock(&vh_mutex);
	/* off the fabric first: nobody may look up our QPs any more */
	for (i = 0; i < dev->nports; i++)
		RCU_INIT_POINTER(vh_lids[dev->port[i].lid], NULL);
	synchronize_rcu();
	rvt_unregister_device(&dev->rdi);
	for (i = 0; i < dev->nports; i++)
		vh_sa_forget(&dev->port[i]);
	pci_set_drvdata(pdev, NULL);
	rvt_dealloc_device(&dev->rdi);
	ida_free(&vh_ida, unit);
	pci_disable_device(pdev);
}

static int vh_sriov(struct pci_dev *pdev, int num)
{
	int ret;

	if (!num) {
		struct vh_dev *pf = pci_get_drvdata(pdev);

		pci_disable_sriov(pdev);
		memset(pf->vf, 0, sizeof(pf->vf));
		return 0;
	}
	ret = pci_enable_sriov(pdev, num);
	return ret ? ret : num;
}

static const struct pci_device_id vh_ids[] = {
	{ PCI_DEVICE(0x1b36, 0x0010) },
	{ PCI_DEVICE(0x15b3, 0x0010) },		/* VF of a spoofed PF */
	{ PCI_DEVICE(0x15b3, 0xff01) },
	{ PCI_DEVICE(0x15b3, 0xff02) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vh_ids);

static struct pci_driver vh_driver = {
	.name = "vhca",
	.id_table = vh_ids,
	.probe = vh_probe,
	.remove = vh_remove,
	.sriov_configure = vh_sriov,
};

/*
 * echo "mlx5_0/1 state=down" > /sys/module/vhca/parameters/ctl
 * keys: state=down|init|armed|active speed=N width=N pkeys=a,b,...
 */
static int vh_ctl_set(const char *val, const struct kernel_param *kp)
{
	char *dup = kstrdup(val, GFP_KERNEL), *cur, *tok, *dn, *eq;
	struct vh_dev *d;
	struct vh_port *p = NULL;
	int port, ret = -EINVAL;

	if (!dup)
		return -ENOMEM;
	cur = strim(dup);
	tok = strsep(&cur, " ");
	dn = strsep(&tok, "/");
	if (!tok || kstrtoint(tok, 0, &port) || port < 1)
		goto out;
	mutex_lock(&vh_mutex);
	list_for_each_entry(d, &vh_devs, list)
		if (!strcmp(dev_name(&d->rdi.ibdev.dev), dn) &&
		    port <= d->nports)
			p = &d->port[port - 1];
	if (!p) {
		ret = -ENODEV;
		goto unlock;
	}
	while (cur && (tok = strsep(&cur, " "))) {
		if (!*tok)
			continue;
		eq = strchr(tok, '=');
		if (!eq)
			goto unlock;
		*eq++ = 0;
		if (!strcmp(tok, "state")) {
			if (!strcmp(eq, "down"))
				vh_set_state(p, IB_PORT_DOWN);
			else if (!strcmp(eq, "init"))
				vh_set_state(p, IB_PORT_INIT);
			else if (!strcmp(eq, "armed"))
				vh_set_state(p, IB_PORT_ARMED);
			else if (!strcmp(eq, "active"))
				vh_set_state(p, IB_PORT_ACTIVE);
			else
				goto unlock;
		} else if (!strcmp(tok, "speed")) {
			if (kstrtou16(eq, 0, &p->speed))
				goto unlock;
		} else if (!strcmp(tok, "width")) {
			if (kstrtou8(eq, 0, &p->width))
				goto unlock;
		} else if (!strcmp(tok, "pkeys")) {
			vh_parse_pkeys(p, eq);
			vh_event(p, IB_EVENT_PKEY_CHANGE);
		} else {
			goto unlock;
		}
	}
	ret = 0;
unlock:
	mutex_unlock(&vh_mutex);
out:
	kfree(dup);
	return ret;
}
static const struct kernel_param_ops vh_ctl_ops = { .set = vh_ctl_set };
module_param_cb(ctl, &vh_ctl_ops, NULL, 0200);

static int __init vh_init(void)
{
	int ret;

	vh_wq = alloc_workqueue("vhca", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!vh_wq)
		return -ENOMEM;
	ret = pci_register_driver(&vh_driver);
	if (ret)
		destroy_workqueue(vh_wq);
	return ret;
}

static void __exit vh_exit(void)
{
	pci_unregister_driver(&vh_driver);
	destroy_workqueue(vh_wq);
	vh_sa_cleanup();
}
module_init(vh_init);
module_exit(vh_exit);
