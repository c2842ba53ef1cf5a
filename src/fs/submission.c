/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct submission {
	struct submission *next;
	uint64_t ino;
	struct writer *writers; /* and readers; the newest first */
	int failure;		/* -errno of a write that was refused */
	bool closer_failing;
	unsigned closes; /* seen so far */
	bool is_put_off; /* its end, until others closed it too */
	bool is_ending;	 /* not handed over yet: who opened it for writing now would write what is committed */
	uint64_t source; /* what it is a copy of, its own bytes none; 0: its bytes are its own */
	int64_t source_size_bytes;
	bool is_filling; /* from the source */
};

void submissions_init(struct submissions *submissions)
{
	pthread_mutex_init(&submissions->lock, NULL);
	pthread_cond_init(&submissions->handed_over, NULL);
	submissions->first = NULL;
}

static struct submission *find(struct submissions *submissions, uint64_t ino)
{
	struct submission *s;

	for (s = submissions->first; s && s->ino != ino; s = s->next)
		;
	return s;
}

static struct submission *find_or_add(struct submissions *submissions, uint64_t ino)
{
	struct submission *s = find(submissions, ino);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->ino = ino;
	s->next = submissions->first;
	submissions->first = s;
	return s;
}

static bool is_writing(const struct writer *writer)
{
	return writer->can_write && !writer->is_opening && !writer->is_over;
}

static struct writer *first_who_writes(const struct submission *s)
{
	struct writer *at;

	for (at = s->writers; at && !is_writing(at); at = at->next)
		;
	return at;
}

/*
 * Whether somebody has it open whom /proc may not show yet: each descriptor's close is seen here, so one that was not closed at all is open, or is about
 * to be.
 */
static bool somebody_closes_later(const struct submission *s)
{
	const struct writer *at;

	for (at = s->writers; at && (!at->can_write || at->is_over || at->was_closed); at = at->next)
		;
	return at;
}

int submission_begin(struct submissions *submissions, struct writer *writer, uint64_t ino)
{
	struct submission *s;
	int r = 0;

	writer->fd = -1;
	writer->is_opening = true;
	pthread_mutex_lock(&submissions->lock);
	while (writer->can_write && (s = find(submissions, ino)) && s->is_ending && !s->source)
		pthread_cond_wait(&submissions->handed_over, &submissions->lock);
	s = find_or_add(submissions, ino);
	if (!s)
		r = -ENOMEM;
	else if (writer->can_write && s->is_ending)
		r = -EBUSY;
	if (r == 0) {
		writer->submission = s;
		writer->next = s->writers;
		s->writers = writer;
	}
	pthread_mutex_unlock(&submissions->lock);
	return r;
}

void submission_attach(struct submissions *submissions, struct writer *writer, int fd)
{
	struct submission *s = writer->submission;

	pthread_mutex_lock(&submissions->lock);
	if (writer->can_write && !first_who_writes(s) && !s->is_put_off) {
		s->closer_failing = false;
		s->failure = 0;
	}
	writer->is_opening = false;
	writer->fd = fd;
	pthread_mutex_unlock(&submissions->lock);
}

static enum submission_ending end(struct submission *s)
{
	s->is_put_off = somebody_closes_later(s);
	if (s->is_put_off)
		return SUBMISSION_GOES_ON;
	for (struct writer *at = s->writers; at; at = at->next)
		at->is_over = true;
	s->is_ending = true;
	return s->failure || s->closer_failing ? SUBMISSION_ABANDON : SUBMISSION_COMMIT;
}

static void free_if_unused(struct submissions *submissions, struct submission *s)
{
	struct submission **at;

	if (s->writers || s->is_ending)
		return;
	for (at = &submissions->first; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	free(s);
}

static void leave(struct submission *s, struct writer *writer)
{
	struct writer **at;

	for (at = &s->writers; *at != writer; at = &(*at)->next)
		;
	*at = writer->next;
	writer->submission = NULL;
}

void submission_forget(struct submissions *submissions, struct writer *writer)
{
	struct submission *s = writer->submission;

	pthread_mutex_lock(&submissions->lock);
	leave(s, writer);
	free_if_unused(submissions, s);
	pthread_mutex_unlock(&submissions->lock);
}

enum submission_ending submission_detach(struct submissions *submissions, struct writer *writer)
{
	enum submission_ending ending = SUBMISSION_GOES_ON;
	struct submission *s = writer->submission;

	pthread_mutex_lock(&submissions->lock);
	leave(s, writer);
	if ((is_writing(writer) || s->is_put_off) && !first_who_writes(s))
		ending = end(s);
	free_if_unused(submissions, s);
	pthread_mutex_unlock(&submissions->lock);
	return ending;
}

void submission_handed_over(struct submissions *submissions, uint64_t ino)
{
	struct submission *s;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, ino);
	if (s) {
		s->is_ending = false;
		free_if_unused(submissions, s);
	}
	pthread_cond_broadcast(&submissions->handed_over);
	pthread_mutex_unlock(&submissions->lock);
}

enum submission_ending submission_end(struct submissions *submissions, struct writer *writer, unsigned number, int *ret_failure)
{
	enum submission_ending ending = SUBMISSION_GOES_ON;

	pthread_mutex_lock(&submissions->lock);
	*ret_failure = writer->submission->failure;
	if (is_writing(writer) && writer->submission->closes == number)
		ending = end(writer->submission);
	pthread_mutex_unlock(&submissions->lock);
	return ending;
}

