/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One batch of the journal, sent: which command carries it, what is done where the server lacks one, and whether a failure concerns the connection or the change.
 *
 * What cannot be repeated blindly (APPEND, COPY) is marked on disk before it goes out. Marked entries come back alone, and are looked for among the UIDs that the folder has given since.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mailbox/changing_private.h"
#include "mailbox/local_bytes.h"
#include "mailbox/replay_find.h"

enum { LATE_MS = 1000 };

/* A run of the batch's entries. */
struct span {
	struct replay_batch *batch;
	struct backend **session;
	size_t from, n;
};

static const struct journal_entry *entry_of(const struct span *s, size_t i)
{
	return &s->batch->entries[s->from + i];
}

static const struct journal_place *place_of(const struct span *s, size_t i)
{
	return &s->batch->places[s->from + i];
}

static int confirm(const struct span *s, size_t i, uint32_t uidvalidity, uint32_t uid)
{
	return replay_confirm(s->batch, s->from + i, uidvalidity, uid);
}

static int confirm_all(const struct span *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++)
		r = confirm(s, i, 0, 0);
	return r;
}

/* ------------------------------------------------------------ failures */

/* The change as such is not at fault: it stays in the journal. */
static bool may_pass(const struct span *s, int error)
{
	bool broken = (*s->session)->broken;

	if (error == -EAGAIN && !broken)
		return replay_may_try_again(s->batch->mb->replay, s->batch->entries[s->from].seq);
	/* A server that refuses a message before all of it was sent costs the connection, and has said its word all the same. */
	if (error == -EDQUOT || error == -EFBIG || error == -ENOLINK || error == -EROFS)
		return false;
	return broken || error == -EAGAIN || error == -ENOMEM || error == -ENOTCONN || error == -ECANCELED || error == -ETIMEDOUT ||
	       error == -EHOSTUNREACH;
}

static int send_span(struct span *s);

/* One that is refused must not take others with it: the halves are tried, down to the one. */
static int refused(struct span *s, int error)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct span half = *s;
	int r;

	if (may_pass(s, error))
		return error;
	if (s->n == 1) {
		buf_append_str(&why, *backend_why(*s->session) ? backend_why(*s->session) : strerror(-error));
		return replay_refuse(s->batch, s->from, error, buf_str(&why));
	}
	half.n = s->n / 2;
	r = send_span(&half);
	if (r < 0)
		return r;
	half.from = s->from + half.n;
	half.n = s->n - half.n;
	return send_span(&half);
}

/* ------------------------------------------------------------ UIDs */

static int compare_uids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

struct sorted {
	struct journal_entry entry;
	struct journal_place place;
};

static int compare_places(const void *a, const void *b)
{
	return compare_uids(&((const struct sorted *)a)->place.uid, &((const struct sorted *)b)->place.uid);
}

/* Then what is done of a set of UIDs is done of the first entries. */
static int sort_by_uid(struct span *s)
{
	CLEANUP(free) struct sorted *sorted = calloc(s->n, sizeof *sorted);

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		sorted[i] = (struct sorted){ *entry_of(s, i), *place_of(s, i) };
	qsort(sorted, s->n, sizeof *sorted, compare_places);
	for (size_t i = 0; i < s->n; i++) {
		s->batch->entries[s->from + i] = sorted[i].entry;
		s->batch->places[s->from + i] = sorted[i].place;
	}
	return 0;
}

/* The UIDs of the span's messages, ascending; own. */
static uint32_t *uids_of(const struct span *s)
{
	uint32_t *uids = calloc(s->n, sizeof *uids);

	for (size_t i = 0; uids && i < s->n; i++)
		uids[i] = place_of(s, i)->uid;
	if (uids)
		qsort(uids, s->n, sizeof *uids, compare_uids);
	return uids;
}

/* The new UID of an old one; 0: not told. */
static uint32_t new_uid(const struct backend_copied *copied, const uint32_t *uids, size_t n, uint32_t uid)
{
	const uint32_t *at = bsearch(&uid, uids, n, sizeof *uids, compare_uids);

	return at && copied->uids ? copied->uids[at - uids] : 0;
}

/* ------------------------------------------------------------ marking */

