// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhca: TEST-ONLY virtual InfiniBand HCAs on QEMU's NVMe PCI functions
 * (1b36:0010, the one device of QEMU 7.2 that has SR-IOV).  The functions are
 * there for their place in the PCI and NUMA tree; their registers are never
 * touched.  Never load it on a machine that matters.
 *
 * This file: the module, its parameters, and functions that come and go.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>
#include "vhca.h"

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("TEST-ONLY virtual InfiniBand HCAs, not for production");

/* What is shown instead of an NVMe controller: a ConnectX, but no real one. */
#define VH_SPOOF_PF	0xff01		/* no id that libmlx5 would claim */
#define VH_SPOOF_VF	0xff02
#define VH_SPOOF_CLASS	0x020700	/* InfiniBand controller */
#define VH_SPOOF_ETH	0x020000	/* Ethernet controller */

static char *name = "mlx5_";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "prefix of device names (default mlx5_)");

static int ports[VH_MAX_PFS] = { [0 ... VH_MAX_PFS - 1] = 1 };
module_param_array(ports, int, NULL, 0444);
MODULE_PARM_DESC(ports, "ports of the 1st, 2nd... PF by PCI address, 1 or 2 (default 1)");

static bool ethernet[VH_MAX_PFS];
module_param_array(ethernet, bool, NULL, 0444);
MODULE_PARM_DESC(ethernet, "Y: the 1st, 2nd... PF has link layer Ethernet (RoCE), and so have its VFs (default N)");

bool vh_eth_names;
module_param_named(eth_names, vh_eth_names, bool, 0444);
MODULE_PARM_DESC(eth_names, "Ethernet interfaces are called by their PCI address, as enp9s0f0np0 (default N: eth0...)");

static char *pkeys = "0xffff,0x8001,0x8002,0x7fff";
module_param(pkeys, charp, 0444);
MODULE_PARM_DESC(pkeys, "P_Key table of every port (default 0xffff,0x8001,0x8002,0x7fff)");

static uint speed = IB_SPEED_HDR;
module_param(speed, uint, 0444);
MODULE_PARM_DESC(speed, "link speed, as enum ib_port_speed (default 64, HDR)");

bool vh_vf_autoguid = true;
module_param_named(vf_autoguid, vh_vf_autoguid, bool, 0644);
MODULE_PARM_DESC(vf_autoguid, "give VFs GUIDs (default Y); N: they stay down until one is set");

static bool spoof = true;
module_param(spoof, bool, 0444);
MODULE_PARM_DESC(spoof, "show a Mellanox InfiniBand controller in sysfs (default Y)");

/* for vh_devs and what users may change in them, see vhca.h */
DEFINE_MUTEX(vh_mutex);
LIST_HEAD(vh_devs);
static DEFINE_IDA(vh_ida);
static u16 vh_pkeys[VH_NPKEYS];

/*
 * PFs that were there at load time, sorted by PCI address.  The bus probes in
 * the order it found them, and QEMU's pxb bridges come up in reverse: so only
 * the PF with rank vh_turn is taken, for one rank after the other, and device
 * names, LIDs, ports= and netdevs all follow the PCI address.
 */
static struct pci_dev *vh_pfs[VH_MAX_PFS];
static int vh_npfs;
static int vh_turn = -1;		/* -1: all welcome */

/* No MODULE_DEVICE_TABLE: this must never load by itself. */
static const struct pci_device_id vh_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0010) },
	{ PCI_DEVICE(PCI_VENDOR_ID_MELLANOX, 0x0010) },	/* VF of a spoofed PF */
	{ }
};

static u32 vh_address(struct pci_dev *pdev)
{
	return (u32)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
}

static int vh_rank(struct pci_dev *pdev)
{
	int i;

	for (i = 0; i < vh_npfs; i++)
		if (vh_pfs[i] == pdev)
			return i;
	return -1;
}

static void vh_find_pfs(void)
{
	struct pci_dev *pdev = NULL;
	int i;

	for_each_pci_dev(pdev) {
		if (pdev->is_virtfn || pci_dev_driver(pdev) ||
		    !pci_match_id(vh_ids, pdev))
			continue;
		if (vh_npfs == VH_MAX_PFS) {
			pr_warn("more than %d PFs, the order of the rest is open\n",
				VH_MAX_PFS);
			pci_dev_put(pdev);
			break;
		}
		for (i = vh_npfs++; i > 0; i--) {
			if (vh_address(vh_pfs[i - 1]) < vh_address(pdev))
				break;
			vh_pfs[i] = vh_pfs[i - 1];
		}
		vh_pfs[i] = pci_dev_get(pdev);
	}
}

static void vh_put_pfs(void)
{
	while (vh_npfs)
		pci_dev_put(vh_pfs[--vh_npfs]);
}

