/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "message/flags.h"
#include "message/header.h"

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

struct memory_session {
	struct backend base;
	bool is_faulty; /* the change under way */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory_folder folders[FOLDERS_MAX];
static size_t n_folders;
static uint32_t last_uidvalidity;
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
	last_uidvalidity = 999;
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

static void put_folder(const char *wire, char delimiter, unsigned attributes, enum special_use use)
{
	folders[n_folders++] = (struct memory_folder){ .wire = strdup(wire),
						       .delimiter = delimiter,
						       .attributes = attributes,
						       .use = use,
						       .uidvalidity = ++last_uidvalidity,
						       .uidnext = 1,
						       .modseq = 1 };
}

static void drop_folder(struct memory_folder *f)
{
	folder_release(f);
	*f = folders[--n_folders];
}

void memory_add_folder(const char *wire, char delimiter, unsigned attributes, enum special_use use)
{
	pthread_mutex_lock(&lock);
	put_folder(wire, delimiter, attributes, use);
	pthread_mutex_unlock(&lock);
}

void memory_remove_folder(const char *wire)
{
	pthread_mutex_lock(&lock);
	drop_folder(folder(wire));
	pthread_mutex_unlock(&lock);
}

void memory_set_uidvalidity(const char *wire, uint32_t uidvalidity)
{
	pthread_mutex_lock(&lock);
	folder(wire)->uidvalidity = uidvalidity;
	pthread_mutex_unlock(&lock);
}

void memory_begin_anew(const char *wire, uint32_t uidvalidity)
{
	struct memory_folder *f;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	f->uidvalidity = uidvalidity;
	for (size_t i = 0; i < f->n; i++)
		f->messages[i].uid = (uint32_t)i + 1;
	f->uidnext = (uint32_t)f->n + 1;
	pthread_mutex_unlock(&lock);
}

/* Takes body and flags over. */
static uint32_t put_message(struct memory_folder *f, char *body, size_t len, char *flags, int64_t internaldate_s)
{
	f->messages = realloc(f->messages, (f->n + 1) * sizeof *f->messages);
	f->messages[f->n++] = (struct memory_message){ .uid = f->uidnext,
						       .body = body,
						       .flags = flags,
						       .len = len,
						       .claimed = (int64_t)len,
						       .internaldate_s = internaldate_s,
						       .modseq = ++f->modseq };
	return f->uidnext++;
}

static void drop_message(struct memory_folder *f, struct memory_message *m)
{
	free(m->body);
	free(m->flags);
	memmove(m, m + 1, (size_t)(f->messages + f->n - (m + 1)) * sizeof *m);
	f->n--;
	f->modseq++;
}

static char *copy_of(const void *body, size_t len)
{
	char *copy = malloc(len + 1);

	memcpy(copy, body, len);
	return copy;
}

uint32_t memory_add_message(const char *wire, const void *body, size_t len, const char *flags, int64_t internaldate_s)
{
	uint32_t uid;

	pthread_mutex_lock(&lock);
	uid = put_message(folder(wire), copy_of(body, len), len, strdup(flags), internaldate_s);
	pthread_mutex_unlock(&lock);
	return uid;
}

void memory_remove_message(const char *wire, uint32_t uid)
{
	struct memory_folder *f;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	drop_message(f, message(f, uid));
	pthread_mutex_unlock(&lock);
}

bool memory_get_message(const char *wire, uint32_t uid, struct buf *body, struct buf *flags)
{
	struct memory_message *m;

	pthread_mutex_lock(&lock);
	m = message(folder(wire), uid);
	if (m && body)
		buf_append(body, m->body, m->len);
	if (m && flags)
		buf_append_str(flags, m->flags);
	pthread_mutex_unlock(&lock);
	return m;
}

size_t memory_count_messages(const char *wire)
{
	struct memory_folder *f;
	size_t n;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	n = f ? f->n : 0;
	pthread_mutex_unlock(&lock);
	return n;
}

bool memory_has_folder(const char *wire)
{
	bool has;

	pthread_mutex_lock(&lock);
	has = folder(wire);
	pthread_mutex_unlock(&lock);
	return has;
}

bool memory_is_subscribed(const char *wire)
{
	struct memory_folder *f;
	bool is;

	pthread_mutex_lock(&lock);
	f = folder(wire);
	is = f && f->attributes & FOLDER_SUBSCRIBED;
	pthread_mutex_unlock(&lock);
	return is;
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

static void tell_abilities(struct backend *b)
{
	b->abilities = (BACKEND_MOVE | BACKEND_EXPUNGE_UID | BACKEND_APPEND_MANY | BACKEND_BINARY) & ~memory_faults.lacks;
	if (memory_faults.keeps_expunged)
		b->abilities |= BACKEND_TRASH_FIRST;
	b->append_limit = memory_faults.append_limit;
}

static int memory_open(const struct backend_options *options, struct backend **ret, struct buf *why)
{
	struct memory_session *s;

	pthread_mutex_lock(&lock);
	counts.opens++;
	pthread_mutex_unlock(&lock);
	if (memory_faults.open_error) {
		buf_printf(why, "memory: %s", strerror(-memory_faults.open_error));
		return memory_faults.open_error;
	}
	s = calloc(1, sizeof *s);
	s->base.ops = &memory_backend;
	s->base.options = options;
	tell_abilities(&s->base);
	*ret = &s->base;
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
	b->broken = b->unanswered = false;
	tell_abilities(b);
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
	if (f && f->attributes & FOLDER_NOSELECT)
		f = NULL;
	if (f)
		fill_status(f, ret);
	if (f && memory_faults.tells_no_uidnext)
		ret->uidnext = 0;
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

	pause_ms(memory_faults.sync_begin_ms);
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
		pthread_mutex_unlock(&lock);
		pause_ms(memory_faults.sync_answer_ms);
		pthread_mutex_lock(&lock);
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

static int refuse(struct backend *b, int error)
{
	buf_truncate(&b->why, 0);
	buf_printf(&b->why, "memory: %s", strerror(-error));
	return error;
}

static bool is_unreadable(const char *bytes, size_t len)
{
	const char *text = memory_faults.unreadable;

	return text && memmem(bytes, len, text, strlen(text));
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

		if (bytes && is_unreadable(bytes, len))
			r = refuse(b, -EIO);
		else if (bytes)
			r = give_bytes(b, fetch->uids[i], fetch->n > 1, bytes, len, sink);
		free(bytes);
	}
	return r;
}

/* ------------------------------------------------------------ changes */

/* Whether the change may be done. Called under the lock, as all below. */
static int change_begin(struct backend *b, int *count)
{
	struct memory_session *s = (struct memory_session *)b;

	(*count)++;
	s->is_faulty = !memory_faults.changes_before;
	if (!s->is_faulty)
		memory_faults.changes_before--;
	if (s->is_faulty && memory_faults.change_error)
		return refuse(b, memory_faults.change_error);
	if (memory_faults.folder_error && count == &counts.folder_changes)
		return refuse(b, memory_faults.folder_error);
	if (b->all_sent)
		b->all_sent(b->all_sent_userdata);
	b->unanswered = s->is_faulty && memory_faults.change_breaks;
	if (b->unanswered && !memory_faults.change_was_done)
		return fail(b, memory_faults.change_breaks);
	return 0;
}

static int change_end(struct backend *b)
{
	if (memory_faults.done_error)
		return refuse(b, memory_faults.done_error);
	return ((struct memory_session *)b)->is_faulty && memory_faults.change_breaks ? fail(b, memory_faults.change_breaks) : 0;
}

/* What comes of a change of a message with these bytes. */
static int poisoned(struct backend *b, const char *body, size_t len)
{
	const char *poison = memory_faults.poison;

	if (!poison || !memmem(body, len, poison, strlen(poison)))
		return 0;
	if (memory_faults.poison_breaks)
		return fail(b, memory_faults.poison_breaks);
	return memory_faults.poison_error ? refuse(b, memory_faults.poison_error) : 0;
}

static int any_poisoned(struct backend *b, struct memory_folder *f, const uint32_t *uids, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct memory_message *m = message(f, uids[i]);

		r = m ? poisoned(b, m->body, m->len) : 0;
	}
	return r;
}

static int open_folder(struct backend *b, const char *wire, uint32_t uidvalidity, bool for_change, struct memory_folder **ret)
{
	*ret = folder(wire);
	if (!*ret)
		return refuse(b, -ENXIO);
	if (uidvalidity && (*ret)->uidvalidity != uidvalidity)
		return refuse(b, -ESTALE);
	return for_change && memory_faults.is_read_only ? refuse(b, -EROFS) : 0;
}

static bool permits(const char *flags)
{
	CLEANUP(buf) struct buf missing = BUF_INIT, others = BUF_INIT;
	const char *permitted = memory_faults.permits;

	if (!permitted)
		return true;
	flags_difference(permitted, flags, &missing, &others);
	return !missing.len || (flags_has(permitted, "\\*") && !strchr(buf_str(&missing), '\\'));
}

static void change_flags(struct memory_folder *f, struct memory_message *m, const char *add, const char *remove)
{
	CLEANUP(buf) struct buf words = BUF_INIT, kept = BUF_INIT, unused = BUF_INIT, flags = BUF_INIT;

	flags_difference(remove, m->flags, &kept, &unused);
	buf_printf(&words, "%s %s", buf_str(&kept), add);
	flags_canonical(buf_str(&words), &flags);
	free(m->flags);
	m->flags = strdup(buf_str(&flags));
	m->modseq = ++f->modseq;
}

static int memory_store(struct backend *b, const char *wire, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
			const char *remove)
{
	struct memory_folder *f;
	int r;

	pthread_mutex_lock(&lock);
	r = open_folder(b, wire, uidvalidity, true, &f);
	if (r == 0 && !(permits(add) && permits(remove)))
		r = refuse(b, -ENOTSUP);
	if (r == 0)
		r = change_begin(b, &counts.stores);
	if (r == 0)
		r = any_poisoned(b, f, uids, n);
	for (size_t i = 0; i < n && r == 0; i++)
		if (message(f, uids[i]))
			change_flags(f, message(f, uids[i]), add, remove);
	if (r == 0)
		r = change_end(b);
	pthread_mutex_unlock(&lock);
	pause_ms(memory_faults.change_answer_ms);
	return r;
}

static void copy_messages(struct memory_folder *from, const uint32_t *uids, size_t n, const char *to, bool move,
			  struct backend_copied *ret)
{
	struct memory_folder *t = folder(to);

