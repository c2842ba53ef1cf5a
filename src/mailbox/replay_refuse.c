/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server refused: entries leave the journal, the tree shows what the server has, and a person is told.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/changing_private.h"

static const char *const doings[] = {
	[JOURNAL_FLAGS] = "changing the flags of",
	[JOURNAL_MOVE] = "moving",
	[JOURNAL_REMOVE] = "removing",
	[JOURNAL_MARK] = "marking as deleted",
	[JOURNAL_APPEND] = "storing",
	[JOURNAL_COPY] = "copying",
	[JOURNAL_CREATE] = "making the folder",
	[JOURNAL_DELETE] = "deleting the folder",
	[JOURNAL_RENAME] = "renaming the folder",
};

static void say(struct mailbox *mb, const struct journal_entry *e, const char *what, const char *why)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	struct index_message m = { 0 };
	int r;

	if (e->row)
		index_message_get(mb->index, e->row, &m);
	r = buf_printf(&line, "%s %s %s: %s", doings[e->kind], e->row ? m.name : e->folder, what, why);
	if (r == 0)
		mailbox_say(mb, buf_str(&line));
}

/* ------------------------------------------------------------ a folder that keeps its name */

/* What was recorded since calls the folder `to`, and the server `from`, … */
struct misnomer {
	char *to, *from; /* own */
	char delimiter;
	struct journal_entry next; /* own; … until this one calls it, or what is above it, otherwise; seq 0: none does */
};

static void misnomer_cleanup(struct misnomer *m)
{
	free(m->to);
	free(m->from);
	journal_entry_release(&m->next);
}

static bool is_above(const struct misnomer *m, const char *above, const char *wire)
{
	size_t len = strlen(above);

	return m->delimiter && !strncmp(wire, above, len) && wire[len] == m->delimiter;
}

static int note_next(void *userdata, const struct journal_entry *e)
{
	struct misnomer *m = userdata;
	bool is_it = (e->kind == JOURNAL_RENAME || e->kind == JOURNAL_DELETE) && !strcmp(e->folder, m->to);

	if (!is_it && (e->kind != JOURNAL_RENAME || (!is_above(m, e->folder, m->to) && !is_above(m, e->folder, m->from))))
		return 0;
	m->next =
		(struct journal_entry){ .seq = e->seq, .kind = e->kind, .folder = strdup(e->folder), .detail = strdup(e->detail) };
	return m->next.folder && m->next.detail ? 1 : -ENOMEM;
}

/* Renamed once more: should that be refused as well, it gets the name back that it has on the server. */
static int rename_from_there(struct mailbox *mb, struct misnomer *m, const struct journal_entry *e)
{
	struct journal_entry next = { .seq = m->next.seq, .kind = JOURNAL_RENAME, .folder = m->from };
	char *detail;
	int r;

	if (asprintf(&detail, "%.*s%s", (int)strcspn(m->next.detail, "\n"), m->next.detail, e->detail + strcspn(e->detail, "\n")) <
	    0)
		return -ENOMEM;
	next.detail = detail;
	r = journal_replace(mb->index, &next);
	free(detail);
	return r;
}

/* The journal calls it what the server does. 1 when the tree does so, too, having deleted it or renamed it once more. */
static int correct_journal(struct mailbox *mb, struct misnomer *m, const struct journal_entry *e)
{
	int64_t after = e->seq, until;
	bool is_over;
	int r;

	do {
		journal_entry_release(&m->next);
		m->next = (struct journal_entry){ 0 };
		r = journal_each_after(mb->index, after, note_next, m);
		until = m->next.seq ? m->next.seq : INT64_MAX;
		if (r >= 0)
			r = journal_rename_recorded(mb->index, after, until, m->to, m->from, m->delimiter);
		is_over = m->next.seq && !strcmp(m->next.folder, m->to);
		if (r == 0 && is_over && m->next.kind == JOURNAL_RENAME)
			r = rename_from_there(mb, m, e);
		if (r == 0 && m->next.seq && !is_over)
			r = apply_follow_rename(&m->to, &m->next);
		if (r == 0 && m->next.seq && !is_over)
			r = apply_follow_rename(&m->from, &m->next);
		after = until;
	} while (r == 0 && m->next.seq && !is_over);
	if (r == 0 && !is_over)
		r = journal_rename_kept(mb->index, m->to, m->from, m->delimiter);
	return r < 0 ? r : is_over;
}