/* PFs keep their unit for life, VFs take the lowest free one after those. */
static int vh_get_unit(int rank)
{
	if (rank >= 0)
		return ida_alloc_range(&vh_ida, rank, rank, GFP_KERNEL);
	return ida_alloc_range(&vh_ida, vh_npfs, VH_MAX_UNITS - 1, GFP_KERNEL);
}

static void vh_spoof(struct vh_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;

	dev->pci_vendor = pdev->vendor;
	dev->pci_device = pdev->device;
	dev->pci_class = pdev->class;
	if (!spoof)
		return;
	pdev->vendor = PCI_VENDOR_ID_MELLANOX;
	pdev->device = dev->pf ? VH_SPOOF_VF : VH_SPOOF_PF;
	pdev->class = dev->eth ? VH_SPOOF_ETH : VH_SPOOF_CLASS;
}

static void vh_unspoof(struct vh_dev *dev)
{
	dev->pdev->vendor = dev->pci_vendor;
	dev->pdev->device = dev->pci_device;
	dev->pdev->class = dev->pci_class;
}

static void vh_init_port(struct vh_dev *dev, int i, u64 base)
{
	struct vh_port *p = &dev->port[i];

	spin_lock_init(&p->rvp.lock);
	INIT_LIST_HEAD(&p->eth);
	p->rvp.gid_prefix = cpu_to_be64(0xfe80000000000000ULL);
	p->rvp.sm_lid = VH_SM_LID;
	p->rvp.port_cap_flags = IB_PORT_SYS_IMAGE_GUID_SUP |
		IB_PORT_AUTO_MIGR_SUP | IB_PORT_CLIENT_REG_SUP;
	p->rvp.subnet_timeout = 18;
	p->dev = dev;
	p->num = i + 1;
	p->lid = vh_first_lid(vh_guest) + dev->unit * VH_MAX_PORTS + i;
	/* a RoCE port has none, and the SM shall not find it */
	p->guid = dev->eth ? 0 : cpu_to_be64(base + 1 + i);
	p->link = p->state = IB_PORT_ACTIVE;
	p->phys = IB_PORT_PHYS_STATE_LINK_UP;
	p->width = IB_WIDTH_4X;
	p->speed = speed;
	if (dev->eth)
		p->pkeys[0] = IB_DEFAULT_PKEY_FULL;
	else
		memcpy(p->pkeys, vh_pkeys, sizeof(p->pkeys));
	rvt_init_port(&dev->rdi, &p->rvp, i, p->pkeys);
}

static void vh_init_dev(struct vh_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;
	struct ib_device *ibdev = &dev->rdi.ibdev;
	/* Mellanox's OUI, guest and PCI address: the same in every boot */
	u64 base = 0x0002c90300000000ULL | (u64)vh_guest << 24 |
		(u64)pci_dev_id(pdev) << 8;
	int i;

	if (dev->eth)
		base = VH_ETH_OUI << 40 | 0x03ULL << 32 | vh_eth_base(dev);
	vh_verbs_setup(dev);
	ibdev->node_guid = cpu_to_be64(base);
	dev->rdi.dparms.props.sys_image_guid =
		dev->pf ? dev->pf->rdi.ibdev.node_guid : ibdev->node_guid;
	ibdev->phys_port_cnt = dev->nports;
	ibdev->num_comp_vectors = 1;
	ibdev->dev.parent = &pdev->dev;
	snprintf(ibdev->node_desc, sizeof(ibdev->node_desc), "vhca %s",
		 pci_name(pdev));
	for (i = 0; i < dev->nports; i++)
		vh_init_port(dev, i, base);
	if (dev->pf)
		vh_vf_init(dev, base);
	rvt_set_ibdev_name(&dev->rdi, "%s%d", name, dev->unit);
}

/*
 * rdmavt keeps a trap agent per port; it would outlive the MAD ports when the
 * device moves to another net namespace.  We send no traps.
 */
static void vh_drop_trap_agents(struct vh_dev *dev)
{
	int i;

	for (i = 0; i < dev->nports; i++) {
		struct rvt_ibport *rvp = &dev->port[i].rvp;

		if (rvp->send_agent)
			ib_unregister_mad_agent(rvp->send_agent);
		rvp->send_agent = NULL;
	}
}

