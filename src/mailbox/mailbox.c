/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mailbox as one object: its parts made, joined, and taken down.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "mailbox/filing.h"
#include "mailbox/replay.h"
#include "mailbox/restore.h"
#include "message/date.h"

/* A job that a thread waits for. */
struct waited_job {
	struct job job;
	int (*run)(void *userdata, struct backend **session);
	void *userdata;
	struct waiter_sync sync;
};

static int run_waited(struct job *j, struct backend **session)
{
	struct waited_job *w = (struct waited_job *)j;

	return w->run(w->userdata, session);
}

static void waited_done(struct job *j, int result, const char *why)
{
	struct waited_job *w = (struct waited_job *)j;

	(void)why;
	w->sync.waiter.done(&w->sync.waiter, result);
}

int mailbox_run(struct mailbox *mb, enum job_priority priority, int (*run)(void *userdata, struct backend **session),
		void *userdata)
{
	struct waited_job w = { .job = { .priority = priority, .run = run_waited, .done = waited_done },
				.run = run,
				.userdata = userdata };
	int r;

	waiter_sync_init(&w.sync);
	r = workers_submit(mb->workers, &w.job);
	if (r == 0)
		r = waiter_sync_wait(&w.sync);
	waiter_sync_release(&w.sync);
	return r;
}

/* What the server shouts (RFC 9051 ALERT, BYE) is for a person. */
static void on_alert(void *userdata, const char *text)
{
	CLEANUP(buf) struct buf line = BUF_INIT;

	if (buf_printf(&line, "the server says: %s", text) == 0)
		mailbox_say(userdata, buf_str(&line));
}

static void on_silent(void *userdata, const struct backend *session)
{
	struct mailbox *mb = userdata;

	workers_note_silent(mb->workers, session);
	if (mb->replay)
		replay_note_silent(mb->replay, session);
}

static void on_state(void *userdata, enum workers_state state, int error, const char *why)
{
	struct mailbox *mb = userdata;

	(void)error;
	if (!atomic_load(&mb->is_connected)) /* mailbox_connect() tells of the first attempt */
		return;
	if (state == WORKERS_OFFLINE) {
		log_warning("%s: offline: %s", mb->configuration->account, why);
		events_say(mb->events, "offline");
	}
	if (state != WORKERS_ONLINE)
		return;
	log_info("%s: online", mb->configuration->account);
	events_say(mb->events, "online");
	look_at_folder_list(mb, false, NULL);
	if (mb->outbox)
		outbox_wake(mb->outbox);
	if (mb->replay)
		replay_is_back(mb->replay);
}

static void on_outbox(void *userdata, const struct outbox_entry *e, bool is_gone)
{
	struct mailbox *mb = userdata;

	mailbox_tell_outbox(mb, e, is_gone);
	if (mb->options.outbox_changed)
		mb->options.outbox_changed(mb->options.userdata, e->id, e->place == OUTBOX_FAILED, e->name, is_gone);
}

/* The names' zone is that of the first mount: names must not change because the machine moved. */
static int open_zone(struct mailbox *mb)
{
	CLEANUP(buf) struct buf kept = BUF_INIT;
	char local[128];
	int r;

	if (mb->configuration->zone)
		return date_zone_new(mb->configuration->zone, &mb->zone);
	if (state_get(mb->state, "zone", &kept) == 0)
		return date_zone_new(buf_str(&kept), &mb->zone);
	date_zone_local_name(local, sizeof local);
	r = date_zone_new(local, &mb->zone);
	return r < 0 ? r : state_set(mb->state, "zone", local);
}

struct first_named {
	int64_t after, row;
};

static int find_synced(void *userdata, const struct index_folder *f)
{
	struct first_named *first = userdata;

	if (!f->uidvalidity)
		return 0;
	first->row = f->row;
	return 1;
}

/* Forgets every message, so that each gets its name anew. */
static int reset_folders(struct index *ix)
{
	struct first_named next = { 0, 0 };
	int r;

	do {
		next.after = next.row;
		next.row = 0;
		r = index_folder_each(ix, 0, next.after, find_synced, &next);
		if (r >= 0 && next.row)
			r = index_folder_reset(ix, next.row, 0);
	} while (r >= 0 && next.row);
	return r < 0 ? r : 0;
}

