/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One folder brought up to date: what the backend finds goes to the index, range by range, and the news goes up.
 *
 * No transaction is open while the server is waited for: a range is gathered in memory and written at its end.
 */
#include "mailbox/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "message/date.h"
#include "message/name.h"

enum { FLAGS_BATCH = 2000 };

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

/*
 * UIDVALIDITY is not what it was: nothing that was known means anything any more. But a change that the server has confirmed since this sync began may have told
 * the same one; what it has placed there stays.
 */
static int begin_anew(struct sync *s, uint32_t uidvalidity)
{
	CLEANUP(index_folder) struct index_folder now = { 0 };
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r < 0)
		return r;
	r = index_folder_get(ix, s->folder.row, &now);
	if (r == 0 && now.uidvalidity != uidvalidity)
		r = index_folder_reset(ix, s->folder.row, uidvalidity);
	r = index_end(ix, r);
	if (r == 0 && now.uidvalidity && now.uidvalidity != uidvalidity) /* names may be known before the listing is complete */
		mailbox_tell(s->mb, CHANGE_LISTING, s->folder.row, 0, "");
	return r;
}

/* First, and again when a lost session made the backend begin anew. */
static int on_state(void *userdata, const struct backend_status *status)
{
	struct sync *s = userdata;
	int r;

	drop_messages(s);
	drop_flags(s);
	s->n_present = 0;
	if (s->progress)
		atomic_store(&s->progress->total, status->messages);
	if (status->uidvalidity == s->folder.uidvalidity)
		return 0;
	if (s->folder.uidvalidity)
		log_warning("folder %s: UIDVALIDITY went from %u to %u: its cache is dropped", s->folder.name,
			    s->folder.uidvalidity, status->uidvalidity);
	r = begin_anew(s, status->uidvalidity);
	s->folder.uidvalidity = status->uidvalidity;
	s->folder.uidnext = 1;
	s->is_changed = s->was_complete; /* what nobody could list yet has not changed */
	s->was_complete = false;
	return r;
}

bool sync_is_outgoing(const struct index_folder *f)
{
	return f->special_use == USE_SENT || f->special_use == USE_DRAFTS;
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
		.arrived_s = s->started_s,
	};
	make_name(s, m, f->message.name);
	f->flags = strdup(m->flags);
	if (!f->flags)
		return -ENOMEM;
	s->n_messages++;
	return 0;
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
			sync_add_news(s, CHANGE_MESSAGE_ADDED, &f->message);
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
		r = index_end(ix, sync_write_messages(s, uidnext));
	if (r < 0)
		return r;
	if (uidnext > s->folder.uidnext)
		s->folder.uidnext = uidnext;
	announce_messages(s, uidnext);
	sync_tell_news(s);
	return 0;
}

static int commit_flags(struct sync *s)
{
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r == 0)
		r = index_end(ix, sync_write_flags(s));
	drop_flags(s);
	if (r == 0)
		sync_tell_news(s);
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

static int on_complete(void *userdata, const struct backend_status *status, bool gone_told)
{
	struct sync *s = userdata;
	struct index *ix = s->mb->index;
	int r = index_begin(ix);

	if (r == 0)
		r = index_end(ix, sync_write_rest(s, status, gone_told));
	drop_flags(s);
	if (r < 0)
		return r;
	announce_messages(s, s->folder.uidnext);
	sync_tell_news(s);
	return 0;
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
		r = index_end(ix, sync_write_rights(s, buf_str(&rights)));
	if (r < 0)
		return r;
	mailbox_tell(s->mb, CHANGE_FOLDER_ATTRIBUTES, s->folder.parent, s->folder.row, s->folder.name);
	return 0;
}

static void sync_release(struct sync *s)
{
	drop_messages(s);
	drop_flags(s);
	sync_tell_news(s);
	free(s->messages);
	free(s->flags);
	free(s->present);
	index_folder_release(&s->folder);
}

static int ask_with(struct sync *s)
{
	uint32_t known = 0;
	int r;

	if (!s->folder.uidvalidity)
		s->folder.uidnext = 1;
	r = index_message_count(s->mb->index, s->folder.row, s->folder.uidnext, &known);
	if (r < 0)
		return r;
	s->was_complete = s->folder.complete;
	s->known = (struct backend_known){
		.uidvalidity = s->folder.uidvalidity,
		.uidnext = s->folder.uidnext,
		.highestmodseq = s->folder.complete ? s->folder.highestmodseq : 0,
		.messages = known,
		.want_headers = s->mb->configuration->names == NAMES_SUBJECT,
		.outgoing = sync_is_outgoing(&s->folder),
	};
	return 0;
}

void sync_note_confirmed(struct mailbox *mb, int64_t row)
{
	pthread_mutex_lock(&mb->lock);
	mb->n_confirmed++;
	if (mb->n_syncs && table_set(&mb->confirmed, row, (void *)mb->n_confirmed) < 0)
		log_debug("a sync may show old flags");
	pthread_mutex_unlock(&mb->lock);
}

static void note_running(struct sync *s, bool begins)
{
	struct mailbox *mb = s->mb;

	pthread_mutex_lock(&mb->lock);
	s->n_confirmed = mb->n_confirmed;
	mb->n_syncs += begins ? 1 : -1;
	if (!mb->n_syncs)
		table_release(&mb->confirmed);
	pthread_mutex_unlock(&mb->lock);
}

int sync_folder(struct mailbox *mb, struct backend **session, int64_t folder, struct sync_progress *progress)
{
	struct sync s = { .mb = mb, .progress = progress, .started_s = clock_realtime_s() };
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
		note_running(&s, true);
		r = ask_with(&s);
		if (r == 0)
			r = backend_sync(session, s.folder.wire, &s.known, &sink);
		note_running(&s, false);
		if (r == 0)
			r = learn_rights(&s, session);
	}
	sync_release(&s);
	return r;
}
