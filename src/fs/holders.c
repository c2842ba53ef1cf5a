/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void directory_cleanup(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static void stream_cleanup(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

/* One line of mountinfo: "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT ...". */
static bool parse_mount(const char *line, struct holders_mount *ret, char *mountpoint)
{
	return sscanf(line, "%d %*d %31s %*s %4095s", &ret->id, ret->device, mountpoint) == 3;
}

/* mountinfo writes white space and backslashes as \OOO. */
static void unescape(char *path)
{
	char *to = path;
	int value;

	for (; *path; path++) {
		if (path[0] == '\\' && sscanf(path + 1, "%3o", (unsigned *)&value) == 1) {
			*to++ = (char)value;
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

int holders_find_mount(const char *mountpoint, struct holders_mount *ret)
{
	CLEANUP(stream) FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free) char *line = NULL;
	struct holders_mount candidate;
	char path[4096];
	size_t size = 0;
	int r = -ENOENT;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		if (!parse_mount(line, &candidate, path))
			continue;
		unescape(path);
		if (strcmp(path, mountpoint) != 0)
			continue;
		*ret = candidate;
		r = 0;
	}
	return r;
}

/* Whether mount `id` of process `pid`, perhaps in a namespace of its own, shows our file system; true where that cannot be known. */
static bool is_our_device(const struct holders_mount *ours, const char *pid, int id)
{
	CLEANUP(stream) FILE *file = NULL;
	CLEANUP(free) char *line = NULL;
	struct holders_mount candidate;
	char path[4096];
	size_t size = 0;

	if (id == ours->id)
		return true;
	snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (getline(&line, &size, file) > 0)
		if (parse_mount(line, &candidate, path) && candidate.id == id)
			return strcmp(candidate.device, ours->device) == 0;
	return true;
}

/* The file that is looked for. */
struct sought {
	const struct holders_mount *mount;
	uint64_t ino;
	bool writers_only;
};

static bool is_holding_descriptor(const struct sought *sought, const char *pid, int directory, const char *name)
{
	CLEANUP(fd) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	char text[256];
	const char *line;
	ssize_t n;

	if (fd < 0)
		return false; /* closed meanwhile */
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	line = strstr(text, "\nino:");
	if (!line || strtoull(line + 5, NULL, 10) != sought->ino)
		return false;
	line = strstr(text, "flags:");
	if (sought->writers_only && line && (strtol(line + 6, NULL, 8) & O_ACCMODE) == O_RDONLY)
		return false;
	line = strstr(text, "\nmnt_id:");
	return !line || is_our_device(sought->mount, pid, atoi(line + 8));
}

enum holding { HOLDS_NOT, HOLDS, HOLDS_PERHAPS, HOLDS_GONE };

/* `who`: a process, or PID/task/TID. HOLDS_GONE: it has ended, or is hidden. HOLDS_NOT with *ret_is_empty: one without any descriptor. */
static enum holding table_holds(const struct sought *sought, const char *pid, const char *who, bool *ret_is_empty)
{
	CLEANUP(directory) DIR *directory = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.40s/fdinfo", who);
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT || errno == ESRCH ? HOLDS_GONE : HOLDS_PERHAPS;
	*ret_is_empty = true;
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		*ret_is_empty = false;
		if (is_holding_descriptor(sought, pid, dirfd(directory), entry->d_name))
			return HOLDS;
	}
	return HOLDS_NOT;
}

/* Those that have ended hold nothing. */
static enum holding threads_hold(const struct sought *sought, const char *pid)
{
	CLEANUP(directory) DIR *tasks = NULL;
	struct dirent *entry;
	char path[64];
	enum holding holding = HOLDS_NOT;
	bool is_empty;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	tasks = opendir(path);
	while (tasks && (holding == HOLDS_NOT || holding == HOLDS_GONE) && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "%.20s/task/%.14s", pid, entry->d_name);
		if (entry->d_name[0] != '.')
			holding = table_holds(sought, pid, path, &is_empty);
	}
	return holding == HOLDS_GONE ? HOLDS_NOT : holding;
}

/* Once the main thread has ended, others go on with descriptors that are not shown as the process's any more. */
static enum holding process_holds(const struct sought *sought, const char *pid)
{
	bool is_empty = false;
	enum holding holding = table_holds(sought, pid, pid, &is_empty);

	if (holding == HOLDS_GONE)
		return requester_is_process(atoi(pid)) ? HOLDS_PERHAPS : HOLDS_NOT;
	return is_empty ? threads_hold(sought, pid) : holding;
}

/* Processes of others cannot be looked at, nor (without allow_other) have the file open. */
static bool anybody_holds(const struct sought *sought)
{
	CLEANUP(directory) DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return true;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && process_holds(sought, entry->d_name) == HOLDS)
			return true;
	return false;
}

/* The processes still to be looked at. */
struct queue {
	pid_t *pids; /* own */
	size_t n, capacity;
};

static void queue_cleanup(struct queue *q)
{
	free(q->pids);
}

