/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mailbox/replay.h"
#include "message/flags.h"

/* ------------------------------------------------------------ flags */

int apply_flags_words(const char *flags, const char *detail, struct buf *out)
{
	CLEANUP(buf) struct buf words = BUF_INIT;
	const char *remove = strchr(detail, '\n');
	size_t add_len = remove ? (size_t)(remove - detail) : strlen(detail);
	int r = buf_printf(&words, "%s %.*s", flags, (int)add_len, detail);
	CLEANUP(buf) struct buf all = BUF_INIT;

	if (r == 0)
		r = flags_canonical_lenient(buf_str(&words), &all);
	if (r < 0)
		return r;
	for (const char *at = buf_str(&all); *at;) {
		size_t len = strcspn(at, " ");
		CLEANUP(free) char *word = strndup(at, len);

		if (!word)
			return -ENOMEM;
		if (!remove || !flags_has(remove + 1, word))
			r = buf_printf(out, "%s%s", out->len ? " " : "", word);
		if (r < 0)
			return r;
		at += len + (at[len] == ' ');
	}
	return 0;
}

static int show_flags(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(buf) struct buf shown = BUF_INIT, server = BUF_INIT, next = BUF_INIT;
	int r = index_message_flags(mb->index, e->row, &shown);

	if (r == 0)
		r = index_message_server_flags(mb->index, e->row, &server);
	if (r == 0 && !server.data)
		r = index_message_set_server_flags(mb->index, e->row, buf_str(&shown));
	if (r == 0)
		r = apply_flags_words(buf_str(&shown), e->detail, &next);
	return r < 0 ? r : index_message_set_flags(mb->index, e->row, buf_str(&next));
}

static int show_if_flags(void *userdata, const struct journal_entry *e)
{
	int r = e->kind == JOURNAL_FLAGS ? show_flags(userdata, e) : 0;

	return r < 0 ? r : 0; /* 1, other flags than before, would end the walk */
}

int apply_server_flags(struct mailbox *mb, int64_t row, const char *flags)
{
	CLEANUP(buf) struct buf before = BUF_INIT, after = BUF_INIT, server = BUF_INIT;
	int r = index_message_flags(mb->index, row, &before);

	if (r == 0)
		r = index_message_server_flags(mb->index, row, &server);
	if (r == 0)
		r = index_message_set_flags(mb->index, row, flags);
	if (r < 0 || (!server.data && journal_is_empty(mb->index)))
		return r;
	r = index_message_set_server_flags(mb->index, row, NULL);
	if (r == 0)
		r = journal_each_of(mb->index, row, show_if_flags, mb);
	if (r == 0)
		r = index_message_flags(mb->index, row, &after);
	return r < 0 ? r : strcmp(buf_str(&before), buf_str(&after)) != 0;
}

/* ------------------------------------------------------------ places */

/* What the server has stays known beside what is shown. */
static void leave_server_place(struct index_message *m)
{
	if (m->server_folder || !m->uid)
		return;
	m->server_folder = m->folder;
	m->server_uid = m->uid;
}

void apply_hide(struct index_message *m)
{
	leave_server_place(m);
	m->folder = m->uid = 0;
}

static int show_removed(struct mailbox *mb, const struct journal_entry *e)
{
	struct index_message m;
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r;
	apply_hide(&m);
	return index_message_put(mb->index, &m);
}

int apply_follow_rename(void *userdata, const struct journal_entry *e)
{
	char **wire = userdata, *renamed;
	size_t len = strlen(e->folder);

	if (strncmp(*wire, e->folder, len) || ((*wire)[len] && (*wire)[len] != replay_renamed_delimiter(e)))
		return 0;
	if (asprintf(&renamed, "%.*s%s", (int)strcspn(e->detail, "\n"), e->detail, *wire + len) < 0)
		return -ENOMEM;
	free(*wire);
	*wire = renamed;
	return 0;
}

int apply_deleted_folder(struct mailbox *mb, const struct journal_entry *e, struct index_folder *ret)
{
	int r = index_folder_get(mb->index, strtoll(e->detail, NULL, 10), ret);

	if (r < 0 || ret->attributes & INDEX_FOLDER_HIDDEN)
		return r;
	index_folder_release(ret);
	*ret = (struct index_folder){ 0 };
	return -ENOENT;
}