/* Before the first byte goes out it is on disk that it may have. */
static int mark_sent(struct span *s)
{
	struct index *ix = s->batch->mb->index;
	struct backend_status status = { 0 };
	int r = backend_status(s->session, entry_of(s, 0)->folder, &status);

	if (r < 0)
		return r;
	r = index_begin(ix);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		s->batch->entries[s->from + i].uidnext = status.uidnext ? status.uidnext : 1;
		r = journal_mark_sent(ix, entry_of(s, i)->seq, entry_of(s, i)->uidnext);
	}
	r = index_end(ix, r);
	return r < 0 ? r : journal_sync(ix);
}

/* It did not reach the server after all, or was refused there: the next try needs no search. */
static int unmark(struct span *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->batch->entries[s->from + i].was_sent = false;
	return 0;
}

/* ------------------------------------------------------------ flags and removal */

/* A bare NO to a keyword is about the keyword. */
static int store_error(int error, const char *add)
{
	return (error == -EPERM || error == -EIO) && changing_has_keyword(add) ? -ENOTSUP : error;
}

static int store(struct span *s, const char *add, const char *remove)
{
	CLEANUP(free) uint32_t *uids = uids_of(s);
	const struct journal_place *p = place_of(s, 0);
	int r = uids ? backend_store(s->session, p->wire, p->uidvalidity, uids, s->n, add, remove) : -ENOMEM;

	return r < 0 ? refused(s, (*s->session)->broken ? r : store_error(r, add)) : confirm_all(s);
}

static int send_flags(struct span *s)
{
	const char *detail = entry_of(s, 0)->detail, *newline = strchr(detail, '\n');
	CLEANUP(free) char *add = strndup(detail, newline ? (size_t)(newline - detail) : strlen(detail));

	return add ? store(s, add, newline ? newline + 1 : "") : -ENOMEM;
}

static int send_mark(struct span *s)
{
	return store(s, "\\Deleted", "");
}

/* Without UID EXPUNGE nothing is expunged: other clients' \Deleted messages would go as well. */
static int send_removal(struct span *s)
{
	CLEANUP(free) uint32_t *uids = NULL;
	const struct journal_place *p = place_of(s, 0);
	int r;

	if (!(backend_abilities(*s->session) & BACKEND_EXPUNGE_UID)) {
		for (size_t i = 0; i < s->n; i++)
			s->batch->entries[s->from + i].kind = JOURNAL_MARK;
		return send_mark(s);
	}
	uids = uids_of(s);
	r = uids ? backend_expunge(s->session, p->wire, p->uidvalidity, uids, s->n) : -ENOMEM;
	return r < 0 ? refused(s, r) : confirm_all(s);
}

/* ------------------------------------------------------------ moving and copying */

/* Each with the UID that the server told, or that is found by what the message says of itself. */
static int confirm_placed(struct span *s, const struct backend_copied *copied, const uint32_t *uids, const struct find *find)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		uint32_t uid = new_uid(copied, uids, s->n, place_of(s, i)->uid), uidvalidity = copied->uidvalidity;

		if (!uid && find)
			uid = find_uid(find, s->batch, s->from + i, &uidvalidity);
		r = confirm(s, i, uidvalidity, uid);
	}
	return r;
}

/* What stays behind of a message that was moved by a copy goes by a change of its own, once the copy is confirmed. */
static int confirm_copies(struct span *s, const struct backend_copied *copied, const uint32_t *uids, const struct find *find)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++)
		if (entry_of(s, i)->kind == JOURNAL_MOVE)
			r = replay_leave_behind(s->batch, s->from + i);
	return r < 0 ? r : confirm_placed(s, copied, uids, find);
}

/* A move can be said again, and a connection that stands can be asked where the others went. */
static size_t told_at_head(const struct span *s, const struct backend_copied *copied)
{
	size_t n = 0;

	while (n < s->n && copied->uids && copied->uids[n])
		n++;
	return n;
}

