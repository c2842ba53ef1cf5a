/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves whose answer is lost. Saying MOVE again moves what is still there and harms nothing, but of what went the first time no UID is told any more, and nothing is left where it was
 * to be asked who it is. The date and the size that a listing told of it are on this disk, and who wrote it about what: in its bytes, or in the name that was made for it. What agrees
 * with all of that, among the UIDs that its folder has given since, is it. Otherwise it loses its name here, rather than that another message gets it, and what is done to it.
 */
#include "mailbox/replay_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mailbox/sync.h"
#include "message/name.h"

/* ------------------------------------------------------------ before */

/* What a sync has met, or an earlier change has brought there, is below: no round trip for what is known. 0: nothing is known of the folder. */
static uint32_t known_bound(struct mailbox *mb, const char *wire)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	uint32_t last = 0;

	if (index_folder_by_wire(mb->index, wire, &f) < 0 || !f.uidvalidity || index_begin(mb->index) < 0)
		return 0;
	journal_kept_last(mb->index, wire, f.uidvalidity, &last);
	index_rollback(mb->index);
	if (f.complete && f.uidnext > last)
		return f.uidnext;
	return last ? last + 1 : 0;
}

static int note(struct replay_batch *batch, size_t from, size_t n, uint32_t bound)
{
	struct index *ix = batch->mb->index;
	int r = index_begin(ix);

	if (r < 0)
		return r;
	for (size_t i = from; i < from + n && r == 0; i++) {
		struct journal_entry *e = &batch->entries[i];

		if (e->uidnext)
			continue;
		e->uidnext = bound;
		r = journal_note_bound(ix, e->seq, bound);
	}
	r = index_end(ix, r);
	return r < 0 ? r : journal_sync(ix);
}

int find_note_bound(struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	const char *folder = batch->entries[from].folder;
	struct backend_status status = { 0 };
	size_t n_noted = 0;
	uint32_t bound;
	int r = 0;

	for (size_t i = from; i < from + n; i++) {
		batch->entries[i].is_repeated = batch->entries[i].uidnext != 0;
		n_noted += batch->entries[i].is_repeated;
	}
	if (n_noted == n)
		return 0;
	bound = known_bound(batch->mb, folder);
	if (!bound)
		r = backend_status(session, folder, &status);
	if (!bound) /* not told: by date and size alone an old message is not to be told from it */
		bound = status.uidnext ? status.uidnext : UINT32_MAX;
	return r < 0 ? r : note(batch, from, n, bound);
}

/* ------------------------------------------------------------ after */

struct arrived {
	uint32_t uid;
	int64_t internaldate_s, size_bytes;
	char title[MESSAGE_NAME_MAX + 1]; /* the name that is made for it, without its UID; "": not known */
};

struct arrivals {
	struct mailbox *mb;
	const char *folder;
	bool outgoing; /* where they come from, as their names were made there */
	uint32_t uidvalidity, bound;
	struct arrived *list; /* own; by UID */
	size_t n;
};

static void arrivals_cleanup(struct arrivals *a)
{
	free(a->list);
}

static int arrivals_state(void *userdata, const struct backend_status *status)
{
	((struct arrivals *)userdata)->uidvalidity = status->uidvalidity;
	return 0;
}

/* NAME.UID.eml: without the UID. */
static void title_of_name(const char *name, char out[MESSAGE_NAME_MAX + 1])
{
	size_t len = strlen(name), end = len > 4 && !strcmp(name + len - 4, ".eml") ? len - 4 : 0;

	while (end && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	end = end && name[end - 1] == '.' && end - 1 <= MESSAGE_NAME_MAX ? end - 1 : 0;
	memcpy(out, name, end);
	out[end] = '\0';
}

static void title_of_header(const struct arrivals *a, int64_t internaldate_s, const char *header, size_t len,
			    char out[MESSAGE_NAME_MAX + 1])
{
	char name[MESSAGE_NAME_MAX + 1];

	message_name_subject(a->mb->zone, internaldate_s, header, len, a->outgoing, 1, name);
	title_of_name(name, out);
}

static int arrivals_message(void *userdata, const struct backend_message *message)
{
	struct arrivals *a = userdata;
	struct arrived *list;

	if (message->uid < a->bound || find_is_taken(a->mb, a->folder, a->uidvalidity, message->uid))
		return 0;
	list = reallocarray(a->list, a->n + 1, sizeof *list);
	if (!list)
		return -ENOMEM;
	a->list = list;
	a->list[a->n] = (struct arrived){ message->uid, message->internaldate_s, message->size_bytes, "" };
	title_of_header(a, message->internaldate_s, message->header ? message->header : "", message->header_len,
			a->list[a->n++].title);
	return 0;
}

static int ignore_batch(void *userdata, uint32_t uidnext)
{
	(void)userdata, (void)uidnext;
	return 0;
}

static int ignore_flags(void *userdata, uint32_t uid, const char *flags)
{
	(void)userdata, (void)uid, (void)flags;
	return 0;
}

static int ignore_present(void *userdata, uint32_t first, uint32_t last)
{
	(void)userdata, (void)first, (void)last;
	return 0;
}

static int ignore_complete(void *userdata, const struct backend_status *status, bool gone_told)
{
	(void)userdata, (void)status, (void)gone_told;
	return 0;
}

static int compare_arrived(const void *a, const void *b)
{
	uint32_t x = ((const struct arrived *)a)->uid, y = ((const struct arrived *)b)->uid;

	return x < y ? -1 : x > y;
}

/* Told as a difference, so that only the new ones are described. */
static int list_arrivals(struct arrivals *a, struct backend **session)
{
	struct backend_sync_sink sink = {
		a, arrivals_state, arrivals_message, ignore_batch, ignore_flags, ignore_present, ignore_complete
	};
	CLEANUP(free) uint32_t *uids = NULL;
	struct backend_status status = { 0 };
	struct backend_known known;
	size_t n = 0;
	int r = backend_status(session, a->folder, &status);

	if (r == 0)
		r = backend_uids_from(session, a->folder, status.uidvalidity, a->bound, &uids, &n);
	if (r < 0 || !n)
		return r;
	known = (struct backend_known){
		.uidvalidity = status.uidvalidity,
		.uidnext = a->bound,
		.highestmodseq = status.highestmodseq,
		.messages = status.messages > n ? status.messages - (uint32_t)n : 0,
		.want_headers = true,
		.outgoing = a->outgoing,
	};
	r = backend_sync(session, a->folder, &known, &sink);
	if (r == 0 && a->n)
		qsort(a->list, a->n, sizeof *a->list, compare_arrived);
	return r;
}

static bool is_told(const uint32_t *told, size_t n, uint32_t uid)
{
	for (size_t i = 0; told && i < n; i++)
		if (told[i] == uid)
			return true;
	return false;
}

static bool alike(const struct arrived *a, const struct arrived *b)
{
	return a->internaldate_s == b->internaldate_s && a->size_bytes == b->size_bytes && *a->title && !strcmp(a->title, b->title);
}

/* The nth that looks like `wanted`, if there are `of` such in all: a server gives UIDs in order. */
static uint32_t pick(const struct arrivals *a, const struct arrived *wanted, size_t nth, size_t of)
{
	uint32_t uid = 0;
	size_t seen = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].uid && alike(&a->list[i], wanted) && seen++ == nth)
			uid = a->list[i].uid;
	return seen == of ? uid : 0;
}