struct followed {
	struct mailbox *mb;
	char *wire; /* own */
	struct index_folder *ret;
	bool is_found; /* deleted, and known */
};

static int follow(void *userdata, const struct journal_entry *e)
{
	struct followed *f = userdata;
	int r;

	if (e->kind == JOURNAL_RENAME)
		return apply_follow_rename(&f->wire, e);
	if (strcmp(e->folder, f->wire) != 0)
		return 0;
	r = apply_deleted_folder(f->mb, e, f->ret);
	f->is_found = r == 0;
	return r < 0 ? r : 1;
}

int apply_folder_of(struct mailbox *mb, const struct journal_entry *e, struct index_folder *ret)
{
	struct followed f = { .mb = mb, .wire = strdup(e->folder), .ret = ret };
	int r = f.wire ? journal_each_folder_after(mb->index, e->seq, follow, &f) : -ENOMEM;

	if ((r >= 0 && !f.is_found) || r == -ENOENT)
		r = index_folder_by_wire(mb->index, f.wire, ret);
	free(f.wire);
	return r < 0 ? r : 0;
}

static int show_moved(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(index_folder) struct index_folder to = { 0 };
	struct index_message m;
	int r = index_message_get(mb->index, e->row, &m);

	if (r == 0)
		r = apply_folder_of(mb, e, &to);
	if (r == 0)
		r = apply_free_name(mb, to.row, e->detail, "", m.name);
	if (r < 0)
		return r;
	leave_server_place(&m);
	m.folder = to.row;
	m.uid = 0;
	m.is_given = true;
	m.arrived_s = clock_realtime_s();
	return index_message_put(mb->index, &m);
}

/* The copy stands at once; its bytes are its source's until the server has it. */
static int show_copy(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(index_folder) struct index_folder to = { 0 };
	CLEANUP(buf) struct buf flags = BUF_INIT;
	struct index_message source, m;
	int r = index_message_get(mb->index, e->source, &source);

	if (r == 0)
		r = index_message_flags(mb->index, e->source, &flags);
	if (r == 0)
		r = apply_folder_of(mb, e, &to);
	if (r < 0)
		return r;
	r = index_message_get(mb->index, e->row, &m);
	if (r == 0 && !m.is_local)
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT) {
		m = (struct index_message){ .row = e->row, .folder = to.row, .is_given = true };
		snprintf(m.name, sizeof m.name, "%s", e->detail);
	}
	m.is_local = false;
	m.size_bytes = source.size_bytes;
	m.size_proven = source.size_proven;
	m.internaldate_s = source.internaldate_s;
	m.arrived_s = clock_realtime_s();
	if (r == -ENOENT)
		return index_message_insert(mb->index, &m, buf_str(&flags));
	r = index_message_put(mb->index, &m);
	return r < 0 ? r : index_message_set_flags(mb->index, m.row, buf_str(&flags));
}

int apply_show(struct mailbox *mb, const struct journal_entry *e)
{
	switch (e->kind) {
	case JOURNAL_FLAGS:
		return show_flags(mb, e);
	case JOURNAL_MOVE:
		return show_moved(mb, e);
	case JOURNAL_REMOVE:
	case JOURNAL_MARK:
		return show_removed(mb, e);
	case JOURNAL_COPY:
		return show_copy(mb, e);
	case JOURNAL_APPEND: /* a local file stands there already */
	case JOURNAL_CREATE:
	case JOURNAL_DELETE:
	case JOURNAL_RENAME:
		return 0;
	}
	return -EINVAL;
}

static int show_again(void *userdata, const struct journal_entry *e)
{
	int r = apply_show(userdata, e);

	return r == -ENOENT ? 0 : r < 0 ? r : 0;
}

