/*
 * Stands in for container-ib-agent (agent= of plugstack.conf) and follows what the agent does to the node: every write
 * to the journal and to sysfs, every request that changes a link or a device, every mount, file and namespace that is
 * made or removed. /run/fault.log gets a line for each: its number, the journal's last record, the call.
 *
 * When /run/fault holds "NUMBER WHEN WHAT", this happens at the call of that number: WHEN is "before" or "after" its
 * effect, WHAT is "fail" (the call says ENOMEM), or "agent", "stepd" or "task", which is killed.
 *
 * The agent stays the process that slurmstepd has started, and a child of it traces it, outside of the step's cgroup.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <rdma/rdma_netlink.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

static const struct {
	int number;
	const char *name;
	int path; /* which argument is one, -1: none */
} followed[] = {
	{ SYS_write, "write", -1 },	{ SYS_sendmsg, "sendmsg", -1 },	      { SYS_openat, "create", 1 },
	{ SYS_mkdir, "mkdir", 0 },	{ SYS_mkdirat, "mkdir", 1 },	      { SYS_unlink, "unlink", 0 },
	{ SYS_unlinkat, "unlink", 1 },	{ SYS_rename, "rename", 0 },	      { SYS_renameat, "rename", 1 },
	{ SYS_mount, "mount", 1 },	{ SYS_umount2, "umount", 0 },	      { SYS_move_mount, "move_mount", 3 },
	{ SYS_unshare, "unshare", -1 }, { SYS_mknodat, "mknod", 1 },	      { SYS_listen, "listen", -1 },
};

static pid_t agent, stepd, relay[64];
static unsigned relays, count;
static FILE *log_file;
static char record[64] = "start"; /* the journal's last one: mark and verb */
static struct {
	unsigned number;
	char when[8], what[8];
} plan;

static size_t read_memory(pid_t pid, unsigned long at, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)at, size };
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* Up to the end of the page, since what is behind it may not be mapped. */
static void read_text(pid_t pid, unsigned long at, char *to, size_t size)
{
	size_t left = 4096 - at % 4096, n = read_memory(pid, at, to, left < size - 1 ? left : size - 1);

	if (n == left && n < size - 1 && !memchr(to, '\0', n))
		n += read_memory(pid, at + n, to + n, size - 1 - n);
	to[n] = '\0';
}

/* A request that changes something, not one that only asks. */
static int describe_netlink(pid_t pid, unsigned long message, char *call, size_t size)
{
	struct msghdr header;
	struct iovec part;
	struct nlmsghdr request;
	sa_family_t family;

	if (read_memory(pid, message, &header, sizeof(header)) != sizeof(header) || !header.msg_name ||
	    read_memory(pid, (unsigned long)header.msg_name, &family, sizeof(family)) != sizeof(family) ||
	    family != AF_NETLINK ||
	    read_memory(pid, (unsigned long)header.msg_iov, &part, sizeof(part)) != sizeof(part) ||
	    read_memory(pid, (unsigned long)part.iov_base, &request, sizeof(request)) != sizeof(request))
		return 0;
	switch (request.nlmsg_type) {
	case RTM_NEWLINK:
		snprintf(call, size, request.nlmsg_flags & NLM_F_CREATE ? "create link" : "change link");
		return 1;
	case RTM_SETLINK:
		snprintf(call, size, "set VF");
		return 1;
	case RTM_DELLINK:
		snprintf(call, size, "remove link");
		return 1;
	case RTM_NEWADDR:
		snprintf(call, size, "add address");
		return !!(request.nlmsg_flags & NLM_F_CREATE); /* SOCK_DIAG_BY_FAMILY, which asks, has the same number */
	case RTM_NEWNEIGH:
		snprintf(call, size, "add peer");
		return 1;
	case RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_SET):
		snprintf(call, size, "change RDMA device");
		return 1;
	}
	return 0;
}

/* "CIB1 CHECKSUM NUMBER MARK VERB FIELD=VALUE..." (core/journal.cpp) */
static void note_record(const char *line)
{
	const char *owner = strstr(line, " stepd_pid=");
	char mark[16], verb[32];

	if (sscanf(line, "CIB1 %*s %*s %15s %31s", mark, verb) == 2)
		snprintf(record, sizeof(record), "%s %s", mark, verb);
	if (owner)
		stepd = atoi(owner + strlen(" stepd_pid="));
}

static int describe_write(pid_t pid, const struct user_regs_struct *r, char *call, size_t size)
{
	char path[64], file[200] = "", text[512];

	snprintf(path, sizeof(path), "/proc/%d/fd/%llu", pid, r->rdi);
	if (readlink(path, file, sizeof(file) - 1) < 0 ||
	    (strncmp(file, "/sys/", 5) && strncmp(file, "/run/container-ib/", 18)))
		return 0;
	read_text(pid, r->rsi, text, r->rdx < sizeof(text) ? r->rdx + 1 : sizeof(text));
	if (!strncmp(text, "CIB1 ", 5)) {
		note_record(text);
		snprintf(call, size, "journal");
	} else {
		snprintf(call, size, "write %s", strrchr(file, '/') + 1);
	}
	return 1;
}

/* What stays between steps. */
static int is_made_once(const char *path)
{
	static const char *const ends[] = { "/container-ib", "/claims", "/claims.lock", "/claiming.lock", "/node.lock", "/dev/null" };
	size_t i, size = strlen(path);

	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (size >= strlen(ends[i]) && !strcmp(path + size - strlen(ends[i]), ends[i]))
			return 1;
	return 0;
}

