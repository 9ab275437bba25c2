/*
 * A SPANK plugin for tests: --container-image=PATH[,WORD...] runs a node's tasks in one container of that image, in the
 * way and order of pyxis: the first task to come starts an engine in its task_init, as the user; every task then imports
 * the environment of the process inside, overwriting its own, and joins its namespaces. Slurm ends the process with the
 * step. The image sets UCX_NET_DEVICES and OMPI_MCA_pml, as one may that was made for another cluster, and PMIX_MCA_gds,
 * as enroot's hook for PMI does. --container-name=NAME takes the running container of that name, or gives the new one
 * its name. Each start of an engine is a line in /tmp/test_container.started.
 *
 * Words: dev   a /dev of its own, without infiniband
 *        ro    that /dev takes no new folder
 *        hide  a sysfs without HCAs but those that follow ("hide+mlx5_1")
 *        root  the user is uid 0 inside
 *        net   a network of its own
 *        bare  an image without providers of libibverbs
 */
#define _GNU_SOURCE
#include <slurm/spank.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

SPANK_PLUGIN(test_container, 1)

struct shared {
	pthread_mutex_t mutex;
	pid_t pid; /* of the process inside the container, 0: not started yet */
};

static char image[256], name[64];
static struct shared *shared;

static int on_image(int val, const char *text, int remote)
{
	(void)val;
	(void)remote;
	snprintf(image, sizeof(image), "%s", text);
	return 0;
}

static int on_name(int val, const char *text, int remote)
{
	(void)val;
	(void)remote;
	snprintf(name, sizeof(name), "%s", text);
	return 0;
}

static struct spank_option options[] = {
	{ "container-image", "PATH", "one container for the node's tasks (test)", 1, 0, on_image },
	{ "container-name", "NAME", "the container of that name (test)", 1, 0, on_name },
};

int slurm_spank_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (spank_option_register(spank, &options[i]) != ESPANK_SUCCESS)
			return -1;
	return 0;
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

static FILE *open_name_file(const char *mode)
{
	char path[128];

	snprintf(path, sizeof(path), "/tmp/test_container.%s", name);
	return *name ? fopen(path, mode) : NULL;
}

/* Returns the pid of a process in the running container of that name, 0 if there is none. */
static pid_t find_named(void)
{
	FILE *file = open_name_file("r");
	int pid = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1 || kill(pid, 0))
		pid = 0;
	fclose(file);
	return pid;
}

static int has_word(const char *words, const char *word)
{
	const char *found = strstr(words, word);

	return found && found[-1] == ',';
}

/* Adds words to a command line that has room for them. */
#define ADD(...)                                                                \
	do {                                                                    \
		char *added[] = { __VA_ARGS__ };                                \
		for (unsigned i = 0; i < sizeof(added) / sizeof(*added); i++) \
			argv[argc++] = added[i];                                \
	} while (0)

/* Returns the pid of a process in a new container, -1 if there is none. */
static pid_t start_engine(spank_t spank)
{
	static char root[256], device[64], shown[128];
	char *argv[64], *words, **job, line[16] = "";
	int argc = 0, ends[2];
	FILE *file;

	snprintf(root, sizeof(root), "%s", image);
	words = strchr(root, ',');
	words = words ? strdup(words) : "";
	root[strcspn(root, ",")] = '\0';
	ADD("bwrap", "--ro-bind", root, "/");
	if (has_word(words, "dev"))
		ADD("--tmpfs", "/dev", "--dev-bind", "/dev/null", "/dev/null");
	else
		ADD("--dev-bind", "/dev", "/dev");
	if (has_word(words, "ro"))
		ADD("--remount-ro", "/dev");
	ADD("--ro-bind", "/proc", "/proc", "--ro-bind", "/sys", "/sys");
	if (has_word(words, "hide")) {
		ADD("--tmpfs", "/sys/class/infiniband", "--tmpfs", "/sys/class/infiniband_verbs");
		if (sscanf(strstr(words, ",hide"), ",hide+%63[a-z0-9_]", device) == 1) {
			snprintf(shown, sizeof(shown), "/sys/class/infiniband/%s", device);
			ADD("--dir", shown);
		}
	}
	if (has_word(words, "bare"))
		ADD("--tmpfs", "/usr/lib/x86_64-linux-gnu/libibverbs", "--tmpfs", "/etc/libibverbs.d");
	if (has_word(words, "root"))
		ADD("--unshare-user", "--uid", "0", "--gid", "0");
	if (has_word(words, "net"))
		ADD("--unshare-net");
	ADD("--bind", "/tmp", "/tmp", "--setenv", "UCX_NET_DEVICES", "of-the-image:1", "--setenv", "OMPI_MCA_pml", "ob1");
	ADD("--setenv", "NCCL_IB_TC", "0", "--setenv", "PMIX_MCA_gds", "ds21", "sh", "-c", "echo $$; exec sleep infinity", NULL);

	if (spank_get_item(spank, S_JOB_ENV, &job) != ESPANK_SUCCESS || pipe2(ends, O_CLOEXEC))
		return -1;
	if (fork() == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(ends[1], 1);
		environ = job;
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], line, sizeof(line) - 1) <= 0)
		return -1;
	close(ends[0]);
	file = fopen("/tmp/test_container.started", "a");
	if (file) {
		fprintf(file, "%s", line);
		fclose(file);
	}
	file = open_name_file("w");
	if (file) {
		fprintf(file, "%s", line);
		fclose(file);
	}
	return atoi(line);
}

/* What differs from task to task is not taken from the container, whose process has that of the first. */
static int belongs_to_task(const char *variable)
{
	return !strncmp(variable, "SLURM", 5) || (!strncmp(variable, "PMI", 3) && strncmp(variable, "PMIX_MCA_", 9));
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

/* A namespace that the task is in already is not joined: for a network of the host's it could not be. */
static int join(const char *kind, int flag)
{
	struct stat here, there;
	char path[64], own[64];
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", shared->pid, kind);
	snprintf(own, sizeof(own), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &there) || stat(own, &here))
		return -1;
	rc = here.st_ino == there.st_ino ? 0 : setns(fd, flag);
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
		shared->pid = find_named();
	if (!shared->pid)
		shared->pid = start_engine(spank);
	pthread_mutex_unlock(&shared->mutex);
	if (shared->pid < 0 || import_environment(spank) || join("user", CLONE_NEWUSER) || join("mnt", CLONE_NEWNS) ||
	    join("net", CLONE_NEWNET) || chdir("/")) {
		slurm_error("test_container: %m");
		return -1;
	}
	return 0;
}
