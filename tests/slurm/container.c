/*
 * A SPANK plugin for tests: --test-image=PATH runs a node's tasks in one container of that image, in the way and order of
 * pyxis: the first task to come starts an engine in its task_init, as the user; every task then imports the environment
 * of the process inside, overwriting its own, and joins its user and mount namespaces. Slurm ends the process with the
 * step. The image sets UCX_NET_DEVICES and OMPI_MCA_pml, as one may that was made for another cluster.
 */
#define _GNU_SOURCE
#include <slurm/spank.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

SPANK_PLUGIN(test_container, 1)

struct shared {
	pthread_mutex_t mutex;
	pid_t pid; /* of the process inside the container, 0: not started yet */
};

static char image[256];
static struct shared *shared;

static int on_option(int val, const char *text, int remote)
{
	(void)val;
	(void)remote;
	snprintf(image, sizeof(image), "%s", text);
	return 0;
}

static struct spank_option option = { "test-image", "PATH", "one container for the node's tasks (test)", 1, 0, on_option };

int slurm_spank_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

int slurm_spank_user_init(spank_t spank, int ac, char **av)
{
	pthread_mutexattr_t attributes;

	(void)spank;
	(void)ac;
	(void)av;
	if (!*image)
		return 0;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &attributes);
	return 0;
}

/* Returns the pid of a process in a new container, -1 if there is none. */
static pid_t start_engine(spank_t spank)
{
	char *argv[] = { "bwrap", "--ro-bind", image, "/", "--dev-bind", "/dev", "/dev", "--ro-bind", "/proc", "/proc",
			 "--ro-bind", "/sys", "/sys", "--bind", "/tmp", "/tmp", "--setenv", "UCX_NET_DEVICES", "of-the-image:1",
			 "--setenv", "OMPI_MCA_pml", "ob1", "sh", "-c", "echo $$; exec sleep infinity", NULL };
	char **job, line[16] = "";
	int ends[2];

	if (spank_get_item(spank, S_JOB_ENV, &job) != ESPANK_SUCCESS || pipe2(ends, O_CLOEXEC))
		return -1;
	if (fork() == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(ends[1], 1);
		dup2(null, 2);
		environ = job;
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], line, sizeof(line) - 1) <= 0)
		return -1;
	close(ends[0]);
	return atoi(line);
}

/* What differs from task to task is not taken from the container, whose process has that of the first. */
static int belongs_to_task(const char *variable)
{
	return !strncmp(variable, "SLURM", 5) || !strncmp(variable, "PMI", 3);
}

static int import_environment(spank_t spank)
{
	static char text[1 << 17];
	char path[64], *value;
	ssize_t size = 0, at;
	int fd, tries;

	snprintf(path, sizeof(path), "/proc/%d/environ", shared->pid);
	/* It is empty while the engine's process is on its way from the shell to sleep. */
	for (tries = 0; size == 0 && tries < 100; tries++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		close(fd);
		if (size == 0)
			usleep(10000);
	}
	if (size <= 0)
		return -1;
	for (at = 0; at < size; at += strlen(text + at) + 1 + strlen(value) + 1) {
		value = strchr(text + at, '=');
		if (!value)
			return -1;
		*value++ = '\0';
		if (!belongs_to_task(text + at) && spank_setenv(spank, text + at, value, 1) != ESPANK_SUCCESS)
			return -1;
	}
	return 0;
}

static int join(const char *kind, int flag)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", shared->pid, kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -1 : setns(fd, flag);
	close(fd);
	return rc;
}

int slurm_spank_task_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	if (!*image)
		return 0;
	pthread_mutex_lock(&shared->mutex);
	if (!shared->pid)
		shared->pid = start_engine(spank);
	pthread_mutex_unlock(&shared->mutex);
	if (shared->pid < 0 || import_environment(spank) || join("user", CLONE_NEWUSER) || join("mnt", CLONE_NEWNS) ||
	    chdir("/")) {
		slurm_error("test_container: %m");
		return -1;
	}
	return 0;
}