/* Several commands may carry it, of which some were done: those are confirmed, and the failure concerns the others. */
static int settle_copied(struct span *s, const struct backend_copied *copied, const uint32_t *uids, struct find *find, int error,
			 int (*confirm_them)(struct span *s, const struct backend_copied *copied, const uint32_t *uids,
					     const struct find *find))
{
	struct span done = *s, rest = *s;
	int r = 0;

	if (error == 0 &&
	    (copied->uidvalidity || !atomic_load(&s->batch->mb->tells_uids))) /* of nothing there is nothing to tell */
		atomic_store(&s->batch->mb->tells_uids, copied->uidvalidity ? 1 : -1);
	if (error < 0) {
		done.n = copied->done;
		if (confirm_them == confirm_placed && (*s->session)->broken)
			done.n = told_at_head(&done, copied);
		rest.from += done.n;
		rest.n -= done.n;
	}
	if (done.n && !copied->uidvalidity && find->n && !(*s->session)->broken)
		r = find_new(find, s->session, entry_of(s, 0)->folder);
	if (r == 0 && done.n && confirm_them == confirm_placed && !(*s->session)->broken)
		r = find_moved(find, s->session, s->batch, done.from, done.n, copied->uids);
	if (r == 0 && done.n)
		r = confirm_them(&done, copied, uids, find->n ? find : NULL);
	return r < 0 || error == 0 ? r : refused(&rest, error);
}

/* From a server that tells no new UIDs: what the messages say of themselves is noted while they still stand where they are known to be. */
static int prepare_find(struct span *s, struct find *find)
{
	if (atomic_load(&s->batch->mb->tells_uids) == 1)
		return 0;
	return find_prepare(find, s->session, s->batch, s->from, s->n);
}

static int move(struct span *s)
{
	CLEANUP(backend_copied) struct backend_copied copied = { 0 };
	CLEANUP(find) struct find find = { 0 };
	const struct journal_place *p = place_of(s, 0);
	int r = sort_by_uid(s);
	CLEANUP(free) uint32_t *uids = uids_of(s);

	if (r == 0)
		r = uids ? prepare_find(s, &find) : -ENOMEM;
	if (r == 0)
		r = find_note_bound(s->session, s->batch, s->from, s->n);
	if (r < 0)
		return refused(s, r);
	r = backend_move(s->session, p->wire, p->uidvalidity, uids, s->n, entry_of(s, 0)->folder, &copied);
	return settle_copied(s, &copied, uids, &find, r, confirm_placed);
}

static int copy(struct span *s)
{
	CLEANUP(backend_copied) struct backend_copied copied = { 0 };
	CLEANUP(find) struct find find = { 0 };
	const struct journal_place *p = place_of(s, 0);
	int r = sort_by_uid(s);
	CLEANUP(free) uint32_t *uids = uids_of(s);

	if (r == 0)
		r = uids ? prepare_find(s, &find) : -ENOMEM;
	if (r == 0)
		r = mark_sent(s);
	if (r < 0)
		return refused(s, r);
	r = backend_copy(s->session, p->wire, p->uidvalidity, uids, s->n, entry_of(s, 0)->folder, &copied);
	if (r < 0 && !may_pass(s, r))
		unmark(s);
	return settle_copied(s, &copied, uids, &find, r, confirm_copies);
}

/* One first, where it is not known yet whether the server tells new UIDs. */
static int learn_first(struct span *s, int (*send)(struct span *s))
{
	struct span one = *s, rest = *s;
	int r;

	if (s->n == 1 || atomic_load(&s->batch->mb->tells_uids))
		return send(s);
	one.n = 1;
	r = send(&one);
	rest.from++;
	rest.n--;
	return r < 0 ? r : send(&rest);
}

static int send_move(struct span *s)
{
	return learn_first(s, backend_abilities(*s->session) & BACKEND_MOVE ? move : copy);
}

static int send_copy(struct span *s)
{
	return learn_first(s, copy);
}

/* ------------------------------------------------------------ new messages */

struct appending {
	struct backend_append *messages; /* own; descriptors own */
	size_t n;
};

static void appending_cleanup(struct appending *a)
{
	for (size_t i = 0; i < a->n; i++)
		close(a->messages[i].fd);
	free(a->messages);
}

static int open_message(struct mailbox *mb, const struct journal_entry *e, struct backend_append *ret)
{
	struct index_message m;
	struct stat st;
	int fd = -1, r = index_message_get(mb->index, e->row, &m);

	if (r == 0)
		r = local_file_open(mb->files, e->row, O_RDONLY, &fd);
	if (r < 0)
		return r;
	/* Another size than was judged is what a power cut left of it. */
	if (fstat(fd, &st) < 0 || st.st_size != m.size_bytes) {
		close(fd);
		return -EIO;
	}
	*ret = (struct backend_append){
		.fd = fd,
		.size_bytes = st.st_size,
		.flags = e->detail,
		.internaldate_s = m.internaldate_s,
		.binary = local_bytes_hold_nul(fd),
	};
	return 0;
}