enum submission_ending submission_end_alone(struct submissions *submissions, struct writer *writer)
{
	enum submission_ending ending = SUBMISSION_GOES_ON;
	const struct submission *s = writer->submission;

	pthread_mutex_lock(&submissions->lock);
	if (is_writing(writer) && s->writers == writer && !writer->next)
		ending = end(writer->submission);
	pthread_mutex_unlock(&submissions->lock);
	return ending;
}

bool submission_takes_bytes(struct submissions *submissions, const struct writer *writer)
{
	bool takes;

	pthread_mutex_lock(&submissions->lock);
	takes = is_writing(writer);
	pthread_mutex_unlock(&submissions->lock);
	return takes;
}

void submission_note_refused_write(struct submissions *submissions, struct writer *writer, int failure)
{
	pthread_mutex_lock(&submissions->lock);
	writer->submission->failure = failure;
	pthread_mutex_unlock(&submissions->lock);
}

unsigned submission_note_closer(struct submissions *submissions, struct writer *writer, bool is_failing)
{
	struct submission *s = writer->submission;
	unsigned number;

	pthread_mutex_lock(&submissions->lock);
	writer->was_closed = true;
	if (is_writing(writer))
		s->closer_failing = is_failing;
	number = ++s->closes;
	pthread_mutex_unlock(&submissions->lock);
	return number;
}

bool submission_is_alone(struct submissions *submissions, const struct writer *writer)
{
	bool alone;

	pthread_mutex_lock(&submissions->lock);
	alone = !writer->submission->writers->next;
	pthread_mutex_unlock(&submissions->lock);
	return alone;
}

static const struct writer *first_open(const struct submission *s)
{
	const struct writer *at;

	for (at = s->writers; at && at->is_opening; at = at->next)
		;
	return at;
}

bool submission_stat(struct submissions *submissions, uint64_t ino, struct stat *ret, bool *ret_is_written)
{
	const struct writer *writer;
	struct submission *s;
	bool found;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, ino);
	writer = s ? first_who_writes(s) : NULL;
	*ret_is_written = writer != NULL;
	if (s && !writer)
		writer = first_open(s);
	found = writer && fstat(writer->fd, ret) == 0;
	if (found && s->source)
		ret->st_size = s->source_size_bytes;
	pthread_mutex_unlock(&submissions->lock);
	return found;
}

/* Of a copy: all of it, which is no change, or nothing. */
static int truncate_copy(struct submission *s, int64_t size_bytes)
{
	if (size_bytes == s->source_size_bytes)
		return 0;
	if (size_bytes != 0 || s->is_filling)
		return -EOPNOTSUPP;
	s->source = 0;
	return 0;
}

int submission_truncate(struct submissions *submissions, uint64_t ino, int64_t size_bytes)
{
	const struct writer *writer;
	struct submission *s;
	int r = -EACCES;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, ino);
	writer = s ? first_who_writes(s) : NULL;
	if (writer && s->source)
		r = truncate_copy(s, size_bytes);
	else if (writer)
		r = ftruncate(writer->fd, size_bytes) < 0 ? -errno : 0;
	pthread_mutex_unlock(&submissions->lock);
	return r;
}

void submission_set_mtime(struct submissions *submissions, uint64_t ino, const struct timespec *mtime)
{
	struct timespec times[2] = { *mtime, *mtime };
	const struct writer *writer;
	struct submission *s;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, ino);
	writer = s ? first_who_writes(s) : NULL;
	if (writer)
		futimens(writer->fd, times);
	pthread_mutex_unlock(&submissions->lock);
}

bool submission_take_source(struct submissions *submissions, const struct writer *writer, uint64_t source, int64_t size_bytes)
{
	struct submission *s = writer->submission;
	struct stat st;
	bool takes;

	pthread_mutex_lock(&submissions->lock);
	takes = is_writing(writer) && !s->source && fstat(writer->fd, &st) == 0 && st.st_size == 0;
	if (takes) {
		s->source = source;
		s->source_size_bytes = size_bytes;
	}
	pthread_mutex_unlock(&submissions->lock);
	return takes;
}

uint64_t submission_source(struct submissions *submissions, const struct writer *writer)
{
	uint64_t source;

	pthread_mutex_lock(&submissions->lock);
	source = writer->submission->source;
	pthread_mutex_unlock(&submissions->lock);
	return source;
}

int submission_claim_source(struct submissions *submissions, const struct writer *writer, uint64_t *ret_source,
			    int64_t *ret_size_bytes)
{
	struct submission *s = writer->submission;
	int r = -ENODATA;

	pthread_mutex_lock(&submissions->lock);
	if (s->source)
		r = s->is_filling ? -EBUSY : 0;
	if (r == 0) {
		s->is_filling = true;
		*ret_source = s->source;
		*ret_size_bytes = s->source_size_bytes;
	}
	pthread_mutex_unlock(&submissions->lock);
	return r;
}

void submission_end_source(struct submissions *submissions, const struct writer *writer, bool is_done)
{
	struct submission *s = writer->submission;

	pthread_mutex_lock(&submissions->lock);
	s->is_filling = false;
	if (is_done)
		s->source = 0;
	pthread_mutex_unlock(&submissions->lock);
}
