/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/jobs.h"

static void append(struct job_queue *q, struct job *j)
{
	j->next = NULL;
	*q->last = j;
	q->last = &j->next;
}

void jobs_init(struct jobs *jobs)
{
	jobs->n = 0;
	for (int p = 0; p < JOB_PRIORITIES; p++)
		jobs->queues[p] = (struct job_queue){ NULL, &jobs->queues[p].first };
}

void jobs_push(struct jobs *jobs, struct job *j)
{
	append(&jobs->queues[j->priority], j);
	jobs->n++;
}

void jobs_push_front(struct jobs *jobs, struct job *j)
{
	struct job_queue *q = &jobs->queues[j->priority];

	j->next = q->first;
	if (!q->first)
		q->last = &j->next;
	q->first = j;
	jobs->n++;
}

struct job *jobs_pop(struct jobs *jobs, enum job_priority priority)
{
	struct job_queue *q = &jobs->queues[priority];
	struct job *j = q->first;

	if (!j)
		return NULL;
	q->first = j->next;
	if (!q->first)
		q->last = &q->first;
	jobs->n--;
	return j;
}

struct job *jobs_take_all(struct jobs *jobs)
{
	struct job_queue all = { NULL, &all.first };
	struct job *j;

	for (int p = 0; p < JOB_PRIORITIES; p++)
		while ((j = jobs_pop(jobs, (enum job_priority)p)))
			append(&all, j);
	return all.first;
}

void jobs_answer(struct job *list, int result, const char *why)
{
	while (list) {
		struct job *next = list->next;

		list->done(list, result, why);
		list = next;
	}
}
