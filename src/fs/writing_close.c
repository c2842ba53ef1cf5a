/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a written file is closed: which FLUSH is the last, and what becomes of the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/copying.h"
#include "fs/loop.h"
#include "fs/requester.h"
#include "fs/writing_private.h"

/* A commit that nobody waits for. */
struct unseen {
	struct waiter waiter; /* first */
	const char *what;
};

static void unseen_commit_done(struct waiter *w, int result)
{
	if (result < 0 && result != -ENOENT)
		log_warning("%s: a file that was closed unseen was refused: %s", ((struct unseen *)w)->what, strerror(-result));
	free(w);
}

/* Of what the submission said: handed over, so that others may open it again. */
static int hand_over(struct fs *fs, fuse_ino_t ino, struct waiter *w)
{
	int r = written_operations(ino)->commit(fs, ino, w);

	submission_handed_over(&fs->submissions, ino);
	return r;
}

static void abandon(struct fs *fs, fuse_ino_t ino)
{
	written_operations(ino)->abandon(fs, ino);
	submission_handed_over(&fs->submissions, ino);
}

void writing_commit_unseen(struct fs *fs, fuse_ino_t ino)
{
	struct unseen *unseen = calloc(1, sizeof(*unseen));
	int r;

	if (!unseen) {
		submission_handed_over(&fs->submissions, ino);
		return; /* the next mount takes it for the leftover of a crash */
	}
	unseen->waiter.done = unseen_commit_done;
	unseen->what = written_operations(ino)->what;
	r = hand_over(fs, ino, &unseen->waiter);
	if (r != -EINPROGRESS)
		unseen_commit_done(&unseen->waiter, r);
}

static void abandon_copy(struct fs *fs, fuse_ino_t ino)
{
	written_operations(ino)->abandon_copy(fs, ino);
	submission_handed_over(&fs->submissions, ino);
}

/* A copy has no bytes that somebody wrote. */
static void abandon_either(struct fs *fs, fuse_ino_t ino, bool is_copy)
{
	if (is_copy)
		abandon_copy(fs, ino);
	else
		abandon(fs, ino);
}

static void abandon_copy_unseen(struct fs *fs, fuse_ino_t ino, int r)
{
	log_warning("%s: a copy that was closed unseen was not made: %s", written_operations(ino)->what, strerror(-r));
	abandon_copy(fs, ino);
}

/* -EXDEV: it needs the bytes. Else it is settled. */
static int commit_copy_unseen(struct fs *fs, fuse_ino_t source, fuse_ino_t ino)
{
	int r = written_operations(ino)->copy(fs, source, ino);

	if (r == 0)
		writing_commit_unseen(fs, ino);
	else if (r != -EXDEV)
		abandon_copy_unseen(fs, ino, r);
	return r;
}

void writing_drop(struct fs *fs, struct writer *writer, fuse_ino_t ino)
{
	fuse_ino_t source = submission_source(&fs->submissions, writer);
	enum submission_ending ending = submission_detach(&fs->submissions, writer);

	handle_close(fs, &writer->handle);
	if (ending == SUBMISSION_ABANDON)
		abandon_either(fs, ino, source != 0);
	else if (ending == SUBMISSION_COMMIT && !source)
		writing_commit_unseen(fs, ino);
	else if (ending == SUBMISSION_COMMIT && commit_copy_unseen(fs, source, ino) == -EXDEV)
		abandon_copy_unseen(fs, ino, -EXDEV); /* no descriptor is left to put its bytes through */
}

struct committing {
	struct wait wait; /* first */
	fuse_ino_t ino;
};

/* What is safe is safe: whoever does not want to wait for the server any longer need not. */
static bool is_safe(struct wait *w, int *ret_result)
{
	fuse_ino_t ino = ((struct committing *)w)->ino;

	if (!written_operations(ino)->may_leave(w->fs, ino))
		return false;
	*ret_result = 0;
	return true;
}

static void committed(struct wait *w, int result)
{
	if (w->req)
		fuse_reply_err(w->req, -result);
	free(w);
}

