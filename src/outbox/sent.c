/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What follows acceptance: the copy in the sent folder, the record of what was sent, the end of the entry. Each step may be repeated after a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "outbox/entry.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum { SENT_RECORD_S = 30 * 86400 };

int sent_prepare(struct outbox *o, struct entry *e, bool is_copy, bool takes_eightbit, int *ret_fd, struct prepared *ret,
		 struct buf *why)
{
	const struct prepare_options options = {
		.own = o->own,
		.message_id = e->record.message_id,
		.date_s = e->record.date_s,
		.keeps_bcc = is_copy,
		.takes_eightbit = takes_eightbit,
	};
	CLEANUP(fd) int in = -1;
	CLEANUP(fd) int out = -1;
	int r = entry_open_message(o->dirfd, e->id, O_RDONLY, &in);

	if (!r)
		r = entry_temporary(o->dirfd, e->id, &out);
	if (!r)
		r = prepare_message(in, out, &options, ret, why);
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&out);
	return 0;
}

int sent_file_copy(struct outbox *o, struct entry *e)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	struct prepared prepared;
	struct outbox_copy copy;
	int r;

	if (!o->options.file_sent_copy)
		return 0;
	r = sent_prepare(o, e, true, true, &fd, &prepared, &why);
	if (r < 0)
		return r;
	copy = (struct outbox_copy){
		.fd = fd,
		.size_bytes = prepared.size_bytes,
		.field = record_id_field(&e->record),
		.message_id = e->record.message_id,
		.date_s = e->record.date_s,
		.accepted_s = e->record.accepted_s,
	};
	fault_point("copy: before it is filed");
	r = o->options.file_sent_copy(o->options.userdata, &copy);
	fault_point("copy: filed");
	return r;
}

int sent_record(struct outbox *o, struct entry *e)
{
	int64_t now_s = clock_realtime_s();
	int r = e->record.copy == RECORD_COPY_DUE ? sent_file_copy(o, e) : 0;

	/* -EAGAIN: the server may yet file it itself. */
	if (r < 0 && e->record.failures++ == 0 && r != -EAGAIN)
		log_warning("outbox: %s was sent; filing its copy is tried again: %s", e->record.name, strerror(-r));
	if (r < 0)
		return r;
	e->record.copy = RECORD_COPY_DONE;
	r = state_sent_add(o->options.state, e->record.key, now_s, now_s - SENT_RECORD_S);
	fault_point("sent: key recorded");
	return r;
}

/* Those that refused it for good, when others took it: what is left in failed/ goes to them alone when it is moved back. */
static int keep_refused(struct outbox *o, struct entry *e)
{
	int r = queue_set_rcpt(o, e, &e->record.refused);

	if (r < 0)
		return r;
	queue_fail(o, e, OUTBOX_FAILED_STATE, e->record.error);
	verdict_owe_bounce(o, e);
	queue_save(o, e);
	queue_announce(o, e);
	return 0;
}

bool sent_finish(struct outbox *o, struct entry *e)
{
	int r = sent_record(o, e);

	if (!r && e->record.refused.n)
		r = keep_refused(o, e);
	else if (!r) {
		r = queue_remove(o, e);
		fault_point("sent: removed");
		if (!r)
			return true;
	}
	if (r < 0)
		e->record.next_s = clock_realtime_s() + verdict_wait_s(e->record.failures);
	return false;
}