static int begin_misnomer(struct misnomer *m, const struct journal_entry *e)
{
	*m = (struct misnomer){
		.to = strndup(e->detail, strcspn(e->detail, "\n")),
		.from = strdup(e->folder),
		.delimiter = replay_renamed_delimiter(e),
	};
	return m->to && m->from ? 0 : -ENOMEM;
}

/* Its name and place in the tree as before. */
static int show_old_name(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	const char *parent = strchr(e->detail, '\n'), *name = parent ? strchr(parent + 1, '\n') : NULL;
	CLEANUP(misnomer) struct misnomer m = { 0 };
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = begin_misnomer(&m, e);

	if (r == 0)
		r = correct_journal(mb, &m, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = name ? index_folder_by_wire(mb->index, m.to, &f) : -ENOENT;
	if (r == -ENOENT) /* an index that was made anew does not know it yet */
		return local_rename_folder(mb->index, m.to, m.from, m.delimiter);
	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_GONE, f.parent, f.row, f.name);
	if (r == 0)
		r = changing_put_folder(mb, &f, strtoll(parent, NULL, 10), name + 1, m.from);
	return r < 0 ? r : news_add(news, CHANGE_FOLDER_ADDED, f.parent, f.row, f.name);
}

static int show_again(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 }, other = { 0 };
	const char *name = strchr(e->detail, '\n');
	int r = name ? apply_deleted_folder(mb, e, &f) : -ENOENT;

	if (r == 0 && index_folder_by_wire(mb->index, e->folder, &other) ==
			      0) /* another has its name by now: what the server lists will tell */
		return index_folder_delete(mb->index, f.row);
	f.wire = r == 0 ? strdup(e->folder) : NULL;
	if (r < 0 || !f.wire)
		return r == -ENOENT ? 0 : r < 0 ? r : -ENOMEM;
	look_forget(mb, f.row);
	f.attributes &= ~(unsigned)INDEX_FOLDER_HIDDEN;
	snprintf(f.name, sizeof f.name, "%s", name + 1);
	r = index_folder_put(mb->index, &f);
	return r < 0 ? r : news_add(news, CHANGE_FOLDER_ADDED, f.parent, f.row, f.name);
}

/* ------------------------------------------------------------ all of them */

static int take_back_folder(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r;

	if (e->kind == JOURNAL_RENAME)
		return show_old_name(mb, e, news);
	if (e->kind == JOURNAL_DELETE)
		return show_again(mb, e, news);
	r = index_folder_by_wire(mb->index, e->folder, &f);
	if (r == 0)
		r = index_folder_delete(mb->index, f.row);
	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_GONE, f.parent, f.row, f.name);
	return r == -ENOENT ? 0 : r;
}

/* A copy that there is none of. */
static int drop_copy(struct mailbox *mb, int64_t row, struct news *news)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r == 0)
		r = index_message_delete(mb->index, row);
	if (r == 0 && m.folder)
		r = news_add(news, CHANGE_MESSAGE_GONE, m.folder, row, m.name);
	return r == -ENOENT ? 0 : r;
}

static int take_back(struct changing *c, const struct journal_entry *e)
{
	int r;

	if (e->kind >= JOURNAL_CREATE)
		return take_back_folder(c->mb, e, &c->news);
	if (e->kind == JOURNAL_APPEND)
		return upload_set_aside(c, e->row);
	if (e->kind == JOURNAL_COPY)
		return drop_copy(c->mb, e->row, &c->news);
	r = apply_show_anew(c->mb, e->row, &c->news);
	return r == -ENOENT ? 0 : r;
}

