/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes out of the mailbox unasked: to the kernel's side, to people (log, status), and to programs that follow events.
 */
#include "mailbox/mailbox_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void mailbox_tell(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name)
{
	struct change c = { kind, folder, row, name };

	if (mb->options.changed)
		mb->options.changed(mb->options.userdata, &c);
}

/* IMAP's words, none of which has a comma in mail that is met. */
static int append_flags(struct mailbox *mb, int64_t row, struct buf *out)
{
	int r = index_message_flags(mb->index, row, out);

	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] == ' ')
			out->data[i] = ',';
	return r < 0 || out->len ? r : buf_append_char(out, '-');
}

static void say_found(struct mailbox *mb, const struct change *c)
{
	CLEANUP(buf) struct buf path = BUF_INIT, flags = BUF_INIT;

	if (folder_list_path(mb, c->folder, &path) < 0 || (path.len && buf_append_char(&path, '/') < 0))
		return;
	switch (c->kind) {
	case CHANGE_MESSAGE_ADDED:
		events_say(mb->events, "new %s%s", buf_str(&path), c->name);
		break;
	case CHANGE_MESSAGE_GONE:
		events_say(mb->events, "gone %s%s", buf_str(&path), c->name);
		break;
	case CHANGE_MESSAGE_ATTRIBUTES:
		if (append_flags(mb, c->row, &flags) == 0)
			events_say(mb->events, "flags %s %s%s", buf_str(&flags), buf_str(&path), c->name);
		break;
	case CHANGE_FOLDER_ADDED:
		events_say(mb->events, "new %s%s/", buf_str(&path), c->name);
		break;
	case CHANGE_FOLDER_GONE:
		events_say(mb->events, "gone %s%s/", buf_str(&path), c->name);
		break;
	case CHANGE_LISTING:
		events_say(mb->events, "changed %s", buf_str(&path));
		break;
	case CHANGE_MESSAGE_RENAMED:
	case CHANGE_FOLDER_ATTRIBUTES:
		break;
	}
}

void mailbox_tell_found(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name)
{
	mailbox_tell(mb, kind, folder, row, name);
	if (events_are_heard(mb->events))
		say_found(mb, &(struct change){ kind, folder, row, name });
}

void mailbox_tell_outbox(struct mailbox *mb, const struct outbox_entry *e, bool is_gone)
{
	CLEANUP(buf) struct buf why = BUF_INIT;

	if (!events_are_heard(mb->events))
		return;
	if (is_gone && e->state == OUTBOX_SENT)
		events_say(mb->events, "sent %s", e->name);
	if (is_gone || (e->state != OUTBOX_FAILED_STATE && e->state != OUTBOX_UNCERTAIN))
		return;
	if (outbox_get_attribute(mb->outbox, e->id, "error", &why) == 0)
		events_say(mb->events, "failed %s %s", e->name, buf_str(&why));
}

void mailbox_say(struct mailbox *mb, const char *text)
{
	log_warning("%s: %s", mb->configuration->account, text);
	events_say(mb->events, "alert %s", text);
	pthread_mutex_lock(&mb->lock);
	free(mb->alerts[0]);
	memmove(&mb->alerts[0], &mb->alerts[1], sizeof mb->alerts - sizeof mb->alerts[0]);
	mb->alerts[ALERTS_MAX - 1] = strdup(text);
	pthread_mutex_unlock(&mb->lock);
}
