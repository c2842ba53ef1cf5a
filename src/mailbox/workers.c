/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	CONNECTIONS_MAX = 64,
	PAUSE_FIRST_MS = 500,
	PAUSE_LAST_MS = 30 * 1000,
	FEWER_FOR_MS = 5 * 60 * 1000,  /* a server that gave no further session is asked again after this long */
	IDLE_CLOSE_MS = 9 * 60 * 1000, /* an unused session is closed before middleboxes forget it */
};

struct worker {
	struct workers *all;
	pthread_t thread;
	struct backend *session; /* own; NULL: none yet. Written under the lock, so that others may count it */
	bool is_silent;		 /* its job waits for a server that takes its time: the lock's */
};

struct workers {
	struct workers_options options;
	struct backend_options backend; /* the caller's, with `cancel` */
	struct cancel cancel;		/* set by workers_stop() */
	pthread_mutex_t lock;		/* protects everything below */
	pthread_cond_t wake;
	struct jobs jobs;
	struct worker pool[CONNECTIONS_MAX];
	int n_threads, n_idle;
	int limit; /* sessions; below options.connections, until limit_until_ms, when the server gives no more */
	int64_t limit_until_ms;
	int background_running;
	bool stopping, probing;
	enum workers_state state;
	int error;
	char why[256];
	int64_t since_s;
	int64_t retry_at_ms, pause_ms;
};