	ret->uids = calloc(n ? n : 1, sizeof *ret->uids);
	for (size_t i = 0; i < n && !(memory_faults.copies_nothing && !move); i++) {
		struct memory_message *m = message(from, uids[i]);

		if (!m)
			continue;
		ret->uids[i] = put_message(t, copy_of(m->body, m->len), m->len, strdup(m->flags), m->internaldate_s);
		ret->uidvalidity = t->uidvalidity;
		if (move)
			drop_message(from, message(from, uids[i]));
	}
	ret->done = n;
	if (!memory_faults.tells_no_uids)
		return;
	ret->uidvalidity = 0;
	memset(ret->uids, 0, n * sizeof *ret->uids);
}

static bool is_any_absent(struct memory_folder *f, const uint32_t *uids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!message(f, uids[i]))
			return true;
	return false;
}

/* Part of it, as a server may that refuses the rest. */
static int move_some(struct backend *b, struct memory_folder *f, const uint32_t *uids, size_t n, const char *to,
		     struct backend_copied *ret)
{
	copy_messages(f, uids, (size_t)memory_faults.moves_only, to, true, ret);
	ret->uids = reallocarray(ret->uids, n, sizeof *ret->uids);
	memset(ret->uids + memory_faults.moves_only, 0, (n - (size_t)memory_faults.moves_only) * sizeof *ret->uids);
	ret->done = 0;
	return refuse(b, -EIO);
}

