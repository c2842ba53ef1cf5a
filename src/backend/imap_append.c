/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_append.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend/imap_command.h"
#include "backend/imap_uidplus.h"
#include "message/date.h"

enum { APPEND_BLOCK = 64 * 1024 };

/*
 * The server says something although it has not got all yet. 0: go on; -ECONNABORTED: that was its refusal, see the record. It may
 * take what is still to come for commands, and somebody's letter is no place for those: the session ends here.
 */
static int append_hear(struct imap_command *c)
{
	struct imap_session *s = c->session;
	int r = imap_command_hear(s);

	if (r <= 0)
		return r;
	if (s->record.status == STATUS_OK)
		return imap_guard_fail(&s->guard, -EPROTO, "the server says that it has stored what it has not got yet");
	s->base.broken = s->base.refused = true;
	return -ECONNABORTED;
}

static int append_block(struct imap_command *c, const char *block, size_t len)
{
	while (len) {
		ssize_t n = imap_guard_write_some(&c->session->guard, block, len);
		int r = n ? (int)n : append_hear(c);

		if (r < 0)
			return r;
		block += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The file's bytes. Once the literal is announced, nothing but all of it keeps the session usable. */
static int append_body(struct imap_command *c, const struct backend_append *message)
{
	CLEANUP(free) char *block = malloc(APPEND_BLOCK);
	struct imap_guard *guard = &c->session->guard;
	int64_t at = 0;

	if (!block)
		return imap_guard_fail(guard, -ENOMEM, "no memory");
	while (at < message->size_bytes) {
		int64_t left = message->size_bytes - at;
		ssize_t n = pread(message->fd, block, left < APPEND_BLOCK ? (size_t)left : APPEND_BLOCK, at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return imap_guard_fail(guard, -EIO, "the message cannot be read from this disk: %s",
					       n < 0 ? strerror(errno) : "shorter than it was");
		r = append_block(c, block, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

static void append_announce(struct imap_command *c, const struct backend_append *message)
{
	char date[DATE_INTERNAL_SIZE];

	date_format_internal(message->internaldate_s, date);
	if (*message->flags)
		imap_command_add(c, " (%s)", message->flags);
	imap_command_add(c, " \"%s\" ", date);
	imap_command_literal(c, message->size_bytes, message->binary);
}

/* 1: the server waits for what comes next; 0: it has refused, see the record; -errno. */
static int append_one(struct imap_command *c, const struct backend_append *message)
{
	bool refused;
	int r;

	append_announce(c, message);
	r = imap_command_send(c, NULL, NULL, &refused);
	if (r < 0 || refused)
		return r;
	r = append_body(c, message);
	if (r < 0)
		return r == -ECONNABORTED ? 0 : imap_session_lost(c->session);
	imap_command_more(c);
	return 1;
}

static int append_send(struct imap_command *c, const struct backend_append *messages, size_t n)
{
	int r = 1;

	for (size_t i = 0; i < n && r == 1; i++) {
		r = append_one(c, &messages[i]);
		if (r < 0 && i)
			c->session->base.broken = true; /* part of the command is out */
	}
	if (r < 1)
		return r;
	r = imap_command_end(c);
	return r == 0 ? imap_command_await_patiently(c->session, c->session->tag, NULL, NULL) : r;
}

static int append_check(struct imap_session *s, const struct backend_append *messages, size_t n)
{
	int64_t limit = s->base.append_limit;

	for (size_t i = 0; i < n; i++) {
		if (limit && messages[i].size_bytes > limit)
			return imap_session_fail(s, -EFBIG, "the server takes messages of at most %lld bytes", (long long)limit);
		if (messages[i].binary && !(s->base.abilities & BACKEND_BINARY))
			return imap_session_fail(s, -EOPNOTSUPP, "the server has no BINARY: it takes no message with NUL in it");
	}
	return 0;
}

static int append_run(struct imap_session *s, const char *folder, const struct backend_append *messages, size_t n,
		      uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct imap_text told;
	int r;

	r = append_check(s, messages, n);
	if (r < 0)
		return r;
	buf_truncate(&s->record.uidplus, 0);
	imap_command_init(&c, s, "APPEND ");
	c.is_once = true;
	imap_command_string(&c, folder);
	r = append_send(&c, messages, n);
	if (r == 0)
		r = imap_command_result(s, n > 1 ? "cannot store the messages" : "cannot store the message");
	if (r < 0) /* only one folder is spoken of */
		return r == -ENXIO && !s->base.broken ? -ENOLINK : r;
	told = (struct imap_text){ buf_str(&s->record.uidplus), strcspn(buf_str(&s->record.uidplus), "\n") };
	if (!imap_uidplus_appended(told, n, ret_uidvalidity, ret_uids)) {
		*ret_uidvalidity = 0;
		memset(ret_uids, 0, n * sizeof(*ret_uids));
	}
	return 0;
}

int imap_append(struct backend *b, const char *folder, const struct backend_append *message, uint32_t *ret_uidvalidity,
		uint32_t *ret_uid)
{
	return append_run(imap_session_of(b), folder, message, 1, ret_uidvalidity, ret_uid);
}

int imap_append_many(struct backend *b, const char *folder, const struct backend_append *messages, size_t n,
		     uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	struct imap_session *s = imap_session_of(b);

	if (!n)
		return imap_session_fail(s, -EINVAL, "no message");
	if (n > 1 && !(s->base.abilities & BACKEND_APPEND_MANY))
		return imap_session_fail(s, -EOPNOTSUPP, "the server has no MULTIAPPEND");
	return append_run(s, folder, messages, n, ret_uidvalidity, ret_uids);
}