/* What the kernel must learn of a message that stands elsewhere than before. */
static int add_news(struct news *news, const struct index_message *before, const struct index_message *after)
{
	int r = 0;

	if (before->folder == after->folder && strcmp(before->name, after->name) == 0)
		return after->folder ? news_add(news, CHANGE_MESSAGE_ATTRIBUTES, after->folder, after->row, after->name) : 0;
	if (before->folder)
		r = news_add(news, after->folder ? CHANGE_MESSAGE_RENAMED : CHANGE_MESSAGE_GONE, before->folder, before->row,
			     before->name);
	if (r == 0 && after->folder)
		r = news_add(news, CHANGE_MESSAGE_ADDED, after->folder, after->row, after->name);
	return r;
}

/* At a place that it has for a moment, or comes back to, another may have got its name. */
static int put_named(struct mailbox *mb, struct index_message *m)
{
	struct index_message other;
	int r = index_message_by_name(mb->index, m->folder, m->name, &other);

	if (r == 0 && other.row != m->row) {
		m->is_given = true;
		r = apply_free_name(mb, m->folder, m->name, "", m->name);
	}
	return r < 0 && r != -ENOENT ? r : index_message_put(mb->index, m);
}

/* The message where the server has it, and nothing else. */
static int show_as_server_has_it(struct mailbox *mb, struct index_message *m)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	CLEANUP(journal_place) struct journal_place place = { 0 };
	int r = index_message_server_flags(mb->index, m->row, &flags);

	if (r == 0 && flags.data)
		r = index_message_set_flags(mb->index, m->row, buf_str(&flags));
	if (r >= 0)
		r = index_message_set_server_flags(mb->index, m->row, NULL);
	if (r < 0 || !m->server_folder || m->is_marked)
		return r;
	m->folder = m->server_folder;
	m->uid = m->server_uid;
	m->server_folder = m->server_uid = 0;
	r = journal_place_get(mb->index, m->row, &place);
	if (r == 0 && *place.name) {
		m->is_given = place.is_given;
		memcpy(m->name, place.name, sizeof m->name);
	}
	return r < 0 && r != -ENOENT ? r : put_named(mb, m);
}

int apply_show_anew(struct mailbox *mb, int64_t row, struct news *news)
{
	struct index_message before, m;
	int r = index_message_get(mb->index, row, &before);

	if (r < 0)
		return r;
	m = before;
	r = show_as_server_has_it(mb, &m);
	if (r == 0)
		r = journal_each_of(mb->index, row, show_again, mb);
	if (r == 0)
		r = index_message_get(mb->index, row, &m);
	return r < 0 ? r : add_news(news, &before, &m);
}

static bool looks_the_same(const struct index_message *a, const struct index_message *b)
{
	return a->folder == b->folder && !strcmp(a->name, b->name) && a->is_local == b->is_local &&
	       a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns && a->mode == b->mode &&
	       a->internaldate_s == b->internaldate_s && a->ctime_ns == b->ctime_ns && a->arrived_s == b->arrived_s;
}

/* A sync may have met the message at its new place before we heard of it: the row that it had before goes on. */
static int make_room(struct mailbox *mb, int64_t row, int64_t folder, uint32_t uid, struct news *news)
{
	struct index_message other;
	int r = index_message_by_uid(mb->index, folder, uid, &other);

	if (r == -ENOENT)
		r = index_message_away(mb->index, folder, uid, &other);
	if (r == -ENOENT || (r == 0 && other.row == row))
		return 0;
	if (r == 0)
		r = index_message_delete(mb->index, other.row);
	if (r < 0 || !other.folder)
		return r;
	return news_add(news, CHANGE_MESSAGE_GONE, folder, other.row, other.name);
}

static int put_place(struct mailbox *mb, const struct index_message *m, const struct index_folder *f)
{
	struct journal_place place = { .wire = f->wire, .uidvalidity = f->uidvalidity, .uid = m->uid, .is_given = m->is_given };

	memcpy(place.name, m->name, sizeof place.name);
	return journal_place_put(mb->index, m->row, &place);
}

static int keep(struct mailbox *mb, const struct index_message *m, const struct index_folder *f)
{
	struct journal_kept kept = {
		.mtime_ns = m->mtime_ns, .mode = m->mode, .arrived_s = m->arrived_s, .is_marked = m->is_marked
	};

	if (m->is_given)
		memcpy(kept.name, m->name, sizeof kept.name);
	return journal_kept_put(mb->index, f->wire, f->uidvalidity, m->uid, &kept);
}

