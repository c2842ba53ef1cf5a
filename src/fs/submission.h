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

struct submissions {
	pthread_mutex_t lock; /* protects the list and what it holds */
	struct submission *first;
};

/* An open file. */
struct writer {
	struct handle handle;	       /* first */
	struct submission *submission; /* NULL: detached */
	struct writer *next;	       /* of the same submission */
	int fd;			       /* own; -1 while it is opened */
	bool can_write;
	bool is_opening, is_over; /* the submissions': not open yet; takes no more bytes */
	struct requester opener;
};

enum submission_ending {
	SUBMISSION_GOES_ON,
	SUBMISSION_COMMIT,  /* whole */
	SUBMISSION_ABANDON, /* its writer was killed or failed, or a write was refused */
};

void submissions_init(struct submissions *submissions);

/* A file is being opened; until it is, or is not, a submission does not end: whoever opens it is the next to close it. 0 or -ENOMEM. */
int submission_begin(struct submissions *submissions, struct writer *writer, uint64_t ino);
/* An open file more: of a submission that begins, or takes bytes again through this one. Takes the descriptor. */
void submission_attach(struct submissions *submissions, struct writer *writer, int fd);
/* An open file less, or one that could not be opened. Something else than GOES_ON when it was the last that could write and nobody ended the submission: the caller
 * does it now. */
enum submission_ending submission_detach(struct submissions *submissions, struct writer *writer);

/* The final close was seen. Something else than GOES_ON for one caller only. *ret_failure: -errno of a write that was refused, or 0. */
enum submission_ending submission_end(struct submissions *submissions, struct writer *writer, int *ret_failure);

/* False once it was ended: what is committed does not change any more. */
bool submission_takes_bytes(struct submissions *submissions, const struct writer *writer);
void submission_note_refused_write(struct submissions *submissions, struct writer *writer, int failure);
/* Whether the process that closes was killed or failed. The last one's word counts. */
void submission_note_closer(struct submissions *submissions, struct writer *writer, bool is_failing);
/* Whether this is its only open file. */
bool submission_is_alone(struct submissions *submissions, const struct writer *writer);

/* What the bytes of an open file measure; false when nobody has it open. *ret_is_written: whether they may still change. */
bool submission_stat(struct submissions *submissions, uint64_t ino, struct stat *ret, bool *ret_is_written);
/* Cuts a file that is being written; -EACCES when it is not. */
int submission_truncate(struct submissions *submissions, uint64_t ino, int64_t size_bytes);

#endif