/* As a COPY in several commands, of which a later one is refused, and what is asked then breaks the connection. */
static int copy_some(struct backend *b, struct memory_folder *f, const uint32_t *uids, size_t n, const char *to,
		     struct backend_copied *ret)
{
	size_t k = (size_t)memory_faults.copies_only;
	uint32_t *told = calloc(n, sizeof *told);

	copy_messages(f, uids, k, to, false, ret);
	for (size_t i = 0; told && ret->uids && i < k; i++)
		told[i] = ret->uids[i];
	free(ret->uids);
	ret->uids = told;
	ret->done = k;
	memory_faults.copies_only = 0;
	memory_faults.fetch_error = -ENOTCONN;
	return refuse(b, -EAGAIN);
}

static int copy_or_move(struct backend *b, const char *wire, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
			bool move, struct backend_copied *ret)
{
	struct backend_copied copied = { 0 };
	struct memory_folder *f;
	int r;

	pthread_mutex_lock(&lock);
	r = open_folder(b, wire, uidvalidity, move, &f);
	if (r == 0)
		r = change_begin(b, move ? &counts.moves : &counts.copies);
	if (r == 0)
		r = any_poisoned(b, f, uids, n);
	if (r == 0 && !folder(to))
		r = refuse(b, -ENOLINK);
	if (r == 0 && move && memory_faults.refuses_absent && is_any_absent(f, uids, n))
		r = refuse(b, -EIO);
	if (r == 0 && move && memory_faults.moves_only && (size_t)memory_faults.moves_only < n) {
		r = move_some(b, f, uids, n, to, ret);
	} else if (r == 0 && !move && memory_faults.copies_only && (size_t)memory_faults.copies_only < n) {
		r = copy_some(b, f, uids, n, to, ret);
	} else if (r == 0) {
		copy_messages(f, uids, n, to, move, &copied);
		r = change_end(b);
	}
	pthread_mutex_unlock(&lock);
	pause_ms(memory_faults.change_answer_ms);
	if (r == 0)
		*ret = copied;
	else
		backend_copied_release(&copied);
	return r;
}