/* What programs are told, whichever way it showed: the server is out of reach, or talks nonsense. Anything else as it is. */
static int told_error(int error)
{
	static const struct {
		int from, to;
	} table[] = {
		{ -ECONNREFUSED, -EHOSTUNREACH }, { -ECONNRESET, -EHOSTUNREACH }, { -ECONNABORTED, -EHOSTUNREACH },
		{ -ENOTCONN, -EHOSTUNREACH },	  { -EPIPE, -EHOSTUNREACH },	  { -ENETUNREACH, -EHOSTUNREACH },
		{ -ENETDOWN, -EHOSTUNREACH },	  { -EHOSTDOWN, -EHOSTUNREACH },  { -EPROTO, -EIO },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (error == table[i].from)
			return table[i].to;
	return error;
}

/* Not this session's affair: another one would fare the same. */
static bool is_out_of_reach(int error)
{
	return error == -ETIMEDOUT || error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH ||
	       error == -ENETDOWN;
}

static int open_sessions(const struct workers *w)
{
	int n = 0;

	for (int i = 0; i < w->n_threads; i++)
		n += w->pool[i].session && !w->pool[i].is_silent;
	return n;
}

static int silent_workers(const struct workers *w)
{
	int n = 0;

	for (int i = 0; i < w->n_threads; i++)
		n += w->pool[i].is_silent;
	return n;
}

static bool background_allowed(const struct workers *w)
{
	return w->background_running < (w->limit > 1 ? w->limit - 1 : 1);
}

/* Others may have left the server room meanwhile. */
static void lift_limit(struct workers *w)
{
	if (w->limit < w->options.connections && clock_monotonic_ms() >= w->limit_until_ms)
		w->limit = w->options.connections;
}

/* A worker without a session takes nothing while the server gives no further one. */
static struct job *next_job(const struct worker *self)
{
	struct workers *w = self->all;
	struct job *j = NULL;

	if (w->state == WORKERS_OFFLINE || (!self->session && open_sessions(w) >= w->limit))
		return NULL;
	for (int p = 0; p < JOB_BACKGROUND && !j; p++)
		j = jobs_pop(&w->jobs, p);
	if (!j && background_allowed(w))
		j = jobs_pop(&w->jobs, JOB_BACKGROUND);
	return j;
}

static void pause_longer(struct workers *w)
{
	w->pause_ms = w->pause_ms ? w->pause_ms * 2 : PAUSE_FIRST_MS;
	if (w->pause_ms > PAUSE_LAST_MS)
		w->pause_ms = PAUSE_LAST_MS;
	w->retry_at_ms = clock_monotonic_ms() + w->pause_ms;
}

/* Tells the new state upwards. Called with the lock held; drops it meanwhile. */
static void change_state(struct workers *w, enum workers_state state, int error, const char *why)
{
	bool is_news = state != w->state || error != w->error;
	char text[sizeof w->why];

	snprintf(text, sizeof text, "%s", why);
	w->state = state;
	w->error = error;
	memcpy(w->why, text, sizeof text);
	if (state == WORKERS_OFFLINE) {
		pause_longer(w);
	} else {
		w->pause_ms = 0;
		w->limit = w->options.connections;
	}
	pthread_cond_broadcast(&w->wake);
	if (!is_news)
		return;
	w->since_s = clock_realtime_s();
	pthread_mutex_unlock(&w->lock);
	if (w->options.state_changed)
		w->options.state_changed(w->options.userdata, state, error, text);
	pthread_mutex_lock(&w->lock);
}

/* Offline: everybody who waits learns it now instead of after a timeout each. */
static void go_offline(struct workers *w, int error, const char *why)
{
	struct job *waiting = jobs_take_all(&w->jobs);
	char text[sizeof w->why];

	snprintf(text, sizeof text, "%s", why);
	change_state(w, WORKERS_OFFLINE, error, text);
	pthread_mutex_unlock(&w->lock);
	jobs_answer(waiting, told_error(error), text);
	pthread_mutex_lock(&w->lock);
}

/* Drops the worker's session. The lock is held, and dropped meanwhile. */
static void close_session(struct worker *self)
{
	struct backend *session = self->session;

	self->session = NULL;
	pthread_mutex_unlock(&self->all->lock);
	backend_close(session);
	pthread_mutex_lock(&self->all->lock);
}

/* Signs in. The lock is held, and dropped meanwhile. 0 or -errno with `why`. */
static int open_session(struct worker *self, struct buf *why)
{
	struct workers *w = self->all;
	struct backend *session = NULL;
	int r;

	pthread_mutex_unlock(&w->lock);
	r = backend_open(w->options.ops, &w->backend, &session, why);
	pthread_mutex_lock(&w->lock);
	if (r < 0)
		return r;
	if (w->stopping) {
		self->session = session;
		close_session(self);
		return -ECANCELED;
	}
	self->session = session;
	if (w->state != WORKERS_ONLINE)
		change_state(w, WORKERS_ONLINE, 0, "");
	return 0;
}

/* A server that takes no further session while others are open is not out of reach: make do with those. */
static bool settle_for_fewer(struct workers *w, int error)
{
	int open = open_sessions(w);

	if (!open || (error != -EAGAIN && error != -EACCES && error != -ENOTCONN))
		return false;
	log_debug("%d connections are all that the server gives", open);
	w->limit = open;
	w->limit_until_ms = clock_monotonic_ms() + FEWER_FOR_MS;
	return true;
}

static void run_job(struct worker *self, struct job *j)
{
	struct workers *w = self->all;
	CLEANUP(buf) struct buf why = BUF_INIT;
	bool is_background = j->priority == JOB_BACKGROUND;
	bool is_broken, is_extra;
	int r;

	w->background_running += is_background;
	pthread_mutex_unlock(&w->lock);
	r = j->run(j, &self->session);
	if (r < 0)
		buf_append_str(&why, *backend_why(self->session) ? backend_why(self->session) : strerror(-r));
	is_broken = self->session->broken;
	j->done(j, told_error(r), buf_str(&why));
	pthread_mutex_lock(&w->lock);
	w->background_running -= is_background;
	if (is_background)
		pthread_cond_broadcast(&w->wake);
	is_extra = self->is_silent && !is_broken && open_sessions(w) >= w->limit;
	self->is_silent = false;
	if (is_broken || is_extra)
		close_session(self);
	if (is_broken && is_out_of_reach(r) && !w->stopping)
		go_offline(w, r, buf_str(&why));
}

/* Takes `j` to a session and runs it. */
static void serve(struct worker *self, struct job *j)
{
	struct workers *w = self->all;
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = 0;

	if (!self->session)
		r = open_session(self, &why);
	if (r == 0) {
		run_job(self, j);
		return;
	}
	if (!w->stopping && settle_for_fewer(w, r)) {
		jobs_push_front(&w->jobs, j);
		pthread_cond_broadcast(&w->wake);
		return;
	}
	if (w->stopping)
		r = -ENOTCONN;
	else
		go_offline(w, r, buf_str(&why));
	pthread_mutex_unlock(&w->lock);
	j->done(j, told_error(r), buf_str(&why));
	pthread_mutex_lock(&w->lock);
}

/* While offline one idle worker asks again at the time set. Signed in, it has told the others. */
static void probe(struct worker *self)
{
	struct workers *w = self->all;
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r;

	w->probing = true;
	r = open_session(self, &why);
	w->probing = false;
	if (r < 0 && !w->stopping)
		change_state(w, WORKERS_OFFLINE, r, buf_str(&why));
}

/* Until there is something to do; false after a pause without work long enough to let the session go. */
static bool wait_for_work(struct workers *w)
{
	int64_t pause_ms = IDLE_CLOSE_MS;
	int r;

	if (w->state == WORKERS_OFFLINE && !w->probing)
		pause_ms = w->retry_at_ms - clock_monotonic_ms();
	w->n_idle++;
	r = clock_wait(&w->wake, &w->lock, pause_ms);
	w->n_idle--;
	return r != -ETIMEDOUT || w->state == WORKERS_OFFLINE;
}

static bool probe_is_due(const struct workers *w)
{
	return w->state == WORKERS_OFFLINE && !w->probing && clock_monotonic_ms() >= w->retry_at_ms;
}

static void *work(void *argument)
{
	struct worker *self = argument;
	struct workers *w = self->all;
	struct job *j;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		if (w->state == WORKERS_OFFLINE && self->session) {
			close_session(
				self); /* most likely as dead as the one that showed it, and would cost a timeout of its own */
			continue;
		}
		j = next_job(self);
		if (j) {
			serve(self, j);
		} else if (probe_is_due(w)) {
			probe(self);
		} else if (!wait_for_work(w) && self->session) {
			close_session(self);
		}
	}
	if (self->session)
		close_session(self);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int start_thread(struct workers *w)
{
	struct worker *self = &w->pool[w->n_threads];
	int r = -pthread_create(&self->thread, NULL, work, self);

	if (r < 0)
		return r;
	w->n_threads++;
	return 0;
}

int workers_new(const struct workers_options *options, struct workers **ret)
{
	struct workers *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return -ENOMEM;
	r = cancel_init(&w->cancel);
	if (r < 0) {
		free(w);
		return r;
	}
	w->options = *options;
	w->backend = *options->backend;
	w->backend.cancel = &w->cancel;
	if (w->options.connections > CONNECTIONS_MAX)
		w->options.connections = CONNECTIONS_MAX;
	w->limit = w->options.connections;
	w->state = WORKERS_CONNECTING;
	w->since_s = clock_realtime_s();
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	jobs_init(&w->jobs);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		w->pool[i].all = w;
	pthread_mutex_lock(&w->lock);
	r = start_thread(w);
	pthread_mutex_unlock(&w->lock);
	if (r < 0) {
		workers_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void workers_stop(struct workers *w)
{
	struct job *waiting;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	waiting = jobs_take_all(&w->jobs);
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	cancel_set(&w->cancel);
	jobs_answer(waiting, told_error(-ENOTCONN), "unmounting");
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	workers_stop(w);
	for (int i = 0; i < w->n_threads; i++)
		pthread_join(w->pool[i].thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	cancel_release(&w->cancel);
	free(w);
}

/* Another worker when there are more jobs than idle ones. Not while connecting: the first one's verdict is everybody's. */
static void reinforce(struct workers *w)
{
	lift_limit(w);
	if (w->state == WORKERS_ONLINE && w->jobs.n > w->n_idle && w->n_threads - silent_workers(w) < w->limit &&
	    w->n_threads < CONNECTIONS_MAX && start_thread(w) < 0)
		log_debug("no further worker thread");
}

int workers_submit(struct workers *w, struct job *j)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	if (w->stopping) {
		r = -ENOTCONN;
	} else if (w->state == WORKERS_OFFLINE) {
		r = told_error(w->error);
	} else {
		jobs_push(&w->jobs, j);
		reinforce(w);
		pthread_cond_broadcast(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

void workers_note_silent(struct workers *w, const struct backend *session)
{
	pthread_mutex_lock(&w->lock);
	for (int i = 0; i < w->n_threads; i++)
		if (w->pool[i].session == session)
			w->pool[i].is_silent = true;
	reinforce(w);
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void workers_status(struct workers *w, struct workers_status *ret)
{
	pthread_mutex_lock(&w->lock);
	ret->state = w->state;
	ret->error = w->error;
	memcpy(ret->why, w->why, sizeof ret->why);
	ret->since_s = w->since_s;
	ret->open = open_sessions(w);
	ret->limit = w->limit;
	pthread_mutex_unlock(&w->lock);
}
