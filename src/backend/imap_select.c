/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_select.h"

#include <errno.h>
#include <string.h>

#include "backend/imap_command.h"
#include "backend/imap_items.h"
#include "backend/imap_list.h"
#include "message/flags.h"

/* A NO without a code may be about a folder that is not there, or about one that cannot be had just now: `later`. */
static int folder_errno(struct imap_session *s, const char *folder, int r, int later)
{
	int there;

	if (!imap_list_is_asked(s, r))
		return r;
	there = imap_list_has(s, folder);
	if (there < 0)
		return s->base.broken ? there : later;
	return there < 2 ? -ENXIO : later;
}

static int max_uid(void *userdata, const struct imap_items *items)
{
	uint32_t *uid = userdata;

	if (items->uid > *uid)
		*uid = items->uid;
	return 0;
}

/* Old servers do not tell UIDNEXT. */
static int select_find_uidnext(struct imap_session *s)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	uint32_t uid = 0;
	int r;

	imap_command_init(&c, s, "FETCH %u (UID)\r\n", s->record.exists);
	r = imap_command_send(&c, NULL, NULL, NULL);
	if (r == 0)
		r = imap_items_await(s, s->tag, max_uid, &uid);
	if (r == 0)
		r = imap_command_result(s, "cannot find the folder's last message");
	if (r == 0)
		s->record.uidnext = uid < UINT32_MAX ? uid + 1 : 0;
	return r;
}

static int select_read_status(struct imap_session *s)
{
	struct imap_record *record = &s->record;
	int r;

	if (!record->has_exists || !record->uidvalidity)
		return imap_session_fail(s, -EIO, "the server opens the folder, but tells no %s",
					 record->has_exists ? "UIDVALIDITY" : "number of messages");
	if (!record->uidnext && record->exists) {
		r = select_find_uidnext(s);
		if (r < 0)
			return r;
	}
	s->selected_status = (struct backend_status){
		.uidvalidity = record->uidvalidity,
		.uidnext = record->uidnext ? record->uidnext : 1,
		.messages = record->exists,
		.highestmodseq = record->highestmodseq,
		.read_only = record->read_only,
	};
	return 0;
}

static int select_open(struct imap_session *s, const char *folder, bool for_change)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	char *name;
	int r;

	free(s->selected);
	s->selected = NULL;
	imap_record_select(&s->record);
	imap_command_init(&c, s, for_change ? "SELECT " : "EXAMINE ");
	imap_command_string(&c, folder);
	/* A change needs no modification sequences, and with them the server would tell one for each message that it changes. */
	if (!for_change && s->capabilities & CAP_CONDSTORE)
		imap_command_add(&c, " (CONDSTORE)");
	r = imap_command_run(&c, NULL, NULL, "cannot open the folder");
	if (r == 0)
		r = select_read_status(s);
	if (r < 0)
		return folder_errno(s, folder, r, for_change ? -EAGAIN : -EIO);
	name = strdup(folder);
	if (!name)
		return -ENOMEM;
	s->selected = name;
	s->selected_for_change = for_change;
	return 0;
}

int imap_select_examine(struct imap_session *s, const char *folder)
{
	return select_open(s, folder, false);
}

static int select_check_uidvalidity(struct imap_session *s, uint32_t uidvalidity)
{
	if (!uidvalidity || s->record.uidvalidity == uidvalidity)
		return 0;
	return imap_session_fail(s, -ESTALE, "the folder was replaced by another one of the same name (UIDVALIDITY %u, not %u)",
				 s->record.uidvalidity, uidvalidity);
}

int imap_select(struct imap_session *s, const char *folder, uint32_t uidvalidity, bool *ret_fresh)
{
	bool fresh = !s->selected || strcmp(s->selected, folder);
	int r = fresh ? imap_select_examine(s, folder) : 0;

	if (r == 0)
		r = select_check_uidvalidity(s, uidvalidity);
	if (r == 0)
		*ret_fresh = fresh;
	return r;
}

