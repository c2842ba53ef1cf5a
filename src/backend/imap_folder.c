/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_folder.h"

#include <errno.h>

#include "backend/imap_command.h"
#include "backend/imap_list.h"
#include "backend/imap_select.h"

/* RFC 6154 section 3. */
static const char *create_use(enum special_use use)
{
	static const char *const words[] = {
		[USE_ALL] = "\\All",   [USE_ARCHIVE] = "\\Archive", [USE_DRAFTS] = "\\Drafts", [USE_FLAGGED] = "\\Flagged",
		[USE_JUNK] = "\\Junk", [USE_SENT] = "\\Sent",	    [USE_TRASH] = "\\Trash",
	};

	return (size_t)use < sizeof(words) / sizeof(words[0]) ? words[use] : NULL;
}

/* Without a reason a server refuses what is done already, too. `there`, `gone`: what it means when the folder is, or is not. */
static int explain(struct imap_session *s, const char *folder, int r, int there, int gone)
{
	int has;

	if (!imap_list_is_asked(s, r))
		return r;
	has = imap_list_has(s, folder);
	if (has < 0)
		return s->base.broken ? has : r;
	return has == 2 ? there : has == 0 ? gone : r;
}

static int create_run(struct imap_session *s, const char *folder, const char *use)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };

	imap_command_init(&c, s, "CREATE ");
	imap_command_string(&c, folder);
	if (use)
		imap_command_add(&c, " (USE (%s))", use);
	return explain(s, folder, imap_command_run(&c, NULL, NULL, "cannot create the folder"), -EEXIST, -EIO);
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

int imap_remove(struct backend *b, const char *folder)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	r = imap_select_leave(s, folder);
	if (r < 0)
		return r;
	imap_command_init(&c, s, "DELETE ");
	imap_command_string(&c, folder);
	return explain(s, folder, imap_command_run(&c, NULL, NULL, "cannot remove the folder"), -EIO, -ENXIO);
}

int imap_rename(struct backend *b, const char *from, const char *to)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	r = imap_select_leave(s, from);
	if (r < 0)
		return r;
	imap_command_init(&c, s, "RENAME ");
	imap_command_string(&c, from);
	imap_command_add(&c, " ");
	imap_command_string(&c, to);
	return explain(s, from, imap_command_run(&c, NULL, NULL, "cannot rename the folder"), -EIO, -ENXIO);
}

int imap_subscribe(struct backend *b, const char *folder, bool on)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };

	imap_command_init(&c, s, on ? "SUBSCRIBE " : "UNSUBSCRIBE ");
	imap_command_string(&c, folder);
	return imap_command_run(&c, NULL, NULL, on ? "cannot subscribe to the folder" : "cannot unsubscribe from the folder");
}
