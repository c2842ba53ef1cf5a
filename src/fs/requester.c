/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/requester.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FLAG_EXITING 0x4 /* the kernel's PF_EXITING */

/* Positions in /proc/PID/stat, counted from the state, the first word behind the name. */
enum { STAT_PARENT = 1, STAT_FLAGS = 6, STAT_START_TIME = 19, STAT_EXIT_CODE = 49 };

/* Before this no number can be used again: there are 32768 at least, and a fork(2) takes tens of microseconds. */
enum { NUMBERS_LAST_MS = 100 };

/* How often, and how long each time, a thread is waited for that is about to sleep. */
enum { FALLS_ASLEEP_MAX = 20, FALLS_ASLEEP_NS = 50 * 1000 };

static bool read_text(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

static bool read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	CLEANUP(fd) int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read_text(fd, text, size);
}

static pthread_once_t opened_loadavg = PTHREAD_ONCE_INIT;
static int loadavg = -1;

/* Not where a container puts a file of its own in its place. */
static void open_loadavg(void)
{
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	struct statfs fs;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		loadavg = fd;
	else if (fd >= 0)
		close(fd);
}

/* The last word of /proc/loadavg (proc_loadavg(5)): the process or thread that was made last in our pid namespace or one below it. */
static int newest_process(void)
{
	char text[128], *word;

	pthread_once(&opened_loadavg, open_loadavg);
	if (loadavg < 0 || !read_text(loadavg, text, sizeof(text)))
		return 0;
	word = strrchr(text, ' ');
	return word ? atoi(word) : 0;
}

static uint64_t status_value(const char *status, const char *key, int base)
{
	const char *line = strstr(status, key);

	return line ? strtoull(line + strlen(key), NULL, base) : 0;
}

#define BIT(number) (1ULL << ((number)-1))

bool requester_gives_up(pid_t pid)
{
	static const uint64_t asking = BIT(SIGINT) | BIT(SIGTERM) | BIT(SIGHUP) | BIT(SIGQUIT);
	static const uint64_t harmless = BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | BIT(SIGTSTP) |
					 BIT(SIGTTIN) | BIT(SIGTTOU);
	char status[4096];
	uint64_t pending, caught, ignored;

	if (!read_proc(pid, "status", status, sizeof(status)))
		return true;
	pending = status_value(status, "\nSigPnd:", 16) | status_value(status, "\nShdPnd:", 16);
	pending &= ~status_value(status, "\nSigBlk:", 16);
	ignored = status_value(status, "\nSigIgn:", 16);
	caught = status_value(status, "\nSigCgt:", 16);
	return (pending & caught & asking) || (pending & ~caught & ~ignored & ~harmless);
}

/* The number at a position behind the process's name, which may hold anything. */
static bool stat_value(pid_t pid, int position, unsigned long long *ret)
{
	char text[1024], *word;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return false;
	word = strrchr(text, ')');
	if (!word)
		return false;
	for (word += 2; position > 0 && word; position--) {
		word = strchr(word, ' ');
		if (word)
			word++;
	}
	if (!word)
		return false;
	*ret = strtoull(word, NULL, 10);
	return true;
}

bool requester_is_failing(pid_t pid)
{
	unsigned long long flags, code;

	return stat_value(pid, STAT_FLAGS, &flags) && (flags & FLAG_EXITING) && stat_value(pid, STAT_EXIT_CODE, &code) && code != 0;
}

static bool is_rename(long number)
{
	static const long renames[] = {
#ifdef SYS_rename
		SYS_rename,
#endif
#ifdef SYS_renameat
		SYS_renameat,
#endif
		SYS_renameat2,
	};

	for (size_t i = 0; i < sizeof(renames) / sizeof(*renames); i++)
		if (renames[i] == number)
			return true;
	return false;
}

static pthread_once_t asked_yama = PTHREAD_ONCE_INIT;
static bool yama_forbids;

/* Not to be tried in vain: Yama would write a line to the kernel's log each time. */
static void ask_yama(void)
{
	char text[16];
	CLEANUP(fd) int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);

	yama_forbids = fd >= 0 && read_text(fd, text, sizeof(text)) && atoi(text) > 0 && geteuid() != 0;
}

/* Its request may be here before it sleeps, and as long as it does not, the file says "running". */
bool requester_renames(pid_t pid)
{
	char text[256], *end;
	long number;

	pthread_once(&asked_yama, ask_yama);
	if (pid <= 0 || yama_forbids)
		return false;
	for (int i = 0; i < FALLS_ASLEEP_MAX; i++) {
		if (!read_proc(pid, "syscall", text, sizeof(text)))
			return false;
		number = strtol(text, &end, 10);
		if (end > text)
			return is_rename(number);
		nanosleep(&(struct timespec){ .tv_nsec = FALLS_ASLEEP_NS }, NULL);
	}
	return false;
}

bool requester_start_time(pid_t process, unsigned long long *ret)
{
	return stat_value(process, STAT_START_TIME, ret);
}

bool requester_parent(pid_t process, pid_t *ret)
{
	unsigned long long parent;

	if (!stat_value(process, STAT_PARENT, &parent))
		return false;
	*ret = (pid_t)parent;
	return true;
}

static unsigned long long now_in_ticks(void)
{
	unsigned long long hz = (unsigned long long)sysconf(_SC_CLK_TCK);
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned long long)now.tv_sec * hz + (unsigned long long)now.tv_nsec / (1000000000 / hz);
}

/* A signal of 0 only asks: a thirtieth of what a read of /proc takes. What a security module forbids to ask about is there. */
bool requester_is_process(pid_t pid)
{
	return tgkill(pid, pid, 0) == 0 || errno != ESRCH;
}

void requester_identify(pid_t pid, struct requester *ret)
{
	char status[4096];

	*ret = (struct requester){ 0 };
	if (pid <= 0)
		return;
	if (requester_is_process(pid))
		ret->process = pid;
	else if (read_proc(pid, "status", status, sizeof(status)))
		ret->process = (pid_t)status_value(status, "\nTgid:", 10);
	ret->identified = now_in_ticks();
	ret->newest = newest_process();
}

bool requester_is_alive(const struct requester *who)
{
	unsigned long long start_time;

	if (!who->process)
		return false;
	return requester_start_time(who->process, &start_time) ? start_time <= who->identified : requester_is_process(who->process);
}

/* Later the newest may have the number that another had, and the process that of the one before. */
bool requester_was_childless(const struct requester *before, const struct requester *now)
{
	unsigned long long ms = 1000 * (now->identified - before->identified) / (unsigned long long)sysconf(_SC_CLK_TCK);

	return now->process && now->process == before->process && now->newest > 0 && now->newest == before->newest &&
	       ms < NUMBERS_LAST_MS && requester_is_alive(before);
}