int imap_select_for_change(struct imap_session *s, const char *folder, uint32_t uidvalidity)
{
	/* What was read-only may have become writable since. */
	bool open = s->selected && s->selected_for_change && !s->record.read_only && !strcmp(s->selected, folder);
	int r = open ? 0 : select_open(s, folder, true);

	if (r == 0)
		r = select_check_uidvalidity(s, uidvalidity);
	if (r == 0 && s->record.read_only)
		return imap_session_fail(s, -EROFS, "the folder can only be read");
	return r;
}

int imap_select_catch_up(struct imap_session *s, uint32_t uid)
{
	return uid < s->selected_status.uidnext ? 0 : imap_session_noop(&s->base);
}

int imap_select_permits(const struct imap_session *s, const char *flags)
{
	CLEANUP(buf) struct buf missing = BUF_INIT, others = BUF_INIT;
	const char *permanent = buf_str(&s->record.permanent_flags);
	int r;

	if (!s->record.has_permanent_flags)
		return 1;
	r = flags_difference(permanent, flags, &missing, &others);
	if (r < 0)
		return r;
	return !missing.len || (flags_has(permanent, "\\*") && !strchr(buf_str(&missing), '\\'));
}

static int select_leave_by_examine(struct imap_session *s)
{
	int r = imap_select_examine(s, "INBOX");

	return s->base.broken ? r : 0;
}

int imap_select_leave(struct imap_session *s, const char *folder)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	/* What is below a folder goes or moves with it. */
	if (!s->selected || strncmp(s->selected, folder, strlen(folder)))
		return 0;
	if (!(s->capabilities & CAP_UNSELECT))
		return select_leave_by_examine(s);
	free(s->selected);
	s->selected = NULL;
	imap_command_init(&c, s, "UNSELECT");
	r = imap_command_run(&c, NULL, NULL, "UNSELECT");
	return s->base.broken ? r : 0;
}

/* ------------------------------------------------------------ STATUS */

struct status_answer {
	struct backend_status status;
	bool seen;
};

static void status_item(struct backend_status *status, struct imap_text item, uint64_t value)
{
	uint32_t number = value <= UINT32_MAX ? (uint32_t)value : 0;

	if (imap_text_is(item, "MESSAGES"))
		status->messages = number;
	else if (imap_text_is(item, "UIDNEXT"))
		status->uidnext = number;
	else if (imap_text_is(item, "UIDVALIDITY"))
		status->uidvalidity = number;
	else if (imap_text_is(item, "UNSEEN"))
		status->unseen = number;
	else if (imap_text_is(item, "HIGHESTMODSEQ"))
		status->highestmodseq = value;
}

/* * STATUS name (MESSAGES 3 UIDNEXT 5 …), RFC 9051 section 7.3.4. One is under way at a time, so the name need not be compared. */
static int status_untagged(void *userdata, const struct imap_response *response)
{
	struct status_answer *answer = userdata;
	struct imap_scan s = imap_scan_text(response->rest);
	struct imap_text item;
	uint64_t value;

	if (!imap_text_is(response->word, "STATUS") || !imap_scan_skip(&s) || !imap_scan_char(&s, ' ') || !imap_scan_char(&s, '('))
		return 0;
	while (imap_scan_atom(&s, &item) && imap_scan_char(&s, ' ') && imap_scan_number(&s, &value)) {
		status_item(&answer->status, item, value);
		answer->seen = true;
		imap_scan_char(&s, ' ');
	}
	return 0;
}

int imap_status(struct backend *b, const char *folder, struct backend_status *ret)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct status_answer answer = { 0 };
	int r;

	/* Of the folder that is open a server tells what this session has heard of, not what there is (RFC 9051 section 6.3.11). */
	r = imap_select_leave(s, folder);
	if (r < 0)
		return r;
	imap_command_init(&c, s, "STATUS ");
	imap_command_string(&c, folder);
	imap_command_add(&c, " (MESSAGES UIDNEXT UIDVALIDITY UNSEEN%s)", s->capabilities & CAP_CONDSTORE ? " HIGHESTMODSEQ" : "");
	r = imap_command_run(&c, status_untagged, &answer, "cannot ask for the folder's state");
	if (r < 0)
		return folder_errno(s, folder, r, -EAGAIN);
	if (!answer.seen)
		return imap_session_fail(s, -EIO, "the server does not tell the folder's state");
	*ret = answer.status;
	return 0;
}
