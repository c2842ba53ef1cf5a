/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_append.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend/imap_command.h"
#include "message/date.h"

enum { APPEND_BLOCK = 64 * 1024 };

/* The file's bytes. Once the literal is announced, nothing but all of it keeps the session usable. */
static int append_body(struct imap_session *s, const struct backend_append *message)
{
	CLEANUP(free) char *block = malloc(APPEND_BLOCK);
	int64_t at = 0;

	if (!block)
		return imap_guard_fail(&s->guard, -ENOMEM, "no memory");
	while (at < message->size_bytes) {
		int64_t left = message->size_bytes - at;
		ssize_t n = pread(message->fd, block, left < APPEND_BLOCK ? (size_t)left : APPEND_BLOCK, at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return imap_guard_fail(&s->guard, -EIO, "the message cannot be read from this disk: %s",
					       n < 0 ? strerror(errno) : "shorter than it was");
		r = imap_guard_write(&s->guard, block, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

static void append_command(struct imap_command *c, struct imap_session *s, const char *folder, const struct backend_append *message)
{
	char date[DATE_INTERNAL_SIZE];

	date_format_internal(message->internaldate_s, date);
	imap_command_init(c, s, "APPEND ");
	imap_command_string(c, folder);
	if (*message->flags)
		imap_command_add(c, " (%s)", message->flags);
	imap_command_add(c, " \"%s\" ", date);
	imap_command_literal(c, message->size_bytes);
}

int imap_append(struct backend *b, const char *folder, const struct backend_append *message, uint32_t *ret_uid)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	bool refused;
	int r;

	s->record.append_uid = s->record.append_uidvalidity = 0;
	append_command(&c, s, folder, message);
	r = imap_command_send(&c, NULL, NULL, &refused);
	if (r < 0)
		return r;
	if (!refused) {
		if (append_body(s, message) < 0)
			return imap_session_lost(s);
		r = imap_command_end(&c);
		if (r == 0)
			r = imap_command_await(s, s->tag, NULL, NULL);
		if (r < 0)
			return r;
	}
	r = imap_command_result(s, "cannot store the message");
	if (r == 0)
		*ret_uid = s->record.append_uid;
	return r;
}

/* ------------------------------------------------------------ CREATE */

/* RFC 6154 section 3. */
static const char *create_use(enum special_use use)
{
	static const char *const words[] = {
		[USE_ALL] = "\\All",   [USE_ARCHIVE] = "\\Archive", [USE_DRAFTS] = "\\Drafts", [USE_FLAGGED] = "\\Flagged",
		[USE_JUNK] = "\\Junk", [USE_SENT] = "\\Sent",	    [USE_TRASH] = "\\Trash",
	};

	return (size_t)use < sizeof(words) / sizeof(words[0]) ? words[use] : NULL;
}

static int create_run(struct imap_session *s, const char *folder, const char *use)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };

	imap_command_init(&c, s, "CREATE ");
	imap_command_string(&c, folder);
	if (use)
		imap_command_add(&c, " (USE (%s))", use);
	return imap_command_run(&c, NULL, NULL, "cannot create the folder");
}

int imap_create(struct backend *b, const char *folder, enum special_use use)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	const char *word = s->capabilities & CAP_CREATE_SPECIAL_USE ? create_use(use) : NULL;
	int r;

	r = create_run(s, folder, word);
	/* The use is a wish; the folder is what is wanted. */
	if (r < 0 && !s->base.broken && word && s->record.use_attr)
		r = create_run(s, folder, NULL);
	if (r < 0)
		return r;
	imap_command_init(&c, s, "SUBSCRIBE ");
	imap_command_string(&c, folder);
	r = imap_command_run(&c, NULL, NULL, "cannot subscribe to the folder");
	return s->base.broken ? r : 0;
}