struct depending {
	struct journal_entry entry; /* its numbers alone */
};

static int note_one(void *userdata, const struct journal_entry *e)
{
	struct depending *d = userdata;

	d->entry = (struct journal_entry){ .seq = e->seq, .kind = e->kind, .row = e->row };
	return 1;
}

int replay_drop_depending(struct changing *c, int64_t seq)
{
	struct depending d;
	int r;

	do {
		d = (struct depending){ 0 };
		r = journal_each_depending(c->mb->index, seq, note_one, &d);
		if (r >= 0 && d.entry.seq)
			r = journal_remove(c->mb->index, d.entry.seq);
		if (r >= 0 && d.entry.seq)
			r = take_back(c, &d.entry);
	} while (r >= 0 && d.entry.seq);
	return r < 0 ? r : 0;
}

/* The tree cannot show it; the journal must not speak of another folder all the same. */
static int drop_entry(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
		      const struct replay_outcome *o)
{
	CLEANUP(misnomer) struct misnomer m = { 0 };
	int r = journal_remove(c->mb->index, e->seq);

	(void)place, (void)o;
	if (r < 0 || e->kind != JOURNAL_RENAME)
		return r;
	r = begin_misnomer(&m, e);
	if (r == 0)
		r = correct_journal(c->mb, &m, e);
	return r < 0 ? r : 0;
}

/* What was to become of a message that does not come to be becomes nothing, for the same reason. */
static int drop_following(struct changing *c, int64_t row, int error)
{
	struct depending d;
	int r;

	do {
		d = (struct depending){ 0 };
		r = journal_each_of(c->mb->index, row, note_one, &d);
		if (r < 0 || !d.entry.seq)
			break;
		if (d.entry.kind != JOURNAL_REMOVE && d.entry.kind != JOURNAL_MARK)
			replay_note_refused(c->mb->replay, &d.entry, NULL, error);
		r = journal_remove(c->mb->index, d.entry.seq);
		if (r == 0)
			r = replay_drop_depending(c, d.entry.seq);
	} while (r == 0);
	return r < 0 ? r : 0;
}

/* One that was not stored is set aside where it is shown, or goes if it was to be removed: the journal is asked for that. */
static int show_not_stored(struct changing *c, const struct journal_entry *e, int error)
{
	int r = take_back(c, e);

	if (r >= 0)
		r = drop_following(c, e->row, error);
	if (r == 0)
		r = apply_show_anew(c->mb, e->row, &c->news);
	return r == -ENOENT ? 0 : r;
}

static int show_refused(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			const struct replay_outcome *o)
{
	int r = journal_remove(c->mb->index, e->seq);

	if (r == 0 && e->kind == JOURNAL_APPEND)
		r = show_not_stored(c, e, o->error);
	else if (r == 0 && e->row && (e->kind == JOURNAL_COPY || !place->uid))
		r = drop_following(c, e->row, o->error);
	if (r == 0 && e->kind != JOURNAL_APPEND)
		r = take_back(c, e);
	return r < 0 ? r : replay_drop_depending(c, e->seq); /* what it was to replace gets its name back */
}

int replay_refuse(struct replay_batch *batch, size_t i, int error, const char *why)
{
	const struct journal_entry *e = &batch->entries[i];
	struct mailbox *mb = batch->mb;

	say(mb, e, "was refused and is taken back", why);
	replay_note_refused(mb->replay, e, &batch->places[i], error);
	return replay_settle(batch, i, show_refused, drop_entry, &(struct replay_outcome){ .error = error });
}

void replay_say_gone(struct replay_batch *batch, size_t i)
{
	const struct journal_entry *e = &batch->entries[i];

	say(batch->mb, e, "came to nothing", "the message has gone");
	replay_note_refused(batch->mb->replay, e, &batch->places[i], -ENOENT);
}
