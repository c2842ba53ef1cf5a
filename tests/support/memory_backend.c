/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS_MAX = 64, CHUNK = 16 * 1024 };

struct memory_message {
	uint32_t uid;
	char *body, *flags; /* own */
	size_t len;
	int64_t claimed, internaldate_s;
	uint64_t modseq;
};

struct memory_folder {
	char *wire; /* own */
	char delimiter;
	unsigned attributes;
	enum special_use use;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	struct memory_message *messages; /* own; ascending by UID */
	size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory_folder folders[FOLDERS_MAX];
static size_t n_folders;
static struct memory_counts counts;
struct memory_faults memory_faults;

static void folder_release(struct memory_folder *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->messages[i].body);
		free(f->messages[i].flags);
	}
	free(f->messages);
	free(f->wire);
}

void memory_reset(void)
{
	for (size_t i = 0; i < n_folders; i++)
		folder_release(&folders[i]);
	n_folders = 0;
	counts = (struct memory_counts){ 0 };
	memory_faults = (struct memory_faults){ 0 };
}

static struct memory_folder *folder(const char *wire)
{
	for (size_t i = 0; i < n_folders; i++)
		if (!strcmp(folders[i].wire, wire))
			return &folders[i];
	return NULL;
}

static struct memory_message *message(struct memory_folder *f, uint32_t uid)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (f->messages[i].uid == uid)
			return &f->messages[i];
	return NULL;
}

void memory_add_folder(const char *wire, char delimiter, unsigned attributes, enum special_use use)
{
	pthread_mutex_lock(&lock);
	folders[n_folders] = (struct memory_folder){ .wire = strdup(wire),
						     .delimiter = delimiter,
						     .attributes = attributes,
						     .use = use,
						     .uidvalidity = 1000 + (uint32_t)n_folders,
						     .uidnext = 1,
						     .modseq = 1 };
	n_folders++;
	pthread_mutex_unlock(&lock);
}

void memory_remove_folder(const char *wire)
{
	struct memory_folder *f;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	folder_release(f);
	*f = folders[--n_folders];
	pthread_mutex_unlock(&lock);
}

void memory_set_uidvalidity(const char *wire, uint32_t uidvalidity)
{
	pthread_mutex_lock(&lock);
	folder(wire)->uidvalidity = uidvalidity;
	pthread_mutex_unlock(&lock);
}

uint32_t memory_add_message(const char *wire, const void *body, size_t len, const char *flags, int64_t internaldate_s)
{
	struct memory_folder *f;
	struct memory_message m = { .body = malloc(len + 1), .flags = strdup(flags), .len = len, .claimed = (int64_t)len };

	memcpy(m.body, body, len);
	m.internaldate_s = internaldate_s;
	pthread_mutex_lock(&lock);
	f = folder(wire);
	m.uid = f->uidnext++;
	m.modseq = ++f->modseq;
	f->messages = realloc(f->messages, (f->n + 1) * sizeof m);
	f->messages[f->n++] = m;
	pthread_mutex_unlock(&lock);
	return m.uid;
}

void memory_remove_message(const char *wire, uint32_t uid)
{
	struct memory_folder *f;
	struct memory_message *m;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	m = message(f, uid);
	free(m->body);
	free(m->flags);
	memmove(m, m + 1, (size_t)(f->messages + f->n - (m + 1)) * sizeof *m);
	f->n--;
	f->modseq++;
	pthread_mutex_unlock(&lock);
}

void memory_set_flags(const char *wire, uint32_t uid, const char *flags)
{
	struct memory_folder *f;
	struct memory_message *m;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	m = message(f, uid);
	free(m->flags);
	m->flags = strdup(flags);
	m->modseq = ++f->modseq;
	pthread_mutex_unlock(&lock);
}

void memory_lie_about_size(const char *wire, uint32_t uid, int64_t claimed)
{
	pthread_mutex_lock(&lock);
	message(folder(wire), uid)->claimed = claimed;
	pthread_mutex_unlock(&lock);
}

struct memory_counts memory_counts(void)
{
	struct memory_counts now;

