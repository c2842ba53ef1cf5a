/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages removed for good: by UID alone, and where a server keeps what is expunged elsewhere (Gmail), by way of its trash.
 */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/replay_find.h"
#include "message/flags.h"

static void set_why(struct backend *session, const char *why)
{
	buf_truncate(&session->why, 0);
	buf_append_str(&session->why, why);
}

/* Unless it had been marked before. */
static int take_mark_back(struct span *s)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	const struct journal_place *p = span_place(s, 0);
	struct index *ix = s->batch->mb->index;
	int64_t row = span_entry(s, 0)->row;
	int r = index_message_server_flags(ix, row, &flags);

	if (r == 0 && !flags.data)
		r = index_message_flags(ix, row, &flags);
	if (r < 0 || flags_has(buf_str(&flags), "\\Deleted"))
		return r;
	return backend_store(s->session, p->wire, p->uidvalidity, &p->uid, 1, "", "\\Deleted");
}

/* A removal takes two commands, of which one may have been refused: the message has gone all the same where another client had marked it, or stands there with our mark. */
static int look_what_is_left(struct span *s, int error)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int gone;

	if (error == -ENXIO || error == -ESTALE || buf_append_str(&why, backend_why(*s->session)) < 0)
		return error;
	gone = find_has_gone(s->session, s->batch, s->from);
	if (gone == 0)
		take_mark_back(s);
	if ((*s->session)->broken)
		return -ENOTCONN;
	set_why(*s->session, buf_str(&why));
	return gone == 1 ? 0 : error;
}

static int expunge(struct span *s)
{
	CLEANUP(free) uint32_t *uids = span_uids(s);
	const struct journal_place *p = span_place(s, 0);
	int r = uids ? backend_expunge(s->session, p->wire, p->uidvalidity, uids, s->n) : -ENOMEM;

	if (r < 0 && s->n == 1 && !(*s->session)->broken)
		r = look_what_is_left(s, r);
	return r < 0 ? span_refused(s, r) : span_confirm(s, 0, NULL);
}

/* ------------------------------------------------------------ by way of the trash */

static int note_trash(void *userdata, const struct backend_folder *f)
{
	char **wire = userdata;

	if (f->special_use == USE_TRASH && !*wire)
		*wire = strdup(f->wire);
	return 0;
}

/* *ret own; NULL: there is none. */
static int find_trash(struct span *s, char **ret)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_by_use(s->batch->mb->index, USE_TRASH, &f);

	if (r == 0 && f.wire)
		*ret = strdup(f.wire);
	return r == 0 && f.wire ? 0 : backend_list(s->session, note_trash, ret);
}

/* In a transaction: where the message stands from now on. It is expunged there, be it after a crash. */
static int change_place(struct index *ix, int64_t row, struct journal_place *place, const char *wire, uint32_t uidvalidity,
			uint32_t uid)
{
	char *copy = strdup(wire);
	int r = copy ? journal_kept_remove(ix, place->wire, place->uidvalidity, place->uid) : -ENOMEM;

	if (r < 0) {
		free(copy);
		return r;
	}
	free(place->wire);
	place->wire = copy;
	place->uidvalidity = uidvalidity;
	place->uid = uid;
	return journal_place_put(ix, row, place);
}

static void swap_entries(struct replay_batch *batch, size_t a, size_t b)
{
	struct journal_entry entry = batch->entries[a];
	struct journal_place place = batch->places[a];

	batch->entries[a] = batch->entries[b];
	batch->places[a] = batch->places[b];
	batch->entries[b] = entry;
	batch->places[b] = place;
}

/* Those that arrived in the trash come first: *ret_n. The others had gone. */
static int note_moved(struct span *s, const uint32_t *uids, const struct backend_copied *copied, const char *trash, size_t *ret_n)
{
	struct index *ix = s->batch->mb->index;
	size_t n = 0;
	int r = index_begin(ix);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct journal_place *p = &s->batch->places[s->from + i];
		const uint32_t *at = bsearch(&p->uid, uids, s->n, sizeof *uids, span_compare_uids);
		uint32_t uid = at && copied->uidvalidity && copied->uids ? copied->uids[at - uids] : 0;

		if (!uid)
			continue;
		r = change_place(ix, span_entry(s, i)->row, p, trash, copied->uidvalidity, uid);
		swap_entries(s->batch, s->from + i, s->from + n++);
	}
	r = index_end(ix, r);
	*ret_n = n;
	return r < 0 ? r : journal_sync(ix);
}

static int refuse_without_trash(struct span *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++)
		r = replay_refuse(s->batch, s->from + i, -EPERM,
				  "the server shows no trash, and only from there it removes anything");
	return r;
}

/* A crash in between leaves them in the trash, whence they are expunged the next time. */
static int move_and_expunge(struct span *s, const char *trash)
{
	CLEANUP(free) uint32_t *uids = span_uids(s);
	const struct journal_place *p = span_place(s, 0);
	struct backend_copied copied = { 0 };
	struct span moved = *s, gone = *s;
	int r = uids ? backend_move(s->session, p->wire, p->uidvalidity, uids, s->n, trash, &copied) : -ENOMEM, error = 0;

	moved.n = 0;
	if (copied.uids)
		error = note_moved(s, uids, &copied, trash, &moved.n);
	backend_copied_release(&copied);
	if (error < 0)
		return error;
	gone.from += moved.n;
	gone.n -= moved.n;
	error = moved.n && !(*s->session)->broken ? expunge(&moved) : 0;
	if (error < 0)
		return error;
	if (!gone.n)
		return (*s->session)->broken ? r : 0;
	return r < 0 ? span_refused(&gone, r) : span_confirm(&gone, 0, NULL);
}

static int remove_by_way_of_trash(struct span *s)
{
	CLEANUP(free) char *trash = NULL;
	int r = find_trash(s, &trash);

	if (r < 0)
		return span_refused(s, r);
	if (!trash)
		return refuse_without_trash(s);
	return strcmp(trash, span_place(s, 0)->wire) ? move_and_expunge(s, trash) : expunge(s);
}

/* Without UID EXPUNGE nothing is expunged: other clients' \Deleted messages would go as well. */
int span_send_removal(struct span *s)
{
	unsigned abilities = backend_abilities(*s->session);

	if (!(abilities & BACKEND_EXPUNGE_UID)) {
		for (size_t i = 0; i < s->n; i++)
			s->batch->entries[s->from + i].kind = JOURNAL_MARK;
		return span_send_mark(s);
	}
	return abilities & BACKEND_TRASH_FIRST && abilities & BACKEND_MOVE ? remove_by_way_of_trash(s) : expunge(s);
}
