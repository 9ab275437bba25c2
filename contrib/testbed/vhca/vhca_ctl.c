// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on command, at run time:
 *
 *	echo "mlx5_0/1 state=down" > /sys/module/vhca/parameters/ctl
 *
 * One port, then one or more of: state=down|init|armed|active, speed=N and
 * width=N (the kernel's bit values), pkeys=a,b,...  All is checked before
 * anything is changed.  Reading gives all ports in the same grammar.
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include "vhca.h"

static const char *const vh_state_names[] = {
	[IB_PORT_DOWN] = "down",
	[IB_PORT_INIT] = "init",
	[IB_PORT_ARMED] = "armed",
	[IB_PORT_ACTIVE] = "active",
};

struct vh_ctl {
	int state;			/* these three: 0 = not given */
	u16 speed;
	u8 width;
	bool has_pkeys;
	u16 pkeys[VH_NPKEYS];
};

/* A list of P_Keys with commas between; the rest of the table is empty. */
int vh_parse_pkeys(const char *s, u16 *pkeys)
{
	u16 v[VH_NPKEYS] = {};
	char *dup = kstrdup(s, GFP_KERNEL), *cur = dup, *tok;
	int i = 0, ret = dup ? 0 : -ENOMEM;

	while (!ret && (tok = strsep(&cur, ",")))
		ret = i < VH_NPKEYS ? kstrtou16(tok, 0, &v[i++]) : -EINVAL;
	if (!ret)
		memcpy(pkeys, v, sizeof(v));
	kfree(dup);
	return ret;
}

/* enum ib_port_speed: SDR 1 ... NDR 128; HDR is 64 */
bool vh_speed_ok(unsigned int speed)
{
	return is_power_of_2(speed) && speed <= 128;
}

static int vh_ctl_state(const char *val, struct vh_ctl *c)
{
	int i;

	for (i = IB_PORT_DOWN; i <= IB_PORT_ACTIVE; i++)
		if (!strcmp(val, vh_state_names[i]))
			c->state = i;
	return c->state ? 0 : -EINVAL;
}

static int vh_ctl_word(char *word, struct vh_ctl *c)
{
	char *val = strchr(word, '=');
	bool twice = false, bad;

	if (!val) {
		pr_warn("ctl: \"%s\" is not key=value\n", word);
		return -EINVAL;
	}
	*val++ = 0;
	if (!strcmp(word, "state")) {
		twice = c->state;
		bad = vh_ctl_state(val, c);
	} else if (!strcmp(word, "speed")) {
		twice = c->speed;
		bad = kstrtou16(val, 0, &c->speed) || !vh_speed_ok(c->speed);
	} else if (!strcmp(word, "width")) {
		twice = c->width;
		bad = kstrtou8(val, 0, &c->width) ||
			ib_width_enum_to_int(c->width) < 0;
	} else if (!strcmp(word, "pkeys")) {
		twice = c->has_pkeys;
		bad = vh_parse_pkeys(val, c->pkeys);
		c->has_pkeys = true;
	} else {
		pr_warn("ctl: unknown key \"%s\"\n", word);
		return -EINVAL;
	}
	if (twice || bad) {
		pr_warn("ctl: %s %s=\"%s\"\n",
			bad ? "bad value" : "given twice:", word, val);
		return -EINVAL;
	}
	return 0;
}

/* "mlx5_0/1", by the name it has now, or by PCI address.  Under vh_mutex. */
static struct vh_port *vh_ctl_port(char *word)
{
	char *slash = strrchr(word, '/');
	struct vh_dev *d;
	unsigned int port;

	if (!slash || kstrtouint(slash + 1, 10, &port)) {
		pr_warn("ctl: \"%s\" is not device/port\n", word);
		return ERR_PTR(-EINVAL);
	}
	*slash = 0;
	list_for_each_entry(d, &vh_devs, list) {
		if (strcmp(d->rdi.ibdev.name, word) &&
		    strcmp(pci_name(d->pdev), word))
			continue;
		if (port >= 1 && port <= d->nports)
			return &d->port[port - 1];
		pr_warn("ctl: %s has no port %u\n", word, port);
		return ERR_PTR(-ENODEV);
	}
	pr_warn("ctl: no device \"%s\"\n", word);
	return ERR_PTR(-ENODEV);
}

/* Ethernet knows a link or none, and no P_Keys. */
static int vh_ctl_suits(struct vh_port *p, const struct vh_ctl *c)
{
	if (!p->dev->eth)
		return 0;
	if (c->has_pkeys) {
		pr_warn("ctl: %s has Ethernet ports: no pkeys=\n",
			p->dev->rdi.ibdev.name);
		return -EINVAL;
	}
	if (c->state == IB_PORT_INIT || c->state == IB_PORT_ARMED) {
		pr_warn("ctl: %s has Ethernet ports: state=down or state=active\n",
			p->dev->rdi.ibdev.name);
		return -EINVAL;
	}
	return 0;
}

static void vh_ctl_apply(struct vh_port *p, const struct vh_ctl *c)
{
	int i;

	if (c->speed)
		p->speed = c->speed;
	if (c->width)
		p->width = c->width;
	if (c->has_pkeys) {
		/* readers take no lock: entry by entry, never an empty table */
		for (i = 0; i < VH_NPKEYS; i++)
			WRITE_ONCE(p->pkeys[i], c->pkeys[i]);
		vh_event(p, IB_EVENT_PKEY_CHANGE);
	}
	if (c->state)
		vh_set_state(p, c->state);
}

static int vh_ctl_set(const char *val, const struct kernel_param *kp)
{
	char *dup = kstrdup(val, GFP_KERNEL), *cur, *dev, *tok;
	struct vh_ctl c = {};
	struct vh_port *p;
	int n = 0, ret = 0;

	if (!dup)
		return -ENOMEM;
	cur = strim(dup);
	dev = strsep(&cur, " \t");
	while (!ret && (tok = strsep(&cur, " \t"))) {
		if (!*tok)
			continue;
		ret = vh_ctl_word(tok, &c);
		n++;
	}
	if (!ret && !n) {
		pr_warn("ctl: nothing to do in \"%s\"\n", dev);
		ret = -EINVAL;
	}
	if (!ret) {
		mutex_lock(&vh_mutex);
		p = vh_ctl_port(dev);
		ret = PTR_ERR_OR_ZERO(p);
		if (!ret)
			ret = vh_ctl_suits(p, &c);
		if (!ret)
			vh_ctl_apply(p, &c);
		mutex_unlock(&vh_mutex);
	}
	kfree(dup);
	return ret;
}

static int vh_ctl_line(char *buf, int size, struct vh_port *p)
{
	int i, last = 0, n;

	for (i = 0; i < VH_NPKEYS; i++)
		if (p->pkeys[i])
			last = i;
	n = scnprintf(buf, size, "%s/%u state=%s speed=%u width=%u pkeys=",
		      p->dev->rdi.ibdev.name, p->num, vh_state_names[p->link],
		      p->speed, p->width);
	for (i = 0; i <= last; i++)
		n += scnprintf(buf + n, size - n, "0x%04x%c", p->pkeys[i],
			       i < last ? ',' : '\n');
	return n;
}

/* One page is all there is: some 25 to 60 ports, whole lines only. */
static int vh_ctl_get(char *buf, const struct kernel_param *kp)
{
	struct vh_dev *d;
	char line[256];
	int i, n = 0, len;

	mutex_lock(&vh_mutex);
	list_for_each_entry(d, &vh_devs, list) {
		for (i = 0; i < d->nports; i++) {
			len = vh_ctl_line(line, sizeof(line), &d->port[i]);
			if (n + len >= PAGE_SIZE - 5) {
				n += scnprintf(buf + n, 5, "...\n");
				goto out;
			}
			memcpy(buf + n, line, len + 1);
			n += len;
		}
	}
out:
	mutex_unlock(&vh_mutex);
	return n;
}

static const struct kernel_param_ops vh_ctl_ops = {
	.set = vh_ctl_set,
	.get = vh_ctl_get,
};

module_param_cb(ctl, &vh_ctl_ops, NULL, 0600);
MODULE_PARM_DESC(ctl, "at run time: <device>/<port> state=down|init|armed|active speed=N width=N pkeys=a,b");