	pthread_mutex_lock(&lock);
	now = counts;
	pthread_mutex_unlock(&lock);
	return now;
}

static int fail(struct backend *b, int error)
{
	b->broken = true;
	buf_truncate(&b->why, 0);
	buf_printf(&b->why, "a fault of the test: %s", strerror(-error));
	return error;
}

static void pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	if (ms)
		nanosleep(&t, NULL);
}

static int memory_open(const struct backend_options *options, struct backend **ret, struct buf *why)
{
	struct backend *b;

	pthread_mutex_lock(&lock);
	counts.opens++;
	pthread_mutex_unlock(&lock);
	if (memory_faults.open_error) {
		buf_printf(why, "memory: %s", strerror(-memory_faults.open_error));
		return memory_faults.open_error;
	}
	b = calloc(1, sizeof *b);
	b->ops = &memory_backend;
	b->options = options;
	*ret = b;
	pthread_mutex_lock(&lock);
	if (++counts.sessions > counts.sessions_most)
		counts.sessions_most = counts.sessions;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int memory_reopen(struct backend *b)
{
	if (memory_faults.open_error)
		return fail(b, memory_faults.open_error);
	b->broken = false;
	return 0;
}

static void memory_close(struct backend *b)
{
	pthread_mutex_lock(&lock);
	counts.sessions--;
	pthread_mutex_unlock(&lock);
	buf_release(&b->why);
	free(b);
}

static int memory_list(struct backend *b, int (*each)(void *userdata, const struct backend_folder *f), void *userdata)
{
	int r = 0;

	(void)b;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_folders && r == 0; i++) {
		struct backend_folder f = { .wire = folders[i].wire,
					    .wire_is_utf8 = true,
					    .delimiter = folders[i].delimiter,
					    .attributes = folders[i].attributes,
					    .special_use = folders[i].use };

		r = each(userdata, &f);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static void fill_status(const struct memory_folder *f, struct backend_status *ret)
{
	*ret = (struct backend_status){ .uidvalidity = f->uidvalidity,
					.uidnext = f->uidnext,
					.messages = (uint32_t)f->n,
					.highestmodseq = memory_faults.has_no_condstore ? 0 : f->modseq };
}

static int memory_status(struct backend *b, const char *wire, struct backend_status *ret)
{
	struct memory_folder *f;

	(void)b;
	pthread_mutex_lock(&lock);
	f = folder(wire);
	if (f)
		fill_status(f, ret);
	pthread_mutex_unlock(&lock);
	return f ? 0 : -ENXIO;
}

static int tell_new(const struct memory_folder *f, uint32_t uidnext, const struct backend_known *known,
		    const struct backend_sync_sink *sink)
{
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0; i++) {
		const struct memory_message *m = &f->messages[i];
		const char *end = memmem(m->body, m->len, "\r\n\r\n", 4);
		struct backend_message told = { .uid = m->uid,
						.flags = m->flags,
						.internaldate_s = m->internaldate_s,
						.size_bytes = m->claimed,
						.header = known->want_headers ? m->body : NULL,
						.header_len = end ? (size_t)(end - m->body) + 4 : m->len };

		if (m->uid >= uidnext)
			r = sink->message(sink->userdata, &told);
	}
	return r < 0 ? r : sink->batch(sink->userdata, f->uidnext);
}

static int tell_known(const struct memory_folder *f, uint32_t uidnext, const struct backend_known *known,
		      const struct backend_sync_sink *sink)
{
	bool by_modseq = known->highestmodseq && !memory_faults.has_no_condstore;
	uint32_t still = 0;
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0; i++) {
		const struct memory_message *m = &f->messages[i];

		if (m->uid >= uidnext)
			continue;
		still++;
		if (!by_modseq || m->modseq > known->highestmodseq)
			r = sink->flags(sink->userdata, m->uid, m->flags);
	}
	if (r < 0 || still == known->messages)
		return r;
	for (size_t i = 0; i < f->n && r == 0; i++)
		if (f->messages[i].uid < uidnext)
			r = sink->present(sink->userdata, f->messages[i].uid, f->messages[i].uid);
	return r < 0 ? r : 1;
}