/* Returns whether the call changes anything. */
static int describe(pid_t pid, const struct user_regs_struct *r, char *call, size_t size)
{
	unsigned long long arguments[] = { r->rdi, r->rsi, r->rdx, r->r10 };
	char path[200];
	size_t i;

	if (r->orig_rax == SYS_write)
		return describe_write(pid, r, call, size);
	if (r->orig_rax == SYS_sendmsg)
		return describe_netlink(pid, r->rsi, call, size);
	for (i = 0; i < ARRAY_SIZE(followed); i++) {
		if (followed[i].number != (int)r->orig_rax)
			continue;
		if (followed[i].path < 0) {
			snprintf(call, size, "%s", followed[i].name);
			return 1;
		}
		read_text(pid, arguments[followed[i].path], path, sizeof(path));
		snprintf(call, size, "%s %s", followed[i].name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		return !is_made_once(path);
	}
	return 0;
}

static int kill_tasks(void)
{
	char path[64];
	FILE *children;
	int pid, killed = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", stepd, stepd);
	children = fopen(path, "r");
	while (children && fscanf(children, "%d", &pid) == 1)
		killed += !kill(pid, SIGKILL);
	if (children)
		fclose(children);
	return killed > 0;
}

static void happen(pid_t pid, struct user_regs_struct *r)
{
	int done = 0;

	if (!strcmp(plan.what, "agent")) {
		done = !kill(agent, SIGKILL);
	} else if (!strcmp(plan.what, "stepd")) {
		done = stepd > 1 && !kill(stepd, SIGKILL);
	} else if (!strcmp(plan.what, "task")) {
		done = stepd > 1 && kill_tasks();
	} else if (!strcmp(plan.what, "fail")) {
		r->orig_rax = -1;
		r->rax = -ENOMEM;
		done = !ptrace(PTRACE_SETREGS, pid, 0, r);
	}
	if (done)
		fprintf(log_file, "happens\n");
}

static int is_relay(pid_t pid)
{
	unsigned i;

	for (i = 0; i < relays; i++)
		if (relay[i] == pid)
			return 1;
	return 0;
}

/* Returns how the process goes on. */
static int on_call(pid_t pid)
{
	struct user_regs_struct r;
	char call[256];

	if (is_relay(pid) || ptrace(PTRACE_GETREGS, pid, 0, &r) || !describe(pid, &r, call, sizeof(call)))
		return PTRACE_CONT;
	fprintf(log_file, "%u\t%s\t%s\n", ++count, record, call);
	if (count != plan.number)
		return PTRACE_CONT;
	if (!strcmp(plan.when, "after"))
		return PTRACE_SYSCALL;
	happen(pid, &r);
	return PTRACE_CONT;
}

static void on_return(pid_t pid)
{
	struct user_regs_struct r;

	if (!ptrace(PTRACE_GETREGS, pid, 0, &r))
		happen(pid, &r);
}

/* Until the last of them has ended: without a tracer the calls of the filter fail. */
static void trace(void)
{
	int status, go_on, sig;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid <= 0 || !WIFSTOPPED(status))
			continue;
		go_on = PTRACE_CONT;
		sig = 0;
		switch (status >> 16) {
		case PTRACE_EVENT_SECCOMP:
			go_on = on_call(pid);
			break;
		case PTRACE_EVENT_EXEC:
			if (pid != agent && relays < ARRAY_SIZE(relay))
				relay[relays++] = pid;
			break;
		case 0:
			if (WSTOPSIG(status) == (SIGTRAP | 0x80))
				on_return(pid);
			else
				sig = WSTOPSIG(status);
		}
		ptrace(go_on, pid, 0, sig);
	}
}

/* To where the agent goes too: Slurm's own leaf beside the jobs. A native node has no cgroups of Slurm's. */
static void leave_cgroup(void)
{
	char line[400] = "", path[500], *job;
	FILE *own = fopen("/proc/self/cgroup", "re"), *procs;

	while (own && !(job = strstr(line, "/job_")) && fgets(line, sizeof(line), own))
		;
	if (!own || !job)
		return;
	*job = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/system/cgroup.procs", line + strlen("0::"));
	procs = fopen(path, "we");
	if (!procs || fprintf(procs, "0") != 1 || fclose(procs))
		exit(1);
	fclose(own);
}

static void start_tracer(void)
{
	const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
				      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	int ends[2];
	char ready;

	agent = getpid();
	if (pipe2(ends, O_CLOEXEC) || (fork() != 0 && close(ends[1])))
		exit(1);
	if (getpid() == agent) {
		if (read(ends[0], &ready, 1) != 1)
			exit(1);
		return;
	}
	setsid();
	leave_cgroup();
	close(3); /* the lifeline */
	log_file = fopen("/run/fault.log", "w");
	if (!log_file || ptrace(PTRACE_SEIZE, agent, 0, options) || write(ends[1], "", 1) != 1)
		exit(1);
	setlinebuf(log_file);
	close(ends[0]);
	close(ends[1]);
	trace();
	exit(0);
}

static void follow_calls(void)
{
	struct sock_filter filter[2 * ARRAY_SIZE(followed) + 4];
	struct sock_fprog program = { .filter = filter };
	size_t i, n = 0;

	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (i = 0; i < ARRAY_SIZE(followed); i++) {
		if (followed[i].number == SYS_openat)
			continue;
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, followed[i].number, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	/* of those that open a file, the ones that may make it */
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		exit(1);
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 && !strcmp(argv[1], "step") ? fopen("/run/fault", "re") : NULL;

	if (file) {
		if (fscanf(file, "%u %7s %7s", &plan.number, plan.when, plan.what) != 3)
			return 1;
		fclose(file);
		start_tracer();
		follow_calls();
	}
	execv(AGENT, argv);
	return 1;
}
