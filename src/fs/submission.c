/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct submission {
	struct submission *next;
	int64_t id;
	struct writer *writers; /* and readers */
	int failure;		/* -errno of a write that was refused */
	bool closer_failing;
	bool is_ended;
};

void submissions_init(struct submissions *submissions)
{
	pthread_mutex_init(&submissions->lock, NULL);
	submissions->first = NULL;
}

static struct submission *find(struct submissions *submissions, int64_t id)
{
	struct submission *s;

	for (s = submissions->first; s && s->id != id; s = s->next)
		;
	return s;
}

static struct submission *find_or_add(struct submissions *submissions, int64_t id)
{
	struct submission *s = find(submissions, id);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	s->next = submissions->first;
	submissions->first = s;
	return s;
}

int submission_attach(struct submissions *submissions, struct writer *writer, int64_t id)
{
	struct submission *s;

	pthread_mutex_lock(&submissions->lock);
	s = find_or_add(submissions, id);
	if (s) {
		if (writer->can_write) {
			s->is_ended = s->closer_failing = false;
			s->failure = 0;
		}
		writer->submission = s;
		writer->next = s->writers;
		s->writers = writer;
	}
	pthread_mutex_unlock(&submissions->lock);
	return s ? 0 : -ENOMEM;
}

static struct writer *first_who_writes(const struct submission *s)
{
	struct writer *at;

	for (at = s->writers; at && !at->can_write; at = at->next)
		;
	return at;
}

static enum submission_ending end_once(struct submission *s)
{
	if (s->is_ended)
		return SUBMISSION_GOES_ON;
	s->is_ended = true;
	return s->failure || s->closer_failing ? SUBMISSION_ABANDON : SUBMISSION_COMMIT;
}

static void free_submission(struct submissions *submissions, struct submission *s)
{
	struct submission **at;

	for (at = &submissions->first; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	free(s);
}

enum submission_ending submission_detach(struct submissions *submissions, struct writer *writer)
{
	enum submission_ending ending = SUBMISSION_GOES_ON;
	struct submission *s = writer->submission;
	struct writer **at;

	pthread_mutex_lock(&submissions->lock);
	for (at = &s->writers; *at != writer; at = &(*at)->next)
		;
	*at = writer->next;
	writer->submission = NULL;
	if (writer->can_write && !first_who_writes(s))
		ending = end_once(s);
	if (!s->writers)
		free_submission(submissions, s);
	pthread_mutex_unlock(&submissions->lock);
	return ending;
}

enum submission_ending submission_end(struct submissions *submissions, struct writer *writer, int *ret_failure)
{
	enum submission_ending ending;

	pthread_mutex_lock(&submissions->lock);
	*ret_failure = writer->submission->failure;
	ending = end_once(writer->submission);
	pthread_mutex_unlock(&submissions->lock);
	return ending;
}

bool submission_takes_bytes(struct submissions *submissions, const struct writer *writer)
{
	bool takes;

	pthread_mutex_lock(&submissions->lock);
	takes = writer->can_write && !writer->submission->is_ended;
	pthread_mutex_unlock(&submissions->lock);
	return takes;
}

void submission_note_refused_write(struct submissions *submissions, struct writer *writer, int failure)
{
	pthread_mutex_lock(&submissions->lock);
	writer->submission->failure = failure;
	pthread_mutex_unlock(&submissions->lock);
}

void submission_note_closer(struct submissions *submissions, struct writer *writer, bool is_failing)
{
	pthread_mutex_lock(&submissions->lock);
	writer->submission->closer_failing = is_failing;
	pthread_mutex_unlock(&submissions->lock);
}

bool submission_is_alone(struct submissions *submissions, const struct writer *writer)
{
	bool alone;

	pthread_mutex_lock(&submissions->lock);
	alone = !writer->submission->writers->next;
	pthread_mutex_unlock(&submissions->lock);
	return alone;
}

bool submission_stat(struct submissions *submissions, int64_t id, struct stat *ret)
{
	struct submission *s;
	bool found;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, id);
	found = s && fstat(s->writers->fd, ret) == 0;
	pthread_mutex_unlock(&submissions->lock);
	return found;
}

int submission_truncate(struct submissions *submissions, int64_t id, int64_t size_bytes)
{
	const struct writer *writer;
	struct submission *s;
	int r = -EACCES;

	pthread_mutex_lock(&submissions->lock);
	s = find(submissions, id);
	writer = s && !s->is_ended ? first_who_writes(s) : NULL;
	if (writer)
		r = ftruncate(writer->fd, size_bytes) < 0 ? -errno : 0;
	pthread_mutex_unlock(&submissions->lock);
	return r;
}