static int open_messages(struct span *s, struct appending *a)
{
	int r = 0;

	a->messages = calloc(s->n, sizeof *a->messages);
	if (!a->messages)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		r = open_message(s->batch->mb, entry_of(s, i), &a->messages[i]);
		if (r == 0)
			a->n++;
	}
	return r;
}

static int append(struct span *s)
{
	CLEANUP(appending) struct appending a = { 0 };
	CLEANUP(free) uint32_t *uids = calloc(s->n, sizeof *uids);
	uint32_t uidvalidity = 0;
	int r = uids ? open_messages(s, &a) : -ENOMEM;

	if (r == 0)
		r = mark_sent(s);
	if (r == 0 && s->n > 1)
		r = backend_append_many(s->session, entry_of(s, 0)->folder, a.messages, s->n, &uidvalidity, uids);
	else if (r == 0)
		r = backend_append(s->session, entry_of(s, 0)->folder, &a.messages[0], &uidvalidity, &uids[0]);
	if (r < 0) {
		if (!may_pass(s, r))
			unmark(s);
		return refused(s, r);
	}
	if (!uids[0])
		return find_appended(s->session, s->batch, s->from, s->n);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = confirm(s, i, uidvalidity, uids[i]);
	return r;
}

static int send_append(struct span *s)
{
	if (s->n > 1 && !(backend_abilities(*s->session) & BACKEND_APPEND_MANY)) {
		struct span one = *s;
		int r = 0;

		one.n = 1;
		for (; one.from < s->from + s->n && r == 0; one.from++)
			r = append(&one);
		return r;
	}
	return append(s);
}

/* ------------------------------------------------------------ all of them */

static int send_folder(struct span *s)
{
	int r = replay_send_folder(s->batch->mb, s->session, entry_of(s, 0));

	return r < 0 ? refused(s, r) : confirm_all(s);
}

static int verify(struct span *s)
{
	uint32_t uidvalidity = 0, uid = 0;
	int r = find_sent(s->session, s->batch, s->from, &uidvalidity, &uid);

	/* A server may still be at what a connection that broke had brought to it. */
	if (r == 0 && !uid)
		r = replay_let_pass(s->batch->mb->replay, LATE_MS);
	if (r == 0 && !uid)
		r = find_sent(s->session, s->batch, s->from, &uidvalidity, &uid);
	if (r < 0)
		return may_pass(s, r) ? r : refused(s, r);
	if (!uid)
		return unmark(s) == 0 ? send_span(s) : -EIO;
	if (entry_of(s, 0)->kind == JOURNAL_MOVE)
		r = replay_leave_behind(s->batch, s->from);
	return r < 0 ? r : confirm(s, 0, uidvalidity, uid);
}

static int send_span(struct span *s)
{
	static int (*const sends[])(struct span * s) = {
		[JOURNAL_FLAGS] = send_flags,	[JOURNAL_MOVE] = send_move,	[JOURNAL_REMOVE] = send_removal,
		[JOURNAL_MARK] = send_mark,	[JOURNAL_APPEND] = send_append, [JOURNAL_COPY] = send_copy,
		[JOURNAL_CREATE] = send_folder, [JOURNAL_DELETE] = send_folder, [JOURNAL_RENAME] = send_folder,
	};
	const struct journal_entry *first = entry_of(s, 0);
	bool needs_place = first->kind != JOURNAL_APPEND && first->kind < JOURNAL_CREATE;

	if (first->was_sent)
		return verify(s);
	if (needs_place && !place_of(s, 0)->uid) /* it has gone from the server, or never came there */
		return confirm_all(s);
	return sends[first->kind](s);
}

int replay_send(struct replay_batch *batch, struct backend **session)
{
	struct span all = { .batch = batch, .session = session, .n = batch->n };
	bool is_folder = batch->entries[0].kind >= JOURNAL_CREATE;
	int r = send_span(&all);

	if (r == 0 && is_folder)
		look_at_folder_list(batch->mb, true, NULL);
	return r;
}
