// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV, the PF's side: VFs on and off, and what `ip link set <pf> vf N` and
 * `ip link show` ask for: GUIDs, link state, counters.  As with mlx5 a VF takes
 * new GUIDs when its driver is bound again, and the link state at once.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/if_link.h>
#include "vhca.h"

bool vh_vf_ok(struct vh_dev *pf, int vf)
{
	return vf >= 0 && vf < pci_num_vf(pf->pdev) && vf < VH_MAX_VFS;
}

/* Under vh_mutex. */
struct vh_dev *vh_find_vf(struct vh_dev *pf, int vf)
{
	struct vh_dev *d;

	list_for_each_entry(d, &vh_devs, list)
		if (d->pf == pf && d->vf_id == vf)
			return d;
	return NULL;
}

/* What the link of a VF should be.  Under vh_mutex. */
int vh_vf_state(struct vh_dev *dev)
{
	/* the SM does not talk to GUID 0 */
	if (!dev->eth && !dev->port[0].guid)
		return IB_PORT_DOWN;
	switch (dev->pf->vf[dev->vf_id].link) {
	case IFLA_VF_LINK_STATE_ENABLE:
		return IB_PORT_ACTIVE;
	case IFLA_VF_LINK_STATE_DISABLE:
		return IB_PORT_DOWN;
	}
	return dev->pf->port[0].link;	/* auto: follow the PF */
}

/* The PF's port 1 changed: so do the VFs that follow it.  Under vh_mutex. */
void vh_vf_follow(struct vh_dev *pf)
{
	struct vh_dev *d;

	list_for_each_entry(d, &vh_devs, list)
		if (d->pf == pf &&
		    pf->vf[d->vf_id].link == IFLA_VF_LINK_STATE_AUTO)
			vh_set_state(&d->port[0], vh_vf_state(d));
}

/* GUIDs and link of a VF that is being probed. */
void vh_vf_init(struct vh_dev *dev, u64 base)
{
	struct vh_vf *v = &dev->pf->vf[dev->vf_id];
	struct vh_port *p = &dev->port[0];

	mutex_lock(&vh_mutex);
	if (vh_vf_autoguid) {
		if (!v->node_guid)
			v->node_guid = base;
		if (!v->port_guid)
			v->port_guid = base + 1;
	}
	if (dev->eth && v->admin_mac) {
		/* EUI-64, as mlx5 makes it */
		v->node_guid = ether_addr_to_u64(v->mac);
		v->node_guid = v->node_guid >> 24 << 40 | 0xfffeULL << 24 |
			(v->node_guid & 0xffffff);
	} else if (dev->eth && vh_vf_autoguid) {
		vh_eth_mac(p, v->mac);
		v->node_guid = base;
	} else if (dev->eth) {
		eth_random_addr(v->mac);
	}
	dev->rdi.ibdev.node_guid = cpu_to_be64(v->node_guid);
	p->guid = dev->eth ? 0 : cpu_to_be64(v->port_guid);
	p->link = p->state = vh_vf_state(dev);
	if (p->state == IB_PORT_DOWN)
		p->phys = IB_PORT_PHYS_STATE_DISABLED;
	mutex_unlock(&vh_mutex);
}

/* Of either link layer. */
int vh_vf_set_link(struct vh_dev *pf, int vf, int state)
{
	struct vh_dev *d;

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	pf->vf[vf].link = state;
	d = vh_find_vf(pf, vf);
	if (d)
		vh_set_state(&d->port[0], vh_vf_state(d));
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_set_vf_link_state(struct ib_device *ibdev, int vf, u32 port,
				int state)
{
	return vh_vf_set_link(to_vh(ibdev), vf, state);
}

static int vh_get_vf_config(struct ib_device *ibdev, int vf, u32 port,
			    struct ifla_vf_info *info)
{
	struct vh_dev *pf = to_vh(ibdev);

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->vf = vf;
	info->linkstate = READ_ONCE(pf->vf[vf].link);
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
		struct vh_counter *rx = &d->port[0].rx, *tx = &d->port[0].tx;

		s->rx_bytes = atomic64_read(&rx->octets);
		s->tx_bytes = atomic64_read(&tx->octets);
		s->multicast = atomic64_read(&rx->mcast);
		s->rx_packets = atomic64_read(&rx->ucast) + s->multicast;
		s->tx_packets = atomic64_read(&tx->ucast) +
			atomic64_read(&tx->mcast);
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
	mutex_lock(&vh_mutex);
	node->guid = pf->vf[vf].node_guid;
	pg->guid = pf->vf[vf].port_guid;
	mutex_unlock(&vh_mutex);
	return 0;
}

static int vh_set_vf_guid(struct ib_device *ibdev, int vf, u32 port, u64 guid,
			  int type)
{
	struct vh_dev *pf = to_vh(ibdev);
	int ret = 0;

	if (!vh_vf_ok(pf, vf))
		return -EINVAL;
	mutex_lock(&vh_mutex);
	if (type == IFLA_VF_IB_NODE_GUID)
		pf->vf[vf].node_guid = guid;
	else if (type == IFLA_VF_IB_PORT_GUID)
		pf->vf[vf].port_guid = guid;
	else
		ret = -EINVAL;
	mutex_unlock(&vh_mutex);
	return ret;
}

const struct ib_device_ops vh_pf_ops = {
	.set_vf_link_state = vh_set_vf_link_state,
	.get_vf_config = vh_get_vf_config,
	.get_vf_stats = vh_get_vf_stats,
	.get_vf_guid = vh_get_vf_guid,
	.set_vf_guid = vh_set_vf_guid,
};

/*
 * Write to sriov_numvfs.  Without vh_mutex: adding and removing VFs probes and
 * removes them right here, and that takes it.
 */
int vh_sriov(struct pci_dev *pdev, int num)
{
	struct vh_dev *pf = pci_get_drvdata(pdev);
	int ret;

	if (num > VH_MAX_VFS)
		return -EINVAL;
	if (num) {
		ret = pci_enable_sriov(pdev, num);
		return ret ? ret : num;
	}
	pci_disable_sriov(pdev);
	mutex_lock(&vh_mutex);
	memset(pf->vf, 0, sizeof(pf->vf));
	mutex_unlock(&vh_mutex);
	return 0;
}
