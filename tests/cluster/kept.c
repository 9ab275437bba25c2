/*
 * A user's program that gets the open descriptor of a uverbs device out of the step that opened it, and asks the device by it
 * then.
 *
 *   kept hold SOCKET            is sent the descriptor and keeps it
 *   kept give SOCKET DEVICE     opens the device, and sends the descriptor
 *   kept ask SOCKET [DEVICE]    opens the device for itself
 *
 * The last two print a line "own: WHAT, kept: WHAT, anew: WHAT", or without a device "kept: WHAT": what the device answers by
 * their own descriptor, by the one that is kept, and when the process that keeps it opens the same name.
 *
 * They ask by ioctl: write(2), the older way, is refused to a process that has other credentials than the one that opened it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTHING "-" /* instead of a device's name */

struct method {
	struct ib_uverbs_ioctl_hdr header;
	struct ib_uverbs_attr attributes[2];
};

static int call(int device, unsigned int id, struct ib_uverbs_attr first, struct ib_uverbs_attr second)
{
	struct method method = {
		.header = {
			.length = sizeof(method),
			.object_id = UVERBS_OBJECT_DEVICE,
			.method_id = id,
			.num_attrs = 2,
			.driver_id = RDMA_DRIVER_QIB, /* as the testbed's module calls itself */
		},
		.attributes = { first, second },
	};

	return ioctl(device, RDMA_VERBS_IOCTL, &method) ? errno : 0;
}

/* A context, which a descriptor has one of at most. */
static int start(int device)
{
	uint32_t vectors;
	uint64_t support;

	return call(device, UVERBS_METHOD_GET_CONTEXT,
		    (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS,
					     .len = sizeof(vectors), .data = (uintptr_t)&vectors },
		    (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_GET_CONTEXT_CORE_SUPPORT,
					     .len = sizeof(support), .data = (uintptr_t)&support });
}

/* Asks the driver for the state of the device's port. */
static int query(int device)
{
	struct ib_uverbs_query_port_resp_ex port = { 0 };

	return call(device, UVERBS_METHOD_QUERY_PORT,
		    (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_QUERY_PORT_PORT_NUM,
					     .len = 8, .flags = UVERBS_ATTR_F_MANDATORY, .data = 1 },
		    (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_QUERY_PORT_RESP, .len = sizeof(port),
					     .flags = UVERBS_ATTR_F_MANDATORY, .data = (uintptr_t)&port });
}

static int open_device(const char *name, int *device)
{
	int error;

	*device = open(name, O_RDWR | O_CLOEXEC);
	if (*device < 0)
		return errno;
	error = start(*device);
	return error ? error : query(*device);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int socket_at(const char *path, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
	return fd;
}

struct descriptor {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_device(int to, const char *name, int device)
{
	struct descriptor control = { 0 };
	struct iovec text = { (void *)name, strlen(name) };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };

	if (device >= 0) {
		struct cmsghdr *header = (struct cmsghdr *)control.bytes;

		header->cmsg_len = CMSG_LEN(sizeof(device));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(header), &device, sizeof(device));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	if (sendmsg(to, &message, 0) < 0)
		fail("sendmsg");
}

/* The descriptor, if one was sent along. */
static int receive_device(int from, char *name, size_t size)
{
	struct descriptor control = { 0 };
	struct iovec text = { name, size - 1 };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1,
				  .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	ssize_t length = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
	int device = -1;

	name[length > 0 ? length : 0] = 0;
	if (length > 0 && message.msg_controllen)
		memcpy(&device, CMSG_DATA((struct cmsghdr *)control.bytes), sizeof(device));
	return device;
}

static void hold(const char *path)
{
	struct sockaddr_un address;
	int listener = socket_at(path, &address), kept = -1;

	umask(0); /* another user asks too */
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8))
		fail(path);
	for (;;) {
		char name[100], answer[200];
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), sent, length;

		if (client < 0)
			fail("accept");
		sent = receive_device(client, name, sizeof(name));
		if (sent >= 0)
			kept = sent;
		length = snprintf(answer, sizeof(answer), "kept: %s", strerror(query(kept)));
		if (strcmp(name, NOTHING)) {
			int own, error = open_device(name, &own);

			length += snprintf(answer + length, sizeof(answer) - length, ", anew: %s", strerror(error));
			close(own);
		}
		send(client, answer, length, MSG_NOSIGNAL);
		close(client);
	}
}

static void ask(const char *path, const char *name, int give)
{
	struct sockaddr_un address;
	int to = socket_at(path, &address), device = -1;
	char answer[200] = "";

	if (strcmp(name, NOTHING))
		printf("own: %s, ", strerror(open_device(name, &device)));
	if (connect(to, (struct sockaddr *)&address, sizeof(address)))
		fail(path);
	send_device(to, name, give ? device : -1);
	if (recv(to, answer, sizeof(answer) - 1, 0) <= 0)
		fail("recv");
	puts(answer);
}

int main(int argc, char **argv)
{
	alarm(300);
	if (argc == 3 && !strcmp(argv[1], "hold"))
		hold(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "give"))
		ask(argv[2], argv[3], 1);
	else if (argc >= 3 && !strcmp(argv[1], "ask"))
		ask(argv[2], argc > 3 ? argv[3] : NOTHING, 0);
	else
		return 2;
	return 0;
}
