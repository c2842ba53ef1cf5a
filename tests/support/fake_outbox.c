/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "message/scratch_name.h"

enum { ENTRIES = 4096 };

struct fake_entry {
	struct outbox_entry shown;
	bool is_gone;
	char rcpt[256];
};

struct outbox {
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t news;
	char *directory;
	struct fake_entry entries[ENTRIES]; /* by id - 1 */
	int64_t n;
	int delay_ms;
	int committing;
};

struct outbox *fake_outbox_new(const char *directory)
{
	struct outbox *o = calloc(1, sizeof(*o));

	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->news, NULL);
	o->directory = strdup(directory);
	return o;
}

void fake_outbox_free(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	while (o->committing)
		pthread_cond_wait(&o->news, &o->lock);
	pthread_mutex_unlock(&o->lock);
	free(o->directory);
	free(o);
}

void fake_outbox_delay(struct outbox *o, int delay_ms)
{
	pthread_mutex_lock(&o->lock);
	o->delay_ms = delay_ms;
	pthread_mutex_unlock(&o->lock);
}

static void path_of(struct outbox *o, int64_t id, char path[4096])
{
	snprintf(path, 4096, "%s/entry-%lld", o->directory, (long long)id);
}

static void refresh(struct outbox *o, struct fake_entry *entry)
{
	char path[4096];
	struct stat st;

	path_of(o, entry->shown.id, path);
	if (stat(path, &st) < 0)
		return;
	entry->shown.size_bytes = st.st_size;
	entry->shown.mtime = st.st_mtim;
}

static struct fake_entry *entry_of(struct outbox *o, int64_t id)
{
	if (id < 1 || id > o->n || o->entries[id - 1].is_gone)
		return NULL;
	refresh(o, &o->entries[id - 1]);
	return &o->entries[id - 1];
}

static struct fake_entry *find(struct outbox *o, enum outbox_place place, const char *name)
{
	struct fake_entry *entry;

	for (int64_t id = 1; id <= o->n; id++) {
		entry = entry_of(o, id);
		if (entry && entry->shown.place == place && strcmp(entry->shown.name, name) == 0)
			return entry;
	}
	return NULL;
}

const char *outbox_state_name(enum outbox_state state)
{
	static const char *const names[] = { "writing", "scratch", "held",	"queued", "sending",
					     "retry",	"failed",  "uncertain", "sent" };

	return names[state];
}

int fake_outbox_describe(struct outbox *o, struct buf *out)
{
	const struct fake_entry *entry;

	pthread_mutex_lock(&o->lock);
	for (int64_t id = 1; id <= o->n; id++) {
		entry = entry_of(o, id);
		if (entry)
			buf_printf(out, "%lld %s %s %lld %s;", (long long)id,
				   entry->shown.place == OUTBOX_FAILED ? "failed" : "queue", outbox_state_name(entry->shown.state),
				   (long long)entry->shown.size_bytes, entry->shown.name);
	}
	pthread_mutex_unlock(&o->lock);
	return 0;
}

int outbox_get(struct outbox *o, int64_t id, struct outbox_entry *ret)
{
	const struct fake_entry *entry;

	pthread_mutex_lock(&o->lock);
	entry = entry_of(o, id);
	if (entry)
		*ret = entry->shown;
	pthread_mutex_unlock(&o->lock);
	return entry ? 0 : -ENOENT;
}

int outbox_lookup(struct outbox *o, enum outbox_place place, const char *name, struct outbox_entry *ret)
{
	const struct fake_entry *entry;

	pthread_mutex_lock(&o->lock);
	entry = find(o, place, name);
	if (entry)
		*ret = entry->shown;
	pthread_mutex_unlock(&o->lock);
	return entry ? 0 : -ENOENT;
}

void outbox_mtime(struct outbox *o, struct timespec *ret)
{
	struct stat st = { 0 };

	stat(o->directory, &st);
	*ret = st.st_mtim;
}

int outbox_each(struct outbox *o, enum outbox_place place, int64_t after, int (*each)(void *userdata, const struct outbox_entry *e),
		void *userdata)
{
	struct outbox_entry shown;
	int64_t n;

	pthread_mutex_lock(&o->lock);
	n = o->n;
	pthread_mutex_unlock(&o->lock);
	for (int64_t id = after + 1; id <= n; id++)
		if (outbox_get(o, id, &shown) == 0 && shown.place == place && each(userdata, &shown))
			break;
	return 0;
}