static int memory_copy(struct backend *b, const char *wire, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		       struct backend_copied *ret)
{
	return copy_or_move(b, wire, uidvalidity, uids, n, to, false, ret);
}

static int memory_move(struct backend *b, const char *wire, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		       struct backend_copied *ret)
{
	if (!(b->abilities & BACKEND_MOVE))
		return refuse(b, -EOPNOTSUPP);
	return copy_or_move(b, wire, uidvalidity, uids, n, to, true, ret);
}

static void leave_in_all(struct memory_folder *f, struct memory_message *m)
{
	put_message(folder("All"), copy_of(m->body, m->len), m->len, strdup(m->flags), m->internaldate_s);
	drop_message(f, m);
}

static int memory_expunge(struct backend *b, const char *wire, uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	struct memory_folder *f;
	int r;

	if (!(b->abilities & BACKEND_EXPUNGE_UID))
		return refuse(b, -EOPNOTSUPP);
	pthread_mutex_lock(&lock);
	r = open_folder(b, wire, uidvalidity, true, &f);
	if (r == 0 && !permits("\\Deleted"))
		r = refuse(b, -EACCES);
	if (r == 0)
		r = change_begin(b, &counts.expunges);
	if (r == 0)
		r = any_poisoned(b, f, uids, n);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct memory_message *m = message(f, uids[i]);

		if (m && memory_faults.expunge_error && !flags_has(m->flags, "\\Deleted"))
			change_flags(f, m, "\\Deleted", "");
		else if (m && memory_faults.keeps_expunged && f->use != USE_TRASH)
			leave_in_all(f, m);
		else if (m)
			drop_message(f, m);
	}
	if (r == 0 && memory_faults.expunge_error)
		r = refuse(b, memory_faults.expunge_error);
	if (r == 0)
		r = change_end(b);
	pthread_mutex_unlock(&lock);
	return r;
}