static int memory_sync(struct backend *b, const char *wire, const struct backend_known *known, const struct backend_sync_sink *sink)
{
	struct backend_status status;
	struct memory_folder *f;
	uint32_t uidnext;
	int r, gone = 0;

	pthread_mutex_lock(&lock);
	counts.syncs++;
	f = folder(wire);
	r = memory_faults.sync_error ? fail(b, memory_faults.sync_error) : f ? 0 : -ENXIO;
	if (r == 0) {
		fill_status(f, &status);
		uidnext = status.uidvalidity == known->uidvalidity ? known->uidnext : 1;
		r = sink->state(sink->userdata, &status);
		if (r == 0 && memory_faults.sync_breaks)
			r = fail(b, memory_faults.sync_breaks);
		if (r == 0)
			r = tell_new(f, uidnext, known, sink);
		if (r == 0 && uidnext > 1)
			r = gone = tell_known(f, uidnext, known, sink);
		if (r >= 0)
			r = sink->complete(sink->userdata, &status, gone > 0);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* A copy of the bytes asked for; the lock must not be held while the sink runs. */
static char *copy_bytes(const char *wire, uint32_t uid, const struct backend_fetch *fetch, size_t *ret_len)
{
	struct memory_message *m;
	char *copy = NULL;

	pthread_mutex_lock(&lock);
	m = message(folder(wire), uid);
	if (m) {
		size_t offset = fetch->length && (size_t)fetch->offset < m->len ? (size_t)fetch->offset
				: fetch->length					? m->len
										: 0;

		*ret_len = m->len - offset;
		if (fetch->length && *ret_len > (size_t)fetch->length)
			*ret_len = (size_t)fetch->length;
		copy = malloc(*ret_len + 1);
		memcpy(copy, m->body + offset, *ret_len);
		counts.messages_fetched++;
		counts.bytes_fetched += (int64_t)*ret_len;
	}
	pthread_mutex_unlock(&lock);
	return copy;
}

static int give_bytes(struct backend *b, uint32_t uid, bool is_one_of_many, const char *bytes, size_t len,
		      const struct backend_fetch_sink *sink)
{
	int r = sink->begin(sink->userdata, is_one_of_many && memory_faults.tells_uid_last ? 0 : uid, (int64_t)len);

	for (size_t done = 0; done < len && r == 0; done += CHUNK) {
		if (memory_faults.break_after_bytes && done >= (size_t)memory_faults.break_after_bytes)
			return fail(b, -ENOTCONN);
		pause_ms(memory_faults.chunk_delay_ms);
		r = sink->data(sink->userdata, bytes + done, len - done < CHUNK ? len - done : CHUNK);
	}
	return r < 0 ? r : sink->end(sink->userdata, uid);
}

static int memory_fetch(struct backend *b, const char *wire, uint32_t uidvalidity, const struct backend_fetch *fetch,
			const struct backend_fetch_sink *sink)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	counts.fetches++;
	if (!folder(wire))
		r = -ENXIO;
	else if (folder(wire)->uidvalidity != uidvalidity)
		r = -ESTALE;
	pthread_mutex_unlock(&lock);
	for (int waited = 0; waited < memory_faults.fetch_delay_ms; waited += 5) {
		pause_ms(5);
		if (cancel_is_set(b->options->cancel))
			return fail(b, -ECANCELED);
	}
	if (memory_faults.fetch_error)
		return fail(b, memory_faults.fetch_error);
	for (size_t i = 0; i < fetch->n && r == 0; i++) {
		size_t len = 0;
		char *bytes = copy_bytes(wire, fetch->uids[i], fetch, &len);

		if (bytes)
			r = give_bytes(b, fetch->uids[i], fetch->n > 1, bytes, len, sink);
		free(bytes);
	}
	return r;
}

const struct backend_ops memory_backend = {
	.name = "memory",
	.open = memory_open,
	.reopen = memory_reopen,
	.close = memory_close,
	.list = memory_list,
	.status = memory_status,
	.sync = memory_sync,
	.fetch = memory_fetch,
};