static void commit(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct committing *committing = calloc(1, sizeof(*committing));
	int r;

	if (!committing) {
		submission_handed_over(&fs->submissions, ino);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	committing->ino = ino;
	committing->wait.may_leave = is_safe;
	wait_start(&committing->wait, fs, req, committed);
	r = hand_over(fs, ino, &committing->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&committing->wait);
	committed(&committing->wait, r);
}

static bool others_write(struct fs *fs, const struct writer *writer, fuse_ino_t ino, pid_t closer)
{
	/* Where several opened it, any of them or their descendants may hold it: everybody is looked at. */
	struct requester opener = submission_is_alone(&fs->submissions, writer) ? writer->opener : (struct requester){ 0 };

	return holders_write(&fs->own_mount, ino, &opener, closer);
}

static void abandon_copy_and_reply(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int failure)
{
	abandon_copy(fs, ino);
	fuse_reply_err(req, -failure);
}

static void commit_filled(struct filling *filling, int r)
{
	if (r < 0)
		abandon_copy_and_reply(filling->wait.fs, filling->wait.req, filling->ino, r);
	else
		commit(filling->wait.fs, filling->wait.req, filling->ino);
	copying_end(filling);
}

/* The last close of a copy. */
static void commit_copy(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int r = written_operations(ino)->copy(fs, submission_source(&fs->submissions, writing_of(fi)), ino);

	if (r == -EXDEV) {
		copying_fill(fs, req, ino, fi, &(struct filling){ .then = commit_filled });
		return;
	}
	submission_end_source(&fs->submissions, writing_of(fi), true);
	if (r < 0)
		abandon_copy_and_reply(fs, req, ino, r);
	else
		commit(fs, req, ino);
}

void writing_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct writer *writer = writing_of(fi);
	pid_t closer = fuse_req_ctx(req)->pid;
	unsigned number;
	int failure = 0;

	if (!writer->can_write) {
		fuse_reply_err(req, 0);
		return;
	}
	loop_step_aside();
	number = submission_note_closer(&fs->submissions, writer, requester_is_failing(closer));
	if (others_write(fs, writer, ino, closer)) {
		fuse_reply_err(req, 0);
		return;
	}
	switch (submission_end(&fs->submissions, writer, number, &failure)) {
	case SUBMISSION_COMMIT:
		if (copying_is(fs, fi))
			commit_copy(fs, req, ino, fi);
		else
			commit(fs, req, ino);
		break;
	case SUBMISSION_ABANDON:
		abandon_either(fs, ino, copying_is(fs, fi));
		fuse_reply_err(req, -failure);
		break;
	case SUBMISSION_GOES_ON:
		fuse_reply_err(req, -failure);
		break;
	}
}

static void release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	writing_drop(fs, writing_of(fi), ino);
	fuse_reply_err(req, 0);
}

static void release_filled(struct filling *filling, int r)
{
	struct fs *fs = filling->wait.fs;

	if (r == 0)
		writing_commit_unseen(fs, filling->ino);
	else
		abandon_copy_unseen(fs, filling->ino, r);
	release(fs, filling->wait.req, filling->ino, &filling->fi);
	copying_end(filling);
}

/* A copy whose last close only RELEASE sees. Nobody waits for that one, so there is time to get the bytes. */
static void release_copy(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_ino_t source = submission_source(&fs->submissions, writing_of(fi));
	int r = 0;

	switch (submission_end_alone(&fs->submissions, writing_of(fi))) {
	case SUBMISSION_COMMIT:
		r = commit_copy_unseen(fs, source, ino);
		break;
	case SUBMISSION_ABANDON:
		abandon_copy(fs, ino);
		break;
	case SUBMISSION_GOES_ON:
		break;
	}
	if (r == -EXDEV)
		copying_fill(fs, req, ino, fi, &(struct filling){ .then = release_filled });
	else
		release(fs, req, ino, fi);
}

void writing_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	loop_step_aside();
	if (copying_is(fs, fi))
		release_copy(fs, req, ino, fi);
	else
		release(fs, req, ino, fi);
}