static int memory_uids_from(struct backend *b, const char *wire, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids,
			    size_t *ret_n)
{
	struct memory_folder *f;
	size_t n = 0;
	int r;

	pthread_mutex_lock(&lock);
	r = open_folder(b, wire, uidvalidity, false, &f);
	if (r == 0) {
		*ret_uids = calloc(f->n + 1, sizeof **ret_uids);
		for (size_t i = 0; i < f->n; i++)
			if (f->messages[i].uid >= first)
				(*ret_uids)[n++] = f->messages[i].uid;
		*ret_n = n;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static bool has_field(const struct memory_message *m, const char *name, const char *value)
{
	struct header_field field;
	size_t offset = 0;
	bool is_it = false;

	while (!is_it && header_next(m->body, m->len, &offset, &field)) {
		CLEANUP(buf) struct buf text = BUF_INIT;

		is_it = field.name_len == strlen(name) && !strncasecmp(field.name, name, field.name_len) &&
			header_unfold(&field, &text) == 0 && !strcmp(buf_str(&text), value);
	}
	return is_it;
}

static int memory_search_message_id(struct backend *b, const char *wire, const char *field, const char *message_id,
				    uint32_t **ret_uids, size_t *ret_n)
{
	struct memory_folder *f;
	size_t n = 0;
	int r;

	pthread_mutex_lock(&lock);
	r = open_folder(b, wire, 0, false, &f);
	if (r == 0) {
		*ret_uids = calloc(f->n + 1, sizeof **ret_uids);
		for (size_t i = 0; i < f->n; i++)
			if (has_field(&f->messages[i], field, message_id))
				(*ret_uids)[n++] = f->messages[i].uid;
		*ret_n = n;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int check_append(struct backend *b, const struct backend_append *messages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (b->append_limit && messages[i].size_bytes > b->append_limit)
			return refuse(b, -EFBIG);
		if (messages[i].binary && !(b->abilities & BACKEND_BINARY))
			return refuse(b, -EOPNOTSUPP);
	}
	return 0;
}

/* The bytes of each, NULL behind the last. */
static int read_messages(struct backend *b, const struct backend_append *messages, size_t n, char **bodies)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = (size_t)messages[i].size_bytes;

		bodies[i] = malloc(len + 1);
		if (pread(messages[i].fd, bodies[i], len, 0) != (ssize_t)len)
			return fail(b, -EIO);
	}
	return 0;
}

static uint32_t find_stored(const struct memory_folder *f, const char *body, size_t len)
{
	for (size_t i = 0; i < f->n && memory_faults.stores_once; i++)
		if (f->messages[i].len == len && !memcmp(f->messages[i].body, body, len))
			return f->messages[i].uid;
	return 0;
}

static int store_messages(struct backend *b, const char *wire, const struct backend_append *messages, size_t n, char **bodies,
			  uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	uint32_t uids[n];
	struct memory_folder *f;
	int r = change_begin(b, &counts.appends);

	f = folder(wire);
	if (r == 0 && !f)
		r = refuse(b, -ENOLINK);
	for (size_t i = 0; i < n && r == 0; i++)
		r = poisoned(b, bodies[i], (size_t)messages[i].size_bytes);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		uids[i] = find_stored(f, bodies[i], (size_t)messages[i].size_bytes);
		if (!uids[i])
			uids[i] = put_message(f, steal_pointer(&bodies[i]), (size_t)messages[i].size_bytes,
					      strdup(messages[i].flags), messages[i].internaldate_s);
	}
	r = change_end(b);
	if (r < 0)
		return r;
	*ret_uidvalidity = memory_faults.tells_no_uids ? 0 : f->uidvalidity;
	for (size_t i = 0; i < n; i++)
		ret_uids[i] = memory_faults.tells_no_uids ? 0 : uids[i];
	return 0;
}

static int append_all(struct backend *b, const char *wire, const struct backend_append *messages, size_t n,
		      uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	char **bodies;
	int r = check_append(b, messages, n);

	if (r < 0)
		return r;
	bodies = calloc(n, sizeof *bodies);
	r = read_messages(b, messages, n, bodies);
	if (r == 0) {
		pthread_mutex_lock(&lock);
		r = store_messages(b, wire, messages, n, bodies, ret_uidvalidity, ret_uids);
		pthread_mutex_unlock(&lock);
	}
	for (size_t i = 0; i < n; i++)
		free(bodies[i]);
	free(bodies);
	return r;
}

