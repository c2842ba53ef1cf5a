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

static void say(struct mailbox *mb, const struct journal_entry *e, const char *why)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	struct index_message m = { 0 };
	int r;

	if (e->row)
		index_message_get(mb->index, e->row, &m);
	r = buf_printf(&line, "%s %s was refused and is taken back: %s", doings[e->kind], e->row ? m.name : e->folder, why);
	if (r == 0)
		mailbox_say(mb, buf_str(&line));
}

/* Its name and place in the tree as before. */
static int show_old_name(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	const char *parent = strchr(e->detail, '\n'), *name = parent ? strchr(parent + 1, '\n') : NULL;
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = to && name ? index_folder_by_wire(mb->index, to, &f) : -ENOENT;

	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_GONE, f.parent, f.row, f.name);
	if (r == 0)
		r = changing_put_folder(mb, &f, strtoll(parent, NULL, 10), name + 1, e->folder);
	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_ADDED, f.parent, f.row, f.name);
	if (r != -ENOENT || !to)
		return r;
	/* An index that was made anew does not know it yet. */
	return local_rename_folder(mb->index, to, e->folder, replay_renamed_delimiter(e));
}

static int show_again(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 }, other = { 0 };
	const char *name = strchr(e->detail, '\n');
	int r = name ? index_folder_get(mb->index, strtoll(e->detail, NULL, 10), &f) : -ENOENT;

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

static int drop_entry(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
		      const struct replay_outcome *o)
{
	(void)place, (void)o;
	return journal_remove(c->mb->index, e->seq);
}

static int show_refused(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			const struct replay_outcome *o)
{
	int r = drop_entry(c, e, place, o);

	if (r == 0)
		r = take_back(c, e);
	return r < 0 ? r : replay_drop_depending(c, e->seq); /* what it was to replace gets its name back */
}

int replay_refuse(struct replay_batch *batch, size_t i, int error, const char *why)
{
	const struct journal_entry *e = &batch->entries[i];
	struct mailbox *mb = batch->mb;

	say(mb, e, why);
	replay_note_refused(mb->replay, e->row, e->seq, error);
	return replay_settle(batch, i, show_refused, drop_entry, &(struct replay_outcome){ 0 });
}
