/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One folder brought up to date: what the backend finds goes to the index, range by range, and the news goes up.
 *
 * No transaction is open while the server is waited for: a range is gathered in memory and written at its end.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "message/date.h"
#include "message/name.h"

enum {
	FLAGS_BATCH = 2000,
	NEWS_MAX = 256, /* more than that at once: the whole listing is news */
};

struct found_message {
	struct index_message message;
	char *flags; /* own */
};

struct found_flags {
	uint32_t uid;
	char *flags; /* own */
};

struct uid_range {
	uint32_t first, last;
};

struct sync {
	struct mailbox *mb;
	struct index_folder folder;
	struct sync_progress *progress;
	struct backend_known known;
	bool was_complete; /* the folder could be listed before: what changes is news */
	bool is_changed;

	struct found_message *messages; /* own, n of them own their flags */
	size_t n_messages, cap_messages;
	struct found_flags *flags; /* own */
	size_t n_flags, cap_flags;
	struct uid_range *present; /* own */
	size_t n_present, cap_present;

	struct change news[NEWS_MAX]; /* names own */
	size_t n_news;		      /* may be over NEWS_MAX: then only counted */
};

static int make_room(void **items, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *bigger;

	if (n < *cap)
		return 0;
	bigger = reallocarray(*items, more, size);
	if (!bigger)
		return -ENOMEM;
	*items = bigger;
	*cap = more;
	return 0;
}

static void add_news(struct sync *s, enum change_kind kind, const struct index_message *m)
{
	if (!s->was_complete)
		return;
	s->is_changed = true;
	if (s->n_news < NEWS_MAX)
		s->news[s->n_news] = (struct change){ kind, s->folder.row, m->row, strdup(m->name) };
	s->n_news++;
}

static void tell_news(struct sync *s)
{
	struct mailbox *mb = s->mb;
	size_t kept = s->n_news < NEWS_MAX ? s->n_news : NEWS_MAX;

	if (s->n_news > NEWS_MAX)
		mailbox_tell(mb, CHANGE_LISTING, s->folder.row, 0, "");
	for (size_t i = 0; i < kept; i++) {
		const struct change *c = &s->news[i];

		if (s->n_news <= NEWS_MAX && c->name)
			mailbox_tell(mb, c->kind, c->folder, c->row, c->name);
		free((char *)c->name);
	}
	s->n_news = 0;
	if (s->is_changed)
		mailbox_tell(mb, CHANGE_FOLDER_ATTRIBUTES, s->folder.parent, s->folder.row, s->folder.name);
	s->is_changed = false;
}

static void drop_messages(struct sync *s)
{
	for (size_t i = 0; i < s->n_messages; i++)
		free(s->messages[i].flags);
	s->n_messages = 0;
}

static void drop_flags(struct sync *s)
{
	for (size_t i = 0; i < s->n_flags; i++)
		free(s->flags[i].flags);
	s->n_flags = 0;
}

/* First, and again when a lost session made the backend begin anew. UIDVALIDITY not what it was: nothing that was known means anything any more. */
static int on_state(void *userdata, const struct backend_status *status)
{
	struct sync *s = userdata;
	struct index *ix = s->mb->index;
	int r;

	drop_messages(s);
	drop_flags(s);
	s->n_present = 0;
	if (s->progress)
		atomic_store(&s->progress->total, status->messages);
	if (status->uidvalidity == s->folder.uidvalidity)
		return 0;
	if (s->folder.uidvalidity)
		log_warning("folder %s: UIDVALIDITY went from %u to %u: its cache is dropped", s->folder.name, s->folder.uidvalidity,
			    status->uidvalidity);
	r = index_begin(ix);
	if (r == 0)
		r = index_end(ix, index_folder_reset(ix, s->folder.row, status->uidvalidity));
	if (r == 0 && s->folder.uidvalidity) /* names may be known before the listing is complete */
		mailbox_tell(s->mb, CHANGE_LISTING, s->folder.row, 0, "");
	s->folder.uidvalidity = status->uidvalidity;
	s->folder.uidnext = 1;
	s->is_changed = s->was_complete; /* what nobody could list yet has not changed */
	s->was_complete = false;
	return r;
}

static void make_name(const struct sync *s, const struct backend_message *m, char out[MESSAGE_NAME_MAX + 1])
{
	if (s->mb->configuration->names == NAMES_UID)
		message_name_uid(s->folder.uidvalidity, m->uid, out);
	else
		message_name_subject(s->mb->zone, m->internaldate_s, m->header, m->header_len, s->known.outgoing, m->uid, out);
}