/* Another naming scheme than the last mount's: all names are made anew. */
static int settle_names(struct mailbox *mb)
{
	static const char *const words[] = { [NAMES_SUBJECT] = "subject", [NAMES_UID] = "uid" };
	const char *now = words[mb->configuration->names];
	CLEANUP(buf) struct buf before = BUF_INIT;
	int r = state_get(mb->state, "names", &before);

	if (r == 0 && !strcmp(buf_str(&before), now))
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		r = index_begin(mb->index);
		if (r == 0)
			r = index_end(mb->index, reset_folders(mb->index));
		if (r < 0)
			return r;
	}
	return state_set(mb->state, "names", now);
}

static int open_store(struct mailbox *mb, struct buf *why)
{
	const struct configuration *c = mb->configuration;
	CLEANUP(buf) struct buf lie = BUF_INIT;
	int r;

	r = state_open(c->state_dir, &mb->state);
	if (r < 0) {
		buf_printf(why, "%s: state not usable: %s", c->state_dir, strerror(-r));
		return r;
	}
	r = local_files_open(c->state_dir, &mb->files);
	if (r < 0) {
		buf_printf(why, "%s/files: not usable: %s", c->state_dir, strerror(-r));
		return r;
	}
	r = index_open(c->cache_dir, &mb->index);
	if (r == 0 && journal_attach(mb->index, c->state_dir) < 0) {
		buf_printf(
			why,
			"%s/journal.db: not usable: it holds changes that the server has not got; move it away to go without them",
			c->state_dir);
		return -EUCLEAN;
	}
	if (r == 0)
		r = bodies_open(c->cache_dir, index_identity(mb->index), c->cache_size_bytes, c->cache_age_s, &mb->bodies);
	if (r < 0) {
		buf_printf(why, "%s: cache not usable: %s", c->cache_dir, strerror(-r));
		return r;
	}
	r = events_new(c->state_dir, &mb->events);
	if (r < 0) /* a file system without sockets */
		log_warning("%s/events: nobody can follow events: %s", c->state_dir, strerror(-r));
	atomic_store(&mb->sizes_lie, state_get(mb->state, "sizes-lie", &lie) == 0);
	r = open_zone(mb);
	if (r < 0) {
		buf_printf(
			why,
			"the time zone that the names are made for is not installed any more: install tzdata, or write zone = UTC");
		return r;
	}
	r = settle_names(mb);
	if (r == 0)
		r = restore_changes(mb);
	if (r < 0)
		buf_printf(why, "%s: not usable: %s", c->cache_dir, strerror(-r));
	return r;
}

static char *user_of(const struct url *url)
{
	const struct passwd *me = url->user ? NULL : getpwuid(getuid());

	return strdup(url->user ? url->user : me ? me->pw_name : "");
}

static void configure_backend(struct mailbox *mb)
{
	const struct configuration *c = mb->configuration;

	mb->backend = (struct backend_options){
		.url = c->imap.host ? &c->imap : &c->pop3,
		.user = mb->user,
		.secret = mb->options.secret,
		.auth = c->auth,
		.tls = { c->tls_ca, c->tls_fingerprint, c->tls_cert, c->tls_key },
		.timeout_s = c->timeout_s,
		.alert = on_alert,
		.silent = on_silent,
		.userdata = mb,
	};
}

static int open_outbox(struct mailbox *mb, struct buf *why)
{
	struct outbox_options options = {
		.configuration = mb->configuration,
		.secret = mb->options.smtp_secret,
		.state = mb->state,
		.sent_contains = filing_sent_contains,
		.file_sent_copy = filing_sent_copy,
		.file_bounce = filing_bounce,
		.changed = on_outbox,
		.userdata = mb,
	};
	int r;

	if (mb->options.read_only || !mb->configuration->smtp.host)
		return 0;
	r = outbox_new(mb->configuration->state_dir, &options, &mb->outbox);
	if (r < 0)
		buf_printf(why, "%s/outbox: not usable: %s", mb->configuration->state_dir, strerror(-r));
	return r;
}

