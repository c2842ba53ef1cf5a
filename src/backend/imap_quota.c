/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_quota.h"

#include <errno.h>

#include "backend/imap_command.h"

/* Of several quota roots the one with the least room counts. */
static void quota_tighten(int64_t *used, int64_t *limit, uint64_t new_used, uint64_t new_limit, int64_t unit)
{
	uint64_t most = (uint64_t)(INT64_MAX / unit);

	if (!new_limit || new_used > most || new_limit > most)
		return;
	if (*limit && *limit - *used <= ((int64_t)new_limit - (int64_t)new_used) * unit)
		return;
	*used = (int64_t)new_used * unit;
	*limit = (int64_t)new_limit * unit;
}

/* * QUOTA root (STORAGE used limit MESSAGE used limit), STORAGE in units of 1,024 bytes. */
static int quota_untagged(void *userdata, const struct imap_response *response)
{
	struct backend_quota *quota = userdata;
	struct imap_scan s = imap_scan_text(response->rest);
	struct imap_text resource;
	uint64_t used, limit;

	if (!imap_text_is(response->word, "QUOTA") || !imap_scan_skip(&s) || !imap_scan_char(&s, ' ') || !imap_scan_char(&s, '('))
		return 0;
	while (imap_scan_atom(&s, &resource) && imap_scan_char(&s, ' ') && imap_scan_number(&s, &used) && imap_scan_char(&s, ' ') &&
	       imap_scan_number(&s, &limit)) {
		if (imap_text_is(resource, "STORAGE"))
			quota_tighten(&quota->used_bytes, &quota->limit_bytes, used, limit, 1024);
		else if (imap_text_is(resource, "MESSAGE"))
			quota_tighten(&quota->used_messages, &quota->limit_messages, used, limit, 1);
		imap_scan_char(&s, ' ');
	}
	return 0;
}

int imap_quota(struct backend *b, struct backend_quota *ret)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct backend_quota quota = { 0 };
	int r;

	if (!(s->capabilities & CAP_QUOTA))
		return imap_session_fail(s, -EOPNOTSUPP, "the server has no QUOTA");
	imap_command_init(&c, s, "GETQUOTAROOT \"INBOX\"");
	r = imap_command_run(&c, quota_untagged, &quota, "cannot ask for the quota");
	if (r == 0)
		*ret = quota;
	return r;
}

struct rights {
	struct buf letters;
	bool seen;
};

/* * MYRIGHTS name letters */
static int rights_untagged(void *userdata, const struct imap_response *response)
{
	struct rights *rights = userdata;
	struct imap_scan s = imap_scan_text(response->rest);

	if (imap_text_is(response->word, "MYRIGHTS") && imap_scan_skip(&s) && imap_scan_char(&s, ' ') &&
	    imap_scan_string(&s, &rights->letters))
		rights->seen = true;
	return 0;
}

int imap_rights(struct backend *b, const char *folder, struct buf *ret)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct rights rights = { .letters = BUF_INIT };
	int r;

	if (!(s->capabilities & CAP_ACL))
		return imap_session_fail(s, -EOPNOTSUPP, "the server has no ACL");
	imap_command_init(&c, s, "MYRIGHTS ");
	imap_command_string(&c, folder);
	r = imap_command_run(&c, rights_untagged, &rights, "cannot ask for the rights");
	if (r == 0 && !rights.seen)
		r = imap_session_fail(s, -EIO, "the server does not tell the rights");
	if (r == 0)
		r = buf_append_str(ret, buf_str(&rights.letters));
	buf_release(&rights.letters);
	return r;
}
