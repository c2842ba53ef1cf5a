/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a folder takes a keyword that nothing in it has yet: only who has it selected for change is told (PERMANENTFLAGS).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/changing_private.h"

struct question {
	struct job job; /* first */
	struct mailbox *mb;
	int64_t folder;
	struct waiter *w;
	char keyword[];
};

/* A STORE of no message: all that it takes is done but the command. */
static int run(struct job *j, struct backend **session)
{
	struct question *q = (struct question *)j;
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(q->mb->index, q->folder, &f);

	if (r < 0)
		return r;
	return f.wire ? backend_store(session, f.wire, 0, NULL, 0, q->keyword, "") : -ENOENT;
}

/* What else went wrong is told to whoever sets it, later, as without the network. */
static void done(struct job *j, int result, const char *why)
{
	struct question *q = (struct question *)j;

	(void)why;
	q->w->done(q->w, result == -ENOTSUP || result == -EROFS ? result : 0);
	free(q);
}

int mailbox_takes_keyword(struct mailbox *mb, int64_t folder, const char *keyword, struct waiter *w)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct question *q;
	int r = mb->options.read_only ? -EROFS : index_folder_get(mb->index, folder, &f);

	if (r < 0 || !f.wire || f.attributes & FOLDER_NOSELECT)
		return r;
	r = changing_check_rights(&f, "w");
	if (r < 0)
		return r;
	q = calloc(1, sizeof *q + strlen(keyword) + 1);
	if (!q)
		return -ENOMEM;
	*q = (struct question){
		.job = { .priority = JOB_INTERACTIVE, .run = run, .done = done }, .mb = mb, .folder = folder, .w = w
	};
	strcpy(q->keyword, keyword);
	if (workers_submit(mb->workers, &q->job) == 0)
		return -EINPROGRESS;
	free(q);
	return 0;
}
