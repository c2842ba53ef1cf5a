/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_gmail.h"

#include <errno.h>

#include "backend/imap_command.h"
#include "backend/imap_items.h"
#include "backend/imap_select.h"

struct gmail {
	uint32_t uid;
	bool is_found;
	struct backend_gmail told; /* own */
};

static int gmail_each(void *userdata, const struct imap_items *items)
{
	struct gmail *g = userdata;

	/* Without labels it is news of a flag. */
	if (items->uid != g->uid || !items->gmail_labels)
		return 0;
	g->is_found = true;
	g->told.message_id = items->gmail_message_id;
	g->told.thread_id = items->gmail_thread_id;
	buf_truncate(&g->told.labels, 0);
	return buf_append_str(&g->told.labels, items->gmail_labels);
}

static int gmail_fetch(struct imap_session *s, struct gmail *g)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	imap_command_init(&c, s, "UID FETCH %u (UID X-GM-MSGID X-GM-THRID X-GM-LABELS)\r\n", g->uid);
	r = imap_command_send(&c, NULL, NULL, NULL);
	if (r == 0)
		r = imap_items_await(s, s->tag, gmail_each, g);
	return r < 0 ? r : imap_command_result(s, "cannot read labels");
}

int imap_gmail(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t uid, struct backend_gmail *ret)
{
	struct imap_session *s = imap_session_of(b);
	struct gmail g = { .uid = uid, .told = { .labels = BUF_INIT } };
	bool fresh;
	int r;

	if (!(s->capabilities & CAP_GMAIL))
		return imap_session_fail(s, -EOPNOTSUPP, "the server is not Gmail");
	r = imap_select(s, folder, uidvalidity, &fresh);
	if (r == 0)
		r = gmail_fetch(s, &g);
	/* What this session has not heard of yet may have come since the folder was opened. */
	if (r == 0 && !g.is_found && !fresh)
		r = imap_session_noop(b);
	if (r == 0 && !g.is_found && !fresh)
		r = gmail_fetch(s, &g);
	if (r == 0 && !g.is_found)
		r = imap_session_fail(s, -ENOENT, "the message does not exist");
	if (r == 0)
		*ret = g.told;
	else
		buf_release(&g.told.labels);
	return r;
}