static int open_workers(struct mailbox *mb)
{
	struct workers_options options = {
		.ops = mb->options.backend,
		.backend = &mb->backend,
		.connections = mb->configuration->connections,
		.state_changed = on_state,
		.userdata = mb,
	};
	int r = answers_new(&mb->answers);

	return r < 0 ? r : workers_new(&options, &mb->workers);
}

int mailbox_new(const struct mailbox_options *options, struct mailbox **ret, struct buf *why)
{
	struct mailbox *mb = calloc(1, sizeof *mb);
	int r;

	if (!mb)
		return -ENOMEM;
	mb->options = *options;
	mb->configuration = options->configuration;
	pthread_mutex_init(&mb->lock, NULL);
	pthread_mutex_init(&mb->syncing, NULL);
	mb->user = user_of(mb->configuration->imap.host ? &mb->configuration->imap : &mb->configuration->pop3);
	configure_backend(mb);
	r = open_store(mb, why);
	if (r == 0)
		r = open_outbox(mb, why);
	if (r == 0)
		r = open_workers(mb);
	if (r == 0 && !mb->options.read_only)
		r = replay_new(mb, &mb->replay);
	if (r < 0) {
		if (!why->len)
			buf_printf(why, "%s", strerror(-r));
		mailbox_free(mb);
		return r;
	}
	*ret = mb;
	return 0;
}

/* Waits until the server was asked for its folders. */
static int list_folders(struct mailbox *mb, struct buf *why)
{
	struct workers_status status;
	struct waiter_sync sync;
	int r;

	waiter_sync_init(&sync);
	r = look_at_folder_list(mb, true, &sync.waiter);
	if (r == -EINPROGRESS)
		r = waiter_sync_wait(&sync);
	waiter_sync_release(&sync);
	if (r == 0)
		return 0;
	workers_status(mb->workers, &status);
	buf_printf(why, "%s", status.state == WORKERS_OFFLINE ? status.why : "the server did not list its folders");
	return r;
}

/* An index that was made anew knows no folder before the journal has changed them on the server. */
static int list_changed_folders(struct mailbox *mb, struct buf *why)
{
	int r = list_folders(mb, why);

	if (r < 0 || !mb->replay || folder_list_is_known(mb) || replay_changes_folders(mb) <= 0)
		return r;
	replay_finish(mb->replay, mb->configuration->timeout_s * 1000);
	return list_folders(mb, why);
}

int mailbox_connect(struct mailbox *mb, bool delay, struct buf *why)
{
	int r = delay ? look_at_folder_list(mb, false, NULL) : list_changed_folders(mb, why);

	if (r < 0 && (r == -EACCES || !folder_list_is_known(mb)))
		return r;
	if (r < 0 && !delay)
		buf_append_str(why, "; showing what the cache holds");
	atomic_store(&mb->is_connected, true);
	if (mb->replay)
		replay_wake(mb->replay);
	return mb->outbox ? outbox_start(mb->outbox) : 0;
}

struct outbox *mailbox_outbox(struct mailbox *mb)
{
	return mb->outbox;
}

/* Top-down: who asks goes before who is asked. */
void mailbox_free(struct mailbox *mb)
{
	if (!mb)
		return;
	if (mb->replay)
		replay_finish(mb->replay, mb->configuration->timeout_s * 1000);
	if (mb->workers)
		workers_stop(mb->workers);
	replay_stop(mb->replay);
	outbox_free(mb->outbox);
	workers_free(mb->workers);
	replay_free(mb->replay); /* which a worker may have told that its server is silent */
	events_free(mb->events);
	answers_free(mb->answers);
	look_release_all(mb);
	body_release_all(mb);
	gmail_release_all(mb);
	bodies_close(mb->bodies);
	table_release(&mb->writing);
	table_release(&mb->keywords);
	table_release(&mb->confirmed);
	index_close(mb->index);
	local_files_close(mb->files);
	state_close(mb->state);
	date_zone_free(mb->zone);
	for (int i = 0; i < ALERTS_MAX; i++)
		free(mb->alerts[i]);
	free(mb->user);
	pthread_mutex_destroy(&mb->syncing);
	pthread_mutex_destroy(&mb->lock);
	free(mb);
}
