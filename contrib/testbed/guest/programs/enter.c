/*
 * enter NODE USER SECONDS COMMAND [ARG...]
 *
 * Runs COMMAND in a node of the testbed as USER with an environment as after a login, and passes its exit status on
 * (128 + N after signal N). NODE "host" means the machine of the nodes itself, which is where its first process is: in a
 * guest sshd, which started us, has a network namespace of its own. SECONDS is a time limit, 0 for none; when it is over
 * the exit status is 124.
 *
 * The command's parent is a process in the node to which all orphans of the command fall (PR_SET_CHILD_SUBREAPER), so that
 * everything the command started can be killed when the time is over or the caller has gone. What it leaves running when
 * it ends by itself is kept: that is how a daemon is restarted. In a guest the command has a cgroup of its own besides, as
 * slurmd must see no foreign process in its cgroups.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 2000, TIMED_OUT = 124, CANNOT_START = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

static char cgroup[192]; /* empty: there are none */

static _Noreturn void fail(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("testbed exec: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	exit(status);
}

/* Makes the command's own, below what the guest has for commands, and opens the way into it. */
static int make_cgroup(const char *owner)
{
	char path[128], procs[224];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", owner);
	if (access(path, F_OK)) /* nodes without cgroups */
		return -1;
	snprintf(cgroup, sizeof(cgroup), "%s/%d", path, getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
	if ((mkdir(cgroup, 0755) && errno != EEXIST) || (fd = open(procs, O_WRONLY | O_CLOEXEC)) < 0)
		fail(CANNOT_START, "%s: %s", cgroup, strerror(errno));
	return fd;
}

static int open_process(int pid, const char *node)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		fail(CANNOT_START, "node %s has ended: pid %d: %s", node, pid, strerror(errno));
	return fd;
}

static int open_node(const char *node)
{
	char path[64];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/run/testbed/%s/pid", node);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%d", &pid) != 1)
		fail(CANNOT_START, "node %s is not running: no %s", node, path);
	fclose(file);
	return open_process(pid, node);
}

static void limit(int what, rlim_t soft, rlim_t hard)
{
	setrlimit(what, &(struct rlimit){ soft, hard });
}