static bool queue_push(struct queue *q, pid_t pid)
{
	if (q->n == q->capacity) {
		size_t capacity = q->capacity ? 2 * q->capacity : 32;
		pid_t *pids = realloc(q->pids, capacity * sizeof(*pids));

		if (!pids)
			return false;
		q->pids = pids;
		q->capacity = capacity;
	}
	q->pids[q->n++] = pid;
	return true;
}

static bool push_children_of_thread(struct queue *q, int tasks, const char *thread)
{
	CLEANUP(stream) FILE *file = NULL;
	char path[64];
	int fd, child;

	snprintf(path, sizeof(path), "%.20s/children", thread);
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && faccessat(tasks, thread, F_OK, 0) < 0; /* the thread ended; else a kernel without it */
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return false;
	}
	while (fscanf(file, "%d", &child) == 1)
		if (!queue_push(q, child))
			return false;
	return true;
}

static bool push_children(struct queue *q, pid_t pid)
{
	CLEANUP(directory) DIR *tasks = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return errno == ENOENT || errno == ESRCH;
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.' && !push_children_of_thread(q, dirfd(tasks), entry->d_name))
			return false;
	return true;
}

/*
 * Orphans of the family: a process whose parent ended belongs to the nearest ancestor that collects such, or to init. So the children of all the
 * opener's ancestors that began after it had opened the file.
 */
static bool push_orphans(struct queue *q, const struct requester *opener)
{
	pid_t ancestor = opener->process;
	unsigned long long start_time;
	size_t kept = q->n;

	while (requester_parent(ancestor, &ancestor) && ancestor > 0)
		if (!push_children(q, ancestor))
			return false;
	for (size_t i = kept; i < q->n; i++)
		if (requester_start_time(q->pids[i], &start_time) && start_time >= opener->identified)
			q->pids[kept++] = q->pids[i];
	q->n = kept;
	return true;
}

/* Those in the queue from `from` on, and their descendants. */
static enum holding family_holds(const struct sought *sought, struct queue *q, size_t from)
{
	enum holding holding;
	char pid[16];

	for (size_t i = from; i < q->n; i++) {
		snprintf(pid, sizeof(pid), "%d", (int)q->pids[i]);
		holding = process_holds(sought, pid);
		if (holding != HOLDS_NOT)
			return HOLDS;
		if (!push_children(q, q->pids[i]))
			return HOLDS_PERHAPS;
	}
	return HOLDS_NOT;
}

static bool queue_has(const struct queue *q, pid_t pid)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->pids[i] == pid)
			return true;
	return false;
}

/* The opener, its descendants and their orphans. HOLDS_PERHAPS when the one who closes is none of them: others may be none either. */
static enum holding relatives_hold(const struct sought *sought, const struct requester *opener, pid_t closer)
{
	CLEANUP(queue) struct queue q = { 0 };
	enum holding holding;
	size_t orphans;

	if (!queue_push(&q, opener->process))
		return HOLDS_PERHAPS;
	holding = family_holds(sought, &q, 0);
	if (holding != HOLDS_NOT)
		return holding;
	orphans = q.n;
	if (!push_orphans(&q, opener))
		return HOLDS_PERHAPS;
	holding = family_holds(sought, &q, orphans);
	return holding == HOLDS_NOT && !queue_has(&q, closer) ? HOLDS_PERHAPS : holding;
}

/* Whoever is hidden from us may have children, and they the file, that are hidden as well. */
static bool is_hidden(pid_t process)
{
	unsigned long long start_time;

	return !requester_start_time(process, &start_time);
}

static enum holding writes(const struct sought *sought, const struct requester *opener, const struct requester *closing)
{
	char pid[16];

	if (!requester_was_childless(opener, closing)) {
		if (is_hidden(closing->process))
			return HOLDS;
		return requester_is_alive(opener) ? relatives_hold(sought, opener, closing->process) : HOLDS_PERHAPS;
	}
	snprintf(pid, sizeof(pid), "%d", (int)opener->process);
	return process_holds(sought, pid) == HOLDS_NOT ? HOLDS_NOT : HOLDS;
}

/* A descriptor that is moved to a lower number meanwhile, as shells do, escapes one look. So it may of a process with one thread: another may share its table. */
enum { LOOKS = 2 };

bool holders_write(const struct holders_mount *mount, uint64_t ino, const struct requester *opener, pid_t closer)
{
	struct sought sought = { .mount = mount, .ino = ino, .writers_only = true };
	enum holding holding = HOLDS_NOT;
	struct requester closing;

	requester_identify(closer, &closing);
	if (!closing.process)
		return true;
	for (int look = 0; look < LOOKS && holding == HOLDS_NOT; look++)
		holding = writes(&sought, opener, &closing);
	return holding == HOLDS_PERHAPS ? anybody_holds(&sought) || anybody_holds(&sought) : holding == HOLDS;
}

bool holders_exist(const struct holders_mount *mount, uint64_t ino)
{
	return anybody_holds(&(struct sought){ .mount = mount, .ino = ino });
}
