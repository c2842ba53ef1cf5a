/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/filing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/mailbox_private.h"

/* How long the server is given to file what it has accepted itself. */
enum {
	SERVER_MAY_FILE_S = 60,	 /* on an account that is new */
	SERVER_FILES_S = 10 * 60 /* when it has been seen to */
};

/* Who files what was sent, as far as it is known: kept in the state. */
static const char LEARNED_KEY[] = "sent-filed-by";
static const char BY_US[] = "us", BY_SERVER[] = "server", BY_NOBODY_KNOWS[] = "";

struct question {
	struct mailbox *mb;
	const char *field, *message_id; /* what the message is known by */
	struct backend_append copy;
	int64_t accepted_s;
	bool found;
};

/* The sent folder that the server names, made if there is none. */
static int own_sent_folder(struct mailbox *mb, struct backend **session, bool make, struct index_folder *ret)
{
	int r = folder_list_find(mb, USE_SENT, ret);

	if (r != -ENOENT || !make)
		return r;
	r = backend_create(session, folder_list_usual_name(USE_SENT), USE_SENT);
	if (r == 0 || r == -EEXIST)
		r = folder_list_update(mb, session);
	return r < 0 ? r : folder_list_find(mb, USE_SENT, ret);
}

static int sent_folder(struct mailbox *mb, struct backend **session, bool make, struct index_folder *ret)
{
	const char *sent = mb->configuration->sent;
	int r;

	if (!strcmp(sent, "auto"))
		return own_sent_folder(mb, session, make, ret);
	r = folder_list_by_path(mb, sent, ret);
	if (r == -ENOENT)
		log_warning("%s: sent = %s: there is no such folder", mb->configuration->account, sent);
	return r;
}

static int search_in(struct backend **session, const char *wire, struct question *q)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0;
	int r = backend_search_message_id(session, wire, q->field, q->message_id, &uids, &n);

	if (r == 0)
		q->found = n > 0;
	return r;
}

static int ask_sent(void *userdata, struct backend **session)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct question *q = userdata;
	int r = sent_folder(q->mb, session, false, &f);

	return r == 0 ? search_in(session, f.wire, q) : r == -ENOENT ? 0 : r;
}

int filing_sent_contains(void *mailbox, const char *field, const char *message_id)
{
	struct question q = { .mb = mailbox, .field = field, .message_id = message_id };
	int r;

	if (!strcmp(q.mb->configuration->sent, "none"))
		return 0;
	r = mailbox_run(q.mb, JOB_INTERACTIVE, ask_sent, &q);
	return r < 0 ? r : q.found;
}

/* BY_US, BY_SERVER or BY_NOBODY_KNOWS. */
static const char *learned(struct mailbox *mb)
{
	CLEANUP(buf) struct buf value = BUF_INIT;

	if (state_get(mb->state, LEARNED_KEY, &value) < 0)
		return BY_NOBODY_KNOWS;
	return !strcmp(buf_str(&value), BY_US) ? BY_US : !strcmp(buf_str(&value), BY_SERVER) ? BY_SERVER : BY_NOBODY_KNOWS;
}

static int learn(struct mailbox *mb, const char *who)
{
	int r = state_set(mb->state, LEARNED_KEY, who);

	if (r < 0)
		log_warning("%s: not recorded who files sent mail", mb->configuration->account);
	return r;
}

/* As long as nobody knows, we have filed none: a copy that is there is the server's. */
static void learn_from_found(struct mailbox *mb)
{
	if (learned(mb) == BY_NOBODY_KNOWS)
		learn(mb, BY_SERVER);
}

/* That we file is known before we do, so that a copy that is found after a crash teaches nothing. */
static int learn_before_filing(struct mailbox *mb)
{
	return learned(mb) == BY_NOBODY_KNOWS ? learn(mb, BY_US) : 0;
}

/* A server that once did file and now has not may have been late, or does so no more: that is seen anew with the next message. */
static void learn_from_filed(struct mailbox *mb)
{
	if (learned(mb) == BY_SERVER)
		learn(mb, BY_NOBODY_KNOWS);
}

/* A clock that was set back by a little meanwhile does not end the wait. */
static bool may_still_come(const struct question *q)
{
	const char *who = learned(q->mb);
	int64_t patience_s = who == BY_US ? 0 : who == BY_SERVER ? SERVER_FILES_S : SERVER_MAY_FILE_S;

	return llabs(clock_realtime_s() - q->accepted_s) < patience_s;
}

/* Searched for first: a crash between filing and its record, or a server that files it itself, makes one copy, not two. */
static int file_copy(void *userdata, struct backend **session)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct question *q = userdata;
	bool is_auto = !strcmp(q->mb->configuration->sent, "auto");
	uint32_t uidvalidity, uid;
	int r = sent_folder(q->mb, session, true, &f);

	if (r == 0)
		r = search_in(session, f.wire, q);
	if (r < 0)
		return r;
	if (q->found && is_auto)
		learn_from_found(q->mb);
	if (q->found)
		return 0;
	if (is_auto && may_still_come(q))
		return -EAGAIN;
	if (is_auto)
		r = learn_before_filing(q->mb);
	if (r == 0)
		r = backend_append(session, f.wire, &q->copy, &uidvalidity, &uid);
	if (r == 0 && is_auto)
		learn_from_filed(q->mb);
	return r;
}

int filing_sent_copy(void *mailbox, const struct outbox_copy *copy)
{
	struct question q = {
		.mb = mailbox,
		.field = copy->field,
		.message_id = copy->message_id,
		.copy = { .fd = copy->fd, .size_bytes = copy->size_bytes, .flags = "\\Seen", .internaldate_s = copy->date_s },
		.accepted_s = copy->accepted_s,
	};

	if (!strcmp(q.mb->configuration->sent, "none"))
		return 0;
	return mailbox_run(q.mb, JOB_SYNC, file_copy, &q);
}

static int file_bounce(void *userdata, struct backend **session)
{
	struct question *q = userdata;
	uint32_t uidvalidity, uid;
	int r = search_in(session, "INBOX", q);

	return r < 0 || q->found ? r : backend_append(session, "INBOX", &q->copy, &uidvalidity, &uid);
}

int filing_bounce(void *mailbox, int fd, int64_t size_bytes, const char *message_id, int64_t date_s)
{
	struct question q = {
		.mb = mailbox,
		.field = "Message-ID",
		.message_id = message_id,
		.copy = { .fd = fd, .size_bytes = size_bytes, .flags = "", .internaldate_s = date_s },
	};

	return mailbox_run(q.mb, JOB_SYNC, file_bounce, &q);
}