static int on_message(void *userdata, const struct backend_message *m)
{
	struct sync *s = userdata;
	struct found_message *f;
	int r = make_room((void **)&s->messages, &s->cap_messages, s->n_messages, sizeof *f);

	if (r < 0)
		return r;
	f = &s->messages[s->n_messages];
	f->message = (struct index_message){
		.folder = s->folder.row,
		.uid = m->uid,
		.size_bytes = m->size_bytes,
		.internaldate_s = m->internaldate_s,
		.ctime_ns = m->internaldate_s * 1000000000,
	};
	make_name(s, m, f->message.name);
	f->flags = strdup(m->flags);
	if (!f->flags)
		return -ENOMEM;
	s->n_messages++;
	return 0;
}

/* A message below what was reached before is told again when the backend had to begin anew, or when its counts did not agree. */
static bool is_known(struct sync *s, const struct index_message *m)
{
	struct index_message known;

	return m->uid < s->folder.uidnext && index_message_by_uid(s->mb->index, m->folder, m->uid, &known) == 0;
}

/* In a transaction: those below `uidnext`; the others are the next batch's. */
static int write_messages(struct sync *s, uint32_t uidnext)
{
	struct index *ix = s->mb->index;
	size_t n_new = 0;
	int r = 0;

	for (size_t i = 0; i < s->n_messages && r == 0; i++) {
		struct found_message *f = &s->messages[i];

		if (f->message.uid >= uidnext || is_known(s, &f->message))
			continue;
		r = index_message_insert(ix, &f->message, f->flags);
		n_new++;
	}
	if (r == 0 && n_new && s->was_complete)
		r = index_folder_touch(ix, s->folder.row);
	if (r < 0 || uidnext <= s->folder.uidnext)
		return r;
	return index_folder_progress(ix, s->folder.row, uidnext);
}

/* The written ones are news; the others stay for the next batch. */
static void announce_messages(struct sync *s, uint32_t uidnext)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_messages; i++) {
		struct found_message *f = &s->messages[i];

		if (f->message.uid >= uidnext) {
			s->messages[kept++] = *f;
			continue;
		}
		if (f->message.row)
			add_news(s, CHANGE_MESSAGE_ADDED, &f->message);
		free(f->flags);
	}
	if (s->progress)
		atomic_fetch_add(&s->progress->done, (unsigned)(s->n_messages - kept));
	s->n_messages = kept;
}

static int on_batch(void *userdata, uint32_t uidnext)
{
	struct sync *s = userdata;
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r == 0)
		r = index_end(ix, write_messages(s, uidnext));
	if (r < 0)
		return r;
	if (uidnext > s->folder.uidnext)
		s->folder.uidnext = uidnext;
	announce_messages(s, uidnext);
	tell_news(s);
	return 0;
}

/* In a transaction: writes those that differ from what is known. */
static int write_flags(struct sync *s)
{
	struct index *ix = s->mb->index;
	struct index_message m;
	int r = 0;

	for (size_t i = 0; i < s->n_flags; i++) {
		r = index_message_by_uid(ix, s->folder.row, s->flags[i].uid, &m);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = index_message_set_flags(ix, m.row, s->flags[i].flags);
		if (r < 0)
			return r;
		if (r > 0)
			add_news(s, CHANGE_MESSAGE_ATTRIBUTES, &m);
	}
	return 0;
}

static int commit_flags(struct sync *s)
{
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r == 0)
		r = index_end(ix, write_flags(s));
	drop_flags(s);
	if (r == 0)
		tell_news(s);
	return r;
}

static int on_flags(void *userdata, uint32_t uid, const char *flags)
{
	struct sync *s = userdata;
	int r = make_room((void **)&s->flags, &s->cap_flags, s->n_flags, sizeof *s->flags);

	if (r < 0)
		return r;
	s->flags[s->n_flags] = (struct found_flags){ uid, strdup(flags) };
	if (!s->flags[s->n_flags].flags)
		return -ENOMEM;
	s->n_flags++;
	return s->n_flags < FLAGS_BATCH ? 0 : commit_flags(s);
}

static int on_present(void *userdata, uint32_t first_uid, uint32_t last_uid)
{
	struct sync *s = userdata;
	int r = make_room((void **)&s->present, &s->cap_present, s->n_present, sizeof *s->present);

	if (r < 0)
		return r;
	s->present[s->n_present++] = (struct uid_range){ first_uid, last_uid };
	return 0;
}