static void match(struct find *f, const struct arrivals *a, const struct arrived *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t nth = 0, of = 0;

		for (size_t k = 0; k < n && wanted[i].uid; k++) {
			bool same = wanted[k].uid && alike(&wanted[k], &wanted[i]);

			of += same;
			nth += same && k < i;
		}
		f->moved[i] = of ? pick(a, &wanted[i], nth, of) : 0;
	}
}

enum { HEADER_BYTES = 16 * 1024 };

/* By its bytes, where they are here: the name may be the user's. */
static void title_of_message(const struct arrivals *a, const struct index_message *m, const struct journal_place *place,
			     char out[MESSAGE_NAME_MAX + 1])
{
	CLEANUP(fd) int fd = body_open(a->mb->bodies, m->row, m->size_bytes);
	char header[HEADER_BYTES];
	ssize_t n = fd < 0 ? 0 : pread(fd, header, sizeof header, 0);
	const char *end = n > 0 ? memmem(header, (size_t)n, "\r\n\r\n", 4) : NULL;

	if (end)
		title_of_header(a, m->internaldate_s, header, (size_t)(end - header) + 4, out);
	else
		title_of_name(place->name, out);
}

/* Whether names in the folder where they stood tell to whom they went. */
static bool is_outgoing(struct mailbox *mb, const char *wire)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	return wire && index_folder_by_wire(mb->index, wire, &f) == 0 && sync_is_outgoing(&f);
}

/* What is known of those that are looked for; `uid` 0: not one of them: what a first MOVE brings nowhere has gone. How many. */
static size_t describe(const struct arrivals *a, const struct find *f, const struct replay_batch *batch, size_t n,
		       const uint32_t *told, struct arrived *wanted)
{
	struct index_message m;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct journal_entry *e = &batch->entries[f->from + i];

		if (!e->is_repeated || e->uidnext == UINT32_MAX || (told && told[i]) || (f->wanted && f->wanted[i].bytes) ||
		    index_message_get(batch->mb->index, e->row, &m) < 0)
			continue;
		wanted[i] = (struct arrived){ batch->places[f->from + i].uid, m.internaldate_s, m.size_bytes, "" };
		title_of_message(a, &m, &batch->places[f->from + i], wanted[i].title);
		count++;
	}
	return count;
}

int find_moved(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n, const uint32_t *told)
{
	CLEANUP(arrivals)
	struct arrivals a = {
		.mb = batch->mb,
		.folder = batch->entries[from].folder,
		.outgoing = is_outgoing(batch->mb, batch->places[from].wire),
		.bound = UINT32_MAX,
	};
	CLEANUP(free) struct arrived *wanted = calloc(n, sizeof *wanted);
	int r;

	if (!f->n) {
		f->from = from;
		f->n = n;
	}
	f->moved = calloc(f->n, sizeof *f->moved);
	if (!wanted || !f->moved)
		return -ENOMEM;
	for (size_t i = from; i < from + n; i++)
		if (batch->entries[i].uidnext && batch->entries[i].uidnext < a.bound)
			a.bound = batch->entries[i].uidnext;
	if (!describe(&a, f, batch, n, told, wanted))
		return 0;
	r = list_arrivals(&a, session);
	if (r < 0 || !a.n)
		return (*session)->broken ? r : 0;
	f->uidvalidity = a.uidvalidity;
	for (size_t i = 0; i < a.n; i++)
		if (is_told(told, n, a.list[i].uid))
			a.list[i].uid = 0;
	match(f, &a, wanted, n);
	return 0;
}