/* What a login gives: root keeps the daemons' limits, users get the distribution's. */
static void become(const struct passwd *user)
{
	const char *term = getenv("TERM");
	char *keep = term ? strdup(term) : NULL;

	if (user->pw_uid != 0) {
		limit(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
		limit(RLIMIT_NOFILE, 1024, 524288);
		limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	}
	if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
		fail(CANNOT_START, "cannot become %s: %s", user->pw_name, strerror(errno));
	clearenv();
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	setenv("LOGNAME", user->pw_name, 1);
	setenv("SHELL", user->pw_shell, 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LANG", "C.UTF-8", 1);
	if (keep)
		setenv("TERM", keep, 1);
	if (chdir(user->pw_dir) && chdir("/"))
		fail(CANNOT_START, "cannot enter /: %s", strerror(errno));
}

static _Noreturn void run(const struct passwd *user, char **command)
{
	int error;

	become(user);
	execvp(command[0], command);
	error = errno;
	fail(error == ENOENT ? NOT_FOUND : CANNOT_RUN, "%s: %s", command[0], strerror(error));
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static volatile pid_t supervisor;

static void pass_on(int number)
{
	if (supervisor > 0)
		kill(supervisor, number);
}

static void interrupt(int number)
{
	(void)number; /* that it came ends ppoll() */
}

static void on_end(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(SIGTERM, &action, NULL);
}

/* Our children, and what falls to us when they die, until there are none or it takes too long. */
static void kill_everything(void)
{
	long deadline = now_ms() + GRACE_MS;

	while (now_ms() < deadline) {
		FILE *children = fopen("/proc/thread-self/children", "re");
		int pid;

		while (children && fscanf(children, "%d", &pid) == 1)
			if (pid > 1) /* not waited for yet, so the number is still our child's */
				kill(pid, SIGKILL);
		if (children)
			fclose(children);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return;
		poll(NULL, 0, 10);
	}
}

/* Waits for the child, the time limit, or the caller to go away, by its end of standard output or by SIGTERM. */
static int supervise(int child, pid_t pid, long seconds)
{
	long deadline = seconds ? now_ms() + seconds * 1000 : 0;
	struct pollfd watch[] = { { child, POLLIN, 0 }, { STDOUT_FILENO, 0, 0 } };
	int status, ending = 0, timed_out = 0;
	sigset_t none;

	sigemptyset(&none); /* SIGTERM comes while we wait and at no other time */
	for (;;) {
		long left = deadline > now_ms() ? deadline - now_ms() : 0;
		struct timespec time = { left / 1000, left % 1000 * 1000000 };
		int ready = ppoll(watch, 2, deadline ? &time : NULL, &none);

		if (ready > 0 && watch[0].revents)
			break;
		if (ending) /* the grace is over */
			break;
		/* srun, for one, ends its job when it is asked to end, but not when it is killed */
		ending = 1;
		timed_out = ready == 0;
		kill(pid, SIGTERM);
		watch[1].fd = -1;
		deadline = now_ms() + GRACE_MS;
	}
	if (waitpid(pid, &status, ending ? WNOHANG : 0) != pid)
		status = SIGKILL;
	if (ending)
		kill_everything();
	if (timed_out)
		return TIMED_OUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In the node, as root. */
static _Noreturn void start(int place, const struct passwd *user, long seconds, char **command)
{
	sigset_t end, before;
	int child;
	pid_t pid;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, &before);
	on_end(interrupt);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		fail(CANNOT_START, "fork: %s", strerror(errno));
	if (pid == 0) {
		if (place >= 0 && write(place, "0", 1) < 0)
			fail(CANNOT_START, "%s: %s", cgroup, strerror(errno));
		on_end(SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		run(user, command);
	}
	child = syscall(SYS_pidfd_open, pid, 0);
	if (child < 0)
		fail(CANNOT_START, "pidfd of the command: %s", strerror(errno));
	exit(supervise(child, pid, seconds));
}

int main(int argc, char **argv)
{
	const struct passwd *user;
	int namespaces = CLONE_NEWNET, node, place, status;
	char owner[96] = "exec";

	if (argc < 5)
		fail(CANNOT_START, "usage: enter NODE USER SECONDS COMMAND [ARG...]");
	user = getpwnam(argv[2]);
	if (!user)
		fail(CANNOT_START, "no user '%s' here: there are root, alice and bob", argv[2]);
	if (strcmp(argv[1], "host") == 0) {
		node = open_process(1, argv[1]);
	} else {
		node = open_node(argv[1]);
		namespaces |= CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID;
		snprintf(owner, sizeof(owner), "%s/exec", argv[1]);
	}
	place = make_cgroup(owner);
	signal(SIGINT, SIG_IGN); /* a terminal's keys are for the command: we only pass its status on */
	signal(SIGQUIT, SIG_IGN);
	on_end(pass_on);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* of nsenter, where that has started us */
	/* The namespace of processes is entered by fork, and its /proc has no other; our cgroup's name is ours. */
	if (setns(node, namespaces & CLONE_NEWPID ? CLONE_NEWPID : CLONE_NEWNET))
		fail(CANNOT_START, "cannot enter the node: %s", strerror(errno));
	supervisor = fork();
	if (supervisor < 0)
		fail(CANNOT_START, "fork: %s", strerror(errno));
	if (supervisor == 0) {
		if (setns(node, namespaces & ~CLONE_NEWPID))
			fail(CANNOT_START, "cannot enter the node: %s", strerror(errno));
		start(place, user, atol(argv[3]), argv + 4);
	}
	while (waitpid(supervisor, &status, 0) < 0)
		if (errno != EINTR)
			fail(CANNOT_START, "wait: %s", strerror(errno));
	if (*cgroup)
		rmdir(cgroup); /* fails when something was left running, which is then its owner's business */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