static int delete_one(struct sync *s, uint32_t uid)
{
	struct index_message m;
	int r = index_message_by_uid(s->mb->index, s->folder.row, uid, &m);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = index_message_delete(s->mb->index, m.row);
	if (r == 0)
		add_news(s, CHANGE_MESSAGE_GONE, &m);
	return r;
}

/* In a transaction: those that were known and that the complete list of what exists leaves out. */
static int write_gone(struct sync *s)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0, range = 0;
	int r;

	r = index_message_uids(s->mb->index, s->folder.row, s->known.uidnext, &uids, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		while (range < s->n_present && s->present[range].last < uids[i])
			range++;
		if (range == s->n_present || uids[i] < s->present[range].first)
			r = delete_one(s, uids[i]);
	}
	return r;
}

/* In a transaction: all that is left to write. */
static int write_rest(struct sync *s, const struct backend_status *status, bool gone_told)
{
	struct index *ix = s->mb->index;
	int r = write_messages(s, s->folder.uidnext);

	if (r == 0)
		r = write_flags(s);
	if (r == 0 && gone_told)
		r = write_gone(s);
	if (r == 0 && s->is_changed)
		r = index_folder_touch(ix, s->folder.row);
	return r < 0 ? r : index_folder_complete(ix, s->folder.row, status->highestmodseq);
}

static int on_complete(void *userdata, const struct backend_status *status, bool gone_told)
{
	struct sync *s = userdata;
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r == 0)
		r = index_end(ix, write_rest(s, status, gone_told));
	drop_flags(s);
	if (r < 0)
		return r;
	announce_messages(s, s->folder.uidnext);
	tell_news(s);
	return 0;
}

/* In a transaction. */
static int write_rights(struct sync *s, const char *rights)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(s->mb->index, s->folder.row, &f);

	if (r < 0)
		return r;
	free(f.rights);
	f.rights = strdup(rights);
	return f.rights ? index_folder_put(s->mb->index, &f) : -ENOMEM;
}

/* Rights are asked once a sync; a server without ACL has none to tell. */
static int learn_rights(struct sync *s, struct backend **session)
{
	CLEANUP(buf) struct buf rights = BUF_INIT;
	struct index *ix = s->mb->index;
	int r = backend_rights(session, s->folder.wire, &rights);

	if (r < 0)
		return (*session)->broken ? r : 0;
	if (s->folder.rights && !strcmp(s->folder.rights, buf_str(&rights)))
		return 0;
	r = index_begin(ix);
	if (r == 0)
		r = index_end(ix, write_rights(s, buf_str(&rights)));
	if (r < 0)
		return r;
	mailbox_tell(s->mb, CHANGE_FOLDER_ATTRIBUTES, s->folder.parent, s->folder.row, s->folder.name);
	return 0;
}

static void sync_release(struct sync *s)
{
	drop_messages(s);
	drop_flags(s);
	tell_news(s);
	free(s->messages);
	free(s->flags);
	free(s->present);
	index_folder_release(&s->folder);
}

static void ask_with(struct sync *s)
{
	if (!s->folder.uidvalidity)
		s->folder.uidnext = 1;
	s->was_complete = s->folder.complete;
	s->known = (struct backend_known){
		.uidvalidity = s->folder.uidvalidity,
		.uidnext = s->folder.uidnext,
		.highestmodseq = s->folder.complete ? s->folder.highestmodseq : 0,
		.messages = s->folder.messages,
		.want_headers = s->mb->configuration->names == NAMES_SUBJECT,
		.outgoing = s->folder.special_use == USE_SENT || s->folder.special_use == USE_DRAFTS,
	};
}

int sync_folder(struct mailbox *mb, struct backend **session, int64_t folder, struct sync_progress *progress)
{
	struct sync s = { .mb = mb, .progress = progress };
	struct backend_sync_sink sink = {
		.userdata = &s,
		.state = on_state,
		.message = on_message,
		.batch = on_batch,
		.flags = on_flags,
		.present = on_present,
		.complete = on_complete,
	};
	int r = index_folder_get(mb->index, folder, &s.folder);

	if (r < 0)
		return r;
	if (s.folder.attributes & FOLDER_NOSELECT || !s.folder.wire)
		r = 0;
	else {
		ask_with(&s);
		r = backend_sync(session, s.folder.wire, &s.known, &sink);
		if (r == 0)
			r = learn_rights(&s, session);
	}
	sync_release(&s);
	return r;
}