int outbox_create(struct outbox *o, enum outbox_place place, const char *name, mode_t mode, int64_t *ret_id, int *ret_fd)
{
	struct fake_entry *entry = NULL;
	char path[4096];
	int r = -EEXIST;

	pthread_mutex_lock(&o->lock);
	if (!find(o, place, name)) {
		entry = &o->entries[o->n++];
		*entry = (struct fake_entry){ .shown = { .id = o->n, .place = place, .state = OUTBOX_WRITING, .mode = mode } };
		snprintf(entry->shown.name, sizeof(entry->shown.name), "%s", name);
		path_of(o, o->n, path);
		*ret_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		*ret_id = o->n;
		r = *ret_fd < 0 ? -errno : 0;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

int outbox_open(struct outbox *o, int64_t id, bool write, int *ret_fd)
{
	struct fake_entry *entry;
	char path[4096];
	int r = -ENOENT;

	pthread_mutex_lock(&o->lock);
	entry = entry_of(o, id);
	if (entry && write && entry->shown.state != OUTBOX_WRITING && entry->shown.state != OUTBOX_SCRATCH &&
	    entry->shown.state != OUTBOX_FAILED_STATE) {
		r = -EACCES;
	} else if (entry) {
		path_of(o, id, path);
		*ret_fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		r = *ret_fd < 0 ? -errno : 0;
		if (write)
			entry->shown.state = OUTBOX_WRITING;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

/* Called with the lock held. */
static int judge(struct outbox *o, struct fake_entry *entry)
{
	char path[4096], bytes[4096];
	ssize_t n = 0;
	int fd;

	if (entry->shown.state != OUTBOX_WRITING)
		return 0;
	path_of(o, entry->shown.id, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, bytes, sizeof(bytes) - 1);
		close(fd);
	}
	bytes[n > 0 ? n : 0] = '\0';
	if (n <= 0 || scratch_name(entry->shown.name)) {
		entry->shown.state = OUTBOX_SCRATCH;
		return 0;
	}
	if (!strstr(bytes, "To:")) {
		entry->shown.state = OUTBOX_FAILED_STATE;
		entry->shown.place = OUTBOX_FAILED;
		return -EINVAL;
	}
	entry->shown.state = OUTBOX_QUEUED;
	return 0;
}

struct job {
	struct outbox *o;
	int64_t id;
	struct waiter *waiter;
	int delay_ms;
};

static void *run_commit(void *userdata)
{
	struct job *job = userdata;
	struct fake_entry *entry;
	int r = 0; /* removed meanwhile: nothing to commit */

	pthread_mutex_lock(&job->o->lock);
	entry = entry_of(job->o, job->id);
	if (entry)
		r = judge(job->o, entry);
	pthread_mutex_unlock(&job->o->lock);
	nanosleep(&(struct timespec){ .tv_sec = job->delay_ms / 1000, .tv_nsec = job->delay_ms % 1000 * 1000000 }, NULL);
	job->waiter->done(job->waiter, r);
	pthread_mutex_lock(&job->o->lock);
	job->o->committing--;
	pthread_cond_broadcast(&job->o->news);
	pthread_mutex_unlock(&job->o->lock);
	free(job);
	return NULL;
}

int outbox_commit(struct outbox *o, int64_t id, struct waiter *w)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t thread;

	pthread_mutex_lock(&o->lock);
	o->committing++;
	*job = (struct job){ o, id, w, o->delay_ms };
	pthread_mutex_unlock(&o->lock);
	pthread_create(&thread, NULL, run_commit, job);
	pthread_detach(thread);
	return -EINPROGRESS;
}

int outbox_abandon(struct outbox *o, int64_t id)
{
	struct fake_entry *entry;

	pthread_mutex_lock(&o->lock);
	entry = entry_of(o, id);
	if (entry) {
		strcat(entry->shown.name, ".partial");
		entry->shown.state = OUTBOX_SCRATCH;
	}
	pthread_mutex_unlock(&o->lock);
	return entry ? 0 : -ENOENT;
}

int outbox_unlink(struct outbox *o, int64_t id)
{
	struct fake_entry *entry;

	pthread_mutex_lock(&o->lock);
	entry = entry_of(o, id);
	if (entry)
		entry->is_gone = true;
	pthread_mutex_unlock(&o->lock);
	return entry ? 0 : -ENOENT;
}

int outbox_rename(struct outbox *o, int64_t id, enum outbox_place place, const char *name, bool replace)
{
	struct fake_entry *entry, *there;
	int r = -EEXIST;

	pthread_mutex_lock(&o->lock);
	entry = entry_of(o, id);
	there = find(o, place, name);
	if (!there || replace) {
		r = 0;
		if (there)
			there->is_gone = true;
		entry->shown.place = place;
		snprintf(entry->shown.name, sizeof(entry->shown.name), "%s", name);
		if (entry->shown.state == OUTBOX_SCRATCH && !scratch_name(name)) {
			entry->shown.state = OUTBOX_WRITING;
			r = judge(o, entry);
		}
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

int outbox_set_times(struct outbox *o, int64_t id, const struct timespec *mtime)
{
	struct timespec times[2] = { *mtime, *mtime };
	char path[4096];

	path_of(o, id, path);
	return utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0;
}

int outbox_set_mode(struct outbox *o, int64_t id, mode_t mode)
{
	pthread_mutex_lock(&o->lock);
	o->entries[id - 1].shown.mode = mode;
	pthread_mutex_unlock(&o->lock);
	return 0;
}

int outbox_get_attribute(struct outbox *o, int64_t id, const char *name, struct buf *out)
{
	struct outbox_entry shown;
	int r = outbox_get(o, id, &shown);

	if (r < 0)
		return r;
	if (strcmp(name, "state") == 0)
		return buf_append_str(out, outbox_state_name(shown.state));
	if (strcmp(name, "rcpt") == 0 && *o->entries[id - 1].rcpt)
		return buf_append_str(out, o->entries[id - 1].rcpt);
	return -ENODATA;
}

int outbox_set_attribute(struct outbox *o, int64_t id, const char *name, const char *value, size_t len)
{
	if (strcmp(name, "rcpt") == 0)
		snprintf(o->entries[id - 1].rcpt, sizeof(o->entries[id - 1].rcpt), "%.*s", (int)len, value);
	return 0;
}
