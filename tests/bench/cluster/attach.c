/* attach PARENT: what an attach asks of the kernel and nothing else, as the measure of what the agent adds. Makes an IPoIB
 * child of PARENT, moves it into a network namespace, raises it, waits for its carrier, and mounts the HCA's device nodes.
 * Prints the seconds from the first call to the last, without those that the carrier took, which is the subnet manager's
 * part. Everything ends with the process. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static struct nl_sock *open_netlink(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock || nl_connect(sock, NETLINK_ROUTE) < 0)
		errx(1, "netlink socket");
	return sock;
}

static struct nl_msg *link_message(int type, int flags, int index)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!msg || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) < 0)
		errx(1, "out of memory");
	return msg;
}

static void request(struct nl_sock *sock, struct nl_msg *msg, const char *doing)
{
	int rc = nl_send_sync(sock, msg); /* frees it */

	if (rc < 0)
		errx(1, "%s: %s", doing, nl_geterror(rc));
}

static void create_child(struct nl_sock *sock, int parent, const char *name)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct nlattr *info;

	nla_put_string(msg, IFLA_IFNAME, name);
	nla_put_u32(msg, IFLA_LINK, parent);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_KIND, "ipoib");
	nla_nest_end(msg, info);
	request(sock, msg, "create the child");
}

static void move_child(struct nl_sock *host, const char *name, int netns)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, 0, 0);

	nla_put_string(msg, IFLA_IFNAME, name);
	nla_put_u32(msg, IFLA_NET_NS_FD, netns);
	request(host, msg, "move the child");
}

static void name_child(struct nl_sock *inside, int index)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, 0, index);

	nla_put_string(msg, IFLA_IFNAME, "ib0");
	nla_put_string(msg, IFLA_IFALIAS, "bare");
	request(inside, msg, "name the child");
}

static void raise_child(struct nl_sock *sock, int index)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, 0, index);
	struct ifinfomsg *header = nlmsg_data(nlmsg_hdr(msg));

	header->ifi_flags = header->ifi_change = IFF_UP;
	request(sock, msg, "raise the child");
}

static int has_carrier(void)
{
	char digit = '0';
	int fd = open("/sys/class/net/ib0/carrier", O_RDONLY);

	if (fd < 0 || read(fd, &digit, 1) != 1)
		digit = '0';
	close(fd);
	return digit == '1';
}

static void mount_device(dev_t device)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mnt;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) || (mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0)) < 0)
		err(1, "tmpfs");
	if (mknodat(mnt, "uverbs", S_IFCHR | 0666, device) || mknodat(mnt, "rdma_cm", S_IFCHR | 0666, device))
		err(1, "mknod");
	if (move_mount(mnt, "", AT_FDCWD, "/dev/infiniband", MOVE_MOUNT_F_EMPTY_PATH))
		err(1, "mount over /dev/infiniband");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct nl_sock *host, *inside;
	int parent = argc == 2 ? if_nametoindex(argv[1]) : 0, netns, child;
	struct stat node;
	double begin, up;
	char name[IFNAMSIZ];

	if (!parent || stat("/dev/null", &node))
		errx(2, "usage: attach PARENT, an IPoIB interface");
	snprintf(name, sizeof(name), "bare%d", (int)getpid());
	host = open_netlink();
	/* The namespaces are there before the agent is asked, too. */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) || (netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
		err(1, "namespaces");
	inside = open_netlink();

	begin = seconds();
	create_child(host, parent, name);
	move_child(host, name, netns);
	child = if_nametoindex(name);
	name_child(inside, child);
	raise_child(inside, child);
	for (up = seconds(); !has_carrier(); nanosleep(&pause, NULL))
		if (seconds() > up + 10)
			errx(1, "no carrier in 10 s");
	begin += seconds() - up;
	mount_device(node.st_rdev);
	printf("%.6f\n", seconds() - begin);
	return 0;
}