static int memory_append(struct backend *b, const char *wire, const struct backend_append *m, uint32_t *ret_uidvalidity,
			 uint32_t *ret_uid)
{
	return append_all(b, wire, m, 1, ret_uidvalidity, ret_uid);
}

static int memory_append_many(struct backend *b, const char *wire, const struct backend_append *messages, size_t n,
			      uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	if (!n)
		return refuse(b, -EINVAL);
	if (n > 1 && !(b->abilities & BACKEND_APPEND_MANY))
		return refuse(b, -EOPNOTSUPP);
	return append_all(b, wire, messages, n, ret_uidvalidity, ret_uids);
}

static int memory_create(struct backend *b, const char *wire, enum special_use use)
{
	int r;

	pthread_mutex_lock(&lock);
	r = change_begin(b, &counts.folder_changes);
	if (r == 0 && folder(wire))
		r = refuse(b, -EEXIST);
	if (r == 0 && n_folders == FOLDERS_MAX)
		r = refuse(b, -EAGAIN);
	if (r == 0) {
		put_folder(wire, '/', FOLDER_SUBSCRIBED, use);
		r = change_end(b);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* Whether `other` is below `wire`. */
static bool is_below(const char *wire, const struct memory_folder *other)
{
	size_t len = strlen(wire);

	return !strncmp(other->wire, wire, len) && other->delimiter && other->wire[len] == other->delimiter;
}

static int memory_remove(struct backend *b, const char *wire)
{
	int r;

	pthread_mutex_lock(&lock);
	r = change_begin(b, &counts.folder_changes);
	if (r == 0 && !folder(wire))
		r = refuse(b, -ENXIO);
	for (size_t i = 0; i < n_folders && r == 0; i++)
		if (is_below(wire, &folders[i]))
			r = refuse(b, -ENOTEMPTY);
	if (r == 0) {
		drop_folder(folder(wire));
		r = change_end(b);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static void rename_folder(struct memory_folder *f, size_t from_len, const char *to)
{
	struct buf wire = BUF_INIT;

	buf_printf(&wire, "%s%s", to, f->wire + from_len);
	free(f->wire);
	f->wire = buf_steal(&wire);
}

static int memory_rename(struct backend *b, const char *from, const char *to)
{
	int r;

	pthread_mutex_lock(&lock);
	r = change_begin(b, &counts.folder_changes);
	if (r == 0 && !folder(from))
		r = refuse(b, -ENXIO);
	if (r == 0 && folder(to))
		r = refuse(b, -EEXIST);
	for (size_t i = 0; i < n_folders && r == 0; i++)
		if (!strcmp(folders[i].wire, from) || is_below(from, &folders[i]))
			rename_folder(&folders[i], strlen(from), to);
	if (r == 0)
		r = change_end(b);
	pthread_mutex_unlock(&lock);
	return r;
}

static int memory_subscribe(struct backend *b, const char *wire, bool on)
{
	struct memory_folder *f;
	int r;

	pthread_mutex_lock(&lock);
	r = change_begin(b, &counts.folder_changes);
	f = folder(wire);
	if (r == 0 && f)
		f->attributes = on ? f->attributes | FOLDER_SUBSCRIBED : f->attributes & ~(unsigned)FOLDER_SUBSCRIBED;
	if (r == 0)
		r = change_end(b);
	pthread_mutex_unlock(&lock);
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
	.store = memory_store,
	.copy = memory_copy,
	.move = memory_move,
	.expunge = memory_expunge,
	.uids_from = memory_uids_from,
	.append = memory_append,
	.append_many = memory_append_many,
	.create = memory_create,
	.remove = memory_remove,
	.rename = memory_rename,
	.subscribe = memory_subscribe,
	.search_message_id = memory_search_message_id,
};
