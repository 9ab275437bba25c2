/*
 * A SPANK plugin for tests: --kill-WHERE=HOOK:TASK kills local task TASK in the named hook, --kill-WHERE=HOOK:TASK:CODE
 * returns CODE from it. Hooks of no task (init_post_opt, user_init) only return. With "agent" or "pause" for TASK, task 0
 * kills or stops the agent there, as root in task_init_privileged.
 */
#include <slurm/spank.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char plugin_name[] = "killer_" TEXT(WHERE);
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM_VERSION_NUMBER;
const unsigned int spank_plugin_version = 1;

static char hook[64];
static int task = -1, code, agent_signal;

static int on_option(int val, const char *text, int remote)
{
	(void)val;
	(void)remote;
	char who[8];

	if (sscanf(text, "%63[^:]:%7[^:]:%d", hook, who, &code) < 2)
		return -1;
	agent_signal = !strcmp(who, "agent") ? SIGKILL : !strcmp(who, "pause") ? SIGSTOP : 0;
	task = atoi(who);
	return 0;
}

static struct spank_option option = {
	"kill-" TEXT(WHERE), "HOOK:TASK[:CODE]", "kill a task (test)", 1, 0, on_option
};

int slurm_spank_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

static void signal_agents(int sig)
{
	char path[300], name[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		comm = atoi(entry->d_name) > 0 ? fopen(path, "r") : NULL;
		if (!comm)
			continue;
		if (fgets(name, sizeof(name), comm) && !strcmp(name, "container-ib-ag\n"))
			kill(atoi(entry->d_name), sig);
		fclose(comm);
	}
	if (proc)
		closedir(proc);
}

static int maybe(spank_t spank, const char *here)
{
	int id = -1;

	if (strcmp(hook, here) || spank_context() != S_CTX_REMOTE)
		return 0;
	if (spank_get_item(spank, S_TASK_ID, &id) == ESPANK_SUCCESS && id != task)
		return 0;
	if (agent_signal && id == task)
		signal_agents(agent_signal);
	else if (code == 0 && id == task)
		kill(getpid(), SIGKILL);
	return code;
}

int slurm_spank_init_post_opt(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return maybe(spank, "init_post_opt");
}

int slurm_spank_user_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return maybe(spank, "user_init");
}

int slurm_spank_task_post_fork(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return maybe(spank, "task_post_fork");
}

int slurm_spank_task_init_privileged(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return maybe(spank, "task_init_privileged");
}

int slurm_spank_task_init(spank_t spank, int ac, char **av)
{
	(void)ac;
	(void)av;
	return maybe(spank, "task_init");
}