static int vh_register(struct vh_dev *dev)
{
	int ret = rvt_register_device(&dev->rdi);

	if (ret)
		return ret;
	vh_drop_trap_agents(dev);
	mutex_lock(&vh_mutex);
	list_add_tail(&dev->list, &vh_devs);
	/* the PF's link may have changed while nobody could find this VF */
	if (dev->pf && dev->port[0].link != vh_vf_state(dev))
		vh_set_state(&dev->port[0], vh_vf_state(dev));
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vh_dev *dev, *pf = NULL;
	int unit, ret, nports = 1, vf = -1, rank = vh_rank(pdev);

	if (pdev->is_virtfn) {
		/* with another driver on the PF its data is not ours to read */
		if (pci_dev_driver(pci_physfn(pdev)) != &vh_driver)
			return -ENODEV;
		pf = pci_get_drvdata(pci_physfn(pdev));
		vf = pci_iov_vf_id(pdev);
		if (!pf || vf < 0 || vf >= VH_MAX_VFS)
			return -ENODEV;
	} else {
		if (pdev->vendor != PCI_VENDOR_ID_REDHAT)
			return -ENODEV;
		if (vh_turn >= 0 && rank != vh_turn)
			return -ENODEV;
		if (rank >= 0)
			nports = ports[rank];
	}
	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	unit = vh_get_unit(rank);
	if (unit < 0) {
		ret = unit;
		goto err_pci;
	}
	dev = (struct vh_dev *)rvt_alloc_device(sizeof(*dev), nports);
	if (!dev) {
		ret = -ENOMEM;
		goto err_ida;
	}
	dev->pdev = pdev;
	dev->pf = pf;
	dev->vf_id = vf;
	dev->unit = unit;
	dev->nports = nports;
	dev->eth = pf ? pf->eth : rank >= 0 && ethernet[rank];
	INIT_LIST_HEAD(&dev->list);
	vh_spoof(dev);
	vh_init_dev(dev);
	pci_set_drvdata(pdev, dev);
	ret = vh_eth_add(dev);
	if (ret)
		goto err_eth;
	ret = vh_register(dev);
	if (ret)
		goto err_reg;
	return 0;

err_reg:
	vh_eth_del(dev);
err_eth:
	pci_set_drvdata(pdev, NULL);
	vh_unspoof(dev);
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
	int unit = dev->unit;

	/* removes our VFs, that is, comes back here: no lock may be held */
	if (!dev->pf)
		pci_disable_sriov(pdev);
	mutex_lock(&vh_mutex);
	list_del_init(&dev->list);
	mutex_unlock(&vh_mutex);
	/* off the fabric first, as a pulled cable: no new data from others */
	vh_fabric_del(dev);
	synchronize_rcu();
	rvt_unregister_device(&dev->rdi);
	vh_eth_del(dev);
	vh_sm_forget(dev->port[0].lid, dev->nports);
	pci_set_drvdata(pdev, NULL);
	vh_unspoof(dev);
	rvt_dealloc_device(&dev->rdi);
	ida_free(&vh_ida, unit);
	pci_disable_device(pdev);
}

struct pci_driver vh_driver = {
	.name = "vhca",
	.id_table = vh_ids,
	.probe = vh_probe,
	.remove = vh_remove,
	.sriov_configure = vh_sriov,
};

static int __init vh_check_params(void)
{
	int i;

	for (i = 0; i < VH_MAX_PFS; i++) {
		if (ports[i] < 1 || ports[i] > VH_MAX_PORTS) {
			pr_err("ports=...%d: 1 to %d\n", ports[i], VH_MAX_PORTS);
			return -EINVAL;
		}
	}
	if (!vh_speed_ok(speed)) {
		pr_err("speed=%u: a power of two, at most 128\n", speed);
		return -EINVAL;
	}
	if (vh_parse_pkeys(pkeys, vh_pkeys)) {
		pr_err("pkeys=%s: at most %d numbers\n", pkeys, VH_NPKEYS);
		return -EINVAL;
	}
	if (!*name || strlen(name) > IB_DEVICE_NAME_MAX - 4 ||
	    strpbrk(name, "%/ \t")) {
		pr_err("name=%s: not a device name\n", name);
		return -EINVAL;
	}
	return 0;
}

static int __init vh_init(void)
{
	int ret = vh_check_params();

	if (ret)
		return ret;
	ret = vh_send_init();
	if (ret)
		return ret;
	ret = vh_wire_init();
	if (ret) {
		vh_send_exit();
		return ret;
	}
	vh_find_pfs();
	pr_warn("TEST-ONLY virtual InfiniBand HCAs on %d PCI functions, never use on a real machine\n",
		vh_npfs);
	vh_turn = vh_npfs ? 0 : -1;
	ret = pci_register_driver(&vh_driver);
	if (ret) {
		vh_put_pfs();
		vh_wire_exit();
		vh_send_exit();
		return ret;
	}
	/* rank 0 is bound; the others in turn, and what came late */
	while (vh_turn >= 0) {
		vh_turn = vh_turn + 1 < vh_npfs ? vh_turn + 1 : -1;
		ret = driver_attach(&vh_driver.driver);
		if (ret)
			pr_warn("driver_attach: %d\n", ret);
	}
	vh_wire_announce();		/* the ports are there */
	return 0;
}

static void __exit vh_exit(void)
{
	pci_unregister_driver(&vh_driver);
	vh_put_pfs();
	vh_wire_exit();
	vh_send_exit();
	vh_sm_exit();
	ida_destroy(&vh_ida);
}

module_init(vh_init);
module_exit(vh_exit);
