/*
 * enter NODE USER SECONDS COMMAND [ARG...]
 *
 * Runs COMMAND in a node of the testbed as USER with an environment as after a login, and passes its exit status on
 * (128 + N after signal N). NODE "host" means the guest itself, which is where its first process is: sshd, which started
 * us, has a network namespace of its own. SECONDS is a time limit, 0 for none; when it is over
 * the exit status is 124.
 *
 * The command has a cgroup of its own below the node's, for two reasons: slurmd must see no foreign process in its
 * cgroups, and when the time is over or the caller has gone, everything the command started can be killed at once.
 * What a command leaves running when it ends by itself is kept: that is how a daemon is restarted.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 2000, TIMED_OUT = 124, CANNOT_START = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

static char cgroup[128];

static _Noreturn void fail(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("testbed exec: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	exit(status);
}

static void write_cgroup(const char *file, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(CANNOT_START, "%s: %s", path, strerror(errno));
	close(fd);
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

static _Noreturn void run(int node, int namespaces, const struct passwd *user, char **command)
{
	int error;

	write_cgroup("cgroup.procs", "0");
	if (setns(node, namespaces))
		fail(CANNOT_START, "cannot enter the node: %s", strerror(errno));
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

/* Waits for the child, the time limit, or the caller's end of standard output to go away. */
static int supervise(int child, pid_t pid, long seconds)
{
	long deadline = seconds ? now_ms() + seconds * 1000 : 0;
	struct pollfd watch[] = { { child, POLLIN, 0 }, { STDOUT_FILENO, 0, 0 } };
	int status, ending = 0, timed_out = 0;

	for (;;) {
		long left = deadline ? deadline - now_ms() : -1;

		if (deadline && left < 0)
			left = 0;
		int ready = poll(watch, 2, left);
		if (ready > 0 && watch[0].revents)
			break;
		if (ending) { /* the grace is over */
			write_cgroup("cgroup.kill", "1");
			deadline = 0;
		} else { /* srun, for one, ends its job when it is asked to end, but not when it is killed */
			ending = 1;
			timed_out = ready == 0;
			kill(pid, SIGTERM);
			watch[1].fd = -1;
			deadline = now_ms() + GRACE_MS;
		}
	}
	waitpid(pid, &status, 0);
	if (ending)
		write_cgroup("cgroup.kill", "1"); /* also what it left behind */
	if (timed_out)
		return TIMED_OUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const struct passwd *user;
	int namespaces = CLONE_NEWNET, node, child, status;
	pid_t pid;

	if (argc < 5)
		fail(CANNOT_START, "usage: enter NODE USER SECONDS COMMAND [ARG...]");
	user = getpwnam(argv[2]);
	if (!user)
		fail(CANNOT_START, "no user '%s' in the guest: it has root, alice and bob", argv[2]);
	if (strcmp(argv[1], "host") == 0) {
		node = open_process(1, argv[1]);
		snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/exec/%d", getpid());
	} else {
		node = open_node(argv[1]);
		namespaces |= CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID;
		snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/%s/exec/%d", argv[1], getpid());
	}
	if (mkdir(cgroup, 0755) && errno != EEXIST)
		fail(CANNOT_START, "%s: %s", cgroup, strerror(errno));
	if (namespaces & CLONE_NEWPID && setns(node, CLONE_NEWPID)) /* takes effect with the next fork */
		fail(CANNOT_START, "cannot enter the node: %s", strerror(errno));
	signal(SIGINT, SIG_IGN); /* a terminal's keys are for the command: we only pass its status on */
	signal(SIGQUIT, SIG_IGN);
	pid = fork();
	if (pid < 0)
		fail(CANNOT_START, "fork: %s", strerror(errno));
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		run(node, namespaces & ~CLONE_NEWPID, user, argv + 4);
	}
	child = syscall(SYS_pidfd_open, pid, 0);
	if (child < 0)
		fail(CANNOT_START, "pidfd of the command: %s", strerror(errno));
	status = supervise(child, pid, atol(argv[3]));
	rmdir(cgroup); /* fails when something was left running, which is then its owner's business */
	return status;
}