/* A folder that was never synced gets its UIDVALIDITY now, or the first sync would think that it was begun anew. */
static int settle_uidvalidity(struct mailbox *mb, struct index_folder *f, uint32_t uidvalidity)
{
	int r;

	if (f->uidvalidity == uidvalidity)
		return 0;
	if (f->uidvalidity)
		return -ESTALE;
	f->uidvalidity = uidvalidity;
	r = index_folder_reset(mb->index, f->row, uidvalidity);
	return r == 0 && f->complete ? index_folder_complete(mb->index, f->row, 0) : r;
}

/* Nobody knows it by a UID: a sync will meet it as one that is new. */
static int forget(struct mailbox *mb, const struct index_message *m, struct news *news)
{
	CLEANUP(journal_place) struct journal_place place = { 0 };
	int r = journal_place_get(mb->index, m->row, &place);

	place.uid = 0; /* further changes of it have no message any more */
	if (r == 0)
		r = journal_place_put(mb->index, m->row, &place);
	if (r == 0 || r == -ENOENT)
		r = index_message_delete(mb->index, m->row);
	if (r == -ENOENT || !m->folder)
		return r == -ENOENT ? 0 : r;
	return r < 0 ? r : news_add(news, CHANGE_MESSAGE_GONE, m->folder, m->row, m->name);
}

int apply_nowhere(struct mailbox *mb, int64_t row, struct news *news)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	return r < 0 ? r : forget(mb, &m, news);
}

/* What is still to be done with it is done where it stands now. */
static int show_the_rest(struct mailbox *mb, struct index_message *m, const struct index_folder *f)
{
	int64_t last;
	int r = journal_last_of(mb->index, m->row, &last);

	if (r < 0 || !last)
		return r;
	r = put_place(mb, m, f);
	if (r == 0)
		r = journal_each_of(mb->index, m->row, show_again, mb);
	return r < 0 ? r : index_message_get(mb->index, m->row, m);
}

int apply_place(struct mailbox *mb, const struct index_message *before, struct index_folder *f, uint32_t uidvalidity, uint32_t uid,
		const char *name, struct news *news)
{
	struct index_message m = *before;
	int r = settle_uidvalidity(mb, f, uidvalidity);

	if (r == -ESTALE)
		return forget(mb, before, news);
	if (r == 0)
		r = make_room(mb, m.row, f->row, uid, news);
	if (r < 0)
		return r;
	m.folder = f->row;
	m.uid = uid;
	m.server_folder = m.server_uid = 0;
	m.is_local = false;
	m.is_given = true;
	snprintf(m.name, sizeof m.name, "%s", name);
	r = put_named(mb, &m);
	if (r == 0)
		r = keep(mb, &m, f);
	if (r == 0)
		r = show_the_rest(mb, &m, f);
	return r < 0 || looks_the_same(before, &m) ? r : add_news(news, before, &m);
}

/* ------------------------------------------------------------ recording */

static int remember_place(struct mailbox *mb, int64_t row)
{
	CLEANUP(journal_place) struct journal_place known = { 0 };
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = journal_place_get(mb->index, row, &known);

	if (r != -ENOENT)
		return r;
	r = index_message_get(mb->index, row, &m);
	if (r == 0 && m.server_folder) {
		m.folder = m.server_folder;
		m.uid = m.server_uid;
	}
	if (r < 0 || !m.uid)
		return r;
	r = index_folder_get(mb->index, m.folder, &f);
	return r < 0 ? r : put_place(mb, &m, &f);
}

int apply_record(struct mailbox *mb, struct journal_entry *e)
{
	int r = e->row ? remember_place(mb, e->row) : 0;

	if (r == 0 && e->source)
		r = remember_place(mb, e->source);
	if (r == 0)
		r = journal_append(mb->index, e);
	if (r == 0)
		r = apply_show(mb, e);
	return r < 0 ? r : 0;
}
