/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are written, as long as somebody has them open: what all open files of one inode share, and what becomes of it when the last writer
 * goes. Any thread. Decides only; calls neither what stands behind the file nor the kernel.
 */
#ifndef MAILFS_SUBMISSION_H
#define MAILFS_SUBMISSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/handle.h"
#include "fs/requester.h"

struct stat;
struct submission;
struct timespec;

struct submissions {
	pthread_mutex_t lock; /* protects the list and what it holds */
	pthread_cond_t handed_over;
	struct submission *first;
};

/* An open file. */
struct writer {
	struct handle handle;	       /* first */
	struct submission *submission; /* NULL: detached */
	struct writer *next;	       /* of the same submission */
	int fd;			       /* own; -1 while it is opened */
	bool can_write;
	/* The submissions': not open yet; a close of it was seen; takes no more bytes. */
	bool is_opening, was_closed, is_over;
	struct requester opener;
};

enum submission_ending {
	SUBMISSION_GOES_ON,
	SUBMISSION_COMMIT,  /* whole */
	SUBMISSION_ABANDON, /* its writer was killed or failed, or a write was refused */
};

void submissions_init(struct submissions *submissions);

/*
 * A file is being opened. A submission does not end before that one is closed, or could not be opened. Waits for whoever is about to hand an ended one over.
 * 0, -ENOMEM, or -EBUSY: a copy is, for which bytes are on their way.
 */
int submission_begin(struct submissions *submissions, struct writer *writer, uint64_t ino);
/* An open file more: of a submission that begins, or takes bytes again through this one. Takes the descriptor. */
void submission_attach(struct submissions *submissions, struct writer *writer, int fd);
/* An open file less, or one that could not be opened. Something else than GOES_ON when it was the last that could write and nobody ended the submission: the caller
 * does it now. */
enum submission_ending submission_detach(struct submissions *submissions, struct writer *writer);

/* An open file less at an unmount: nothing ends. */
void submission_forget(struct submissions *submissions, struct writer *writer);

/* A close, and whether the process that closes was killed or failed: the last one's word counts. Returns the number of the close. */
unsigned submission_note_closer(struct submissions *submissions, struct writer *writer, bool is_failing);
/*
 * Nobody was seen to have it open after that close. Something else than GOES_ON for one caller only, and not while another close came since, which then looks by itself. *ret_failure:
 * -errno of a write that was refused, or 0.
 */
enum submission_ending submission_end(struct submissions *submissions, struct writer *writer, unsigned number, int *ret_failure);

/* RELEASE of the only open file, before it is detached. */
enum submission_ending submission_end_alone(struct submissions *submissions, struct writer *writer);

/* What stands behind the file has taken, or abandoned, what was ended: from now on it decides who may open it. Due after every ending but GOES_ON. */
void submission_handed_over(struct submissions *submissions, uint64_t ino);

/* False once it was ended: what is committed does not change any more. */
bool submission_takes_bytes(struct submissions *submissions, const struct writer *writer);
void submission_note_refused_write(struct submissions *submissions, struct writer *writer, int failure);
/* Whether this is its only open file. */
bool submission_is_alone(struct submissions *submissions, const struct writer *writer);

/* What the bytes of an open file measure; false when nobody has it open. *ret_is_written: whether they may still change. */
bool submission_stat(struct submissions *submissions, uint64_t ino, struct stat *ret, bool *ret_is_written);
/* Cuts a file that is being written; -EACCES when it is not. -EOPNOTSUPP: it is a copy whose bytes are not here. */
int submission_truncate(struct submissions *submissions, uint64_t ino, int64_t size_bytes);
/* Of its bytes, where it is being written. */
void submission_set_mtime(struct submissions *submissions, uint64_t ino, const struct timespec *mtime);

/*
 * A file that is to be a copy of a stored message, whose bytes nobody needed here yet. False when it is not empty any more.
 */
bool submission_take_source(struct submissions *submissions, const struct writer *writer, uint64_t source, int64_t size_bytes);
/* The source; 0: none. */
uint64_t submission_source(struct submissions *submissions, const struct writer *writer);
/* The caller puts the bytes there: 0 with the source and its size, -ENODATA: they are there, -EBUSY: somebody else does so. */
int submission_claim_source(struct submissions *submissions, const struct writer *writer, uint64_t *ret_source,
			    int64_t *ret_size_bytes);
/* They are there, or the mailbox copies by itself; else the source stays. */
void submission_end_source(struct submissions *submissions, const struct writer *writer, bool is_done);

#endif
