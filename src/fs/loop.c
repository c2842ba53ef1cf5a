/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/session.h"

/* Long enough for a program to use what it got and ask again, short enough not to be seen in top(1). */
#define SPIN_US 100
/*
 * A spin that loses the processor for longer than this takes it from somebody who needs it: no more spins for a while. Not for long: what came in
 * between was most often a program that this one serves.
 */
#define CROWDED_US 10
#define CROWDED_FOR_US 500
/* Work that may wait for a disk seldom does: only what lasts longer than this loses the turn to another thread, which looks every TICK_MS. */
#define PATIENCE_US 1000
#define TICK_MS 2
/* And looks no more when there was no such work for so long. */
#define QUIET_US 100000

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static bool is_nothing_there(int r)
{
	return r == -EAGAIN || r == -EINTR;
}

static int spin(struct loop *loop, struct fuse_buf *request)
{
	int64_t start = now_us(), before = start, now = start;
	int r;

	for (;;) {
		r = fuse_session_receive_buf(loop->fs->session, request);
		if (!is_nothing_there(r) || now >= start + loop->spin_us || now < loop->crowded_until_us)
			return r;
		sched_yield();
		now = now_us();
		if (now > before + CROWDED_US)
			loop->crowded_until_us = now + CROWDED_FOR_US;
		before = now;
	}
}

/* Length of a request, 0 at the end, or -errno. Spins where the last one came as soon as that takes: programs that ask go on asking. */
static int receive(struct loop *loop, struct fuse_buf *request)
{
	int64_t since = now_us();
	struct pollfd descriptors[] = { { .fd = fuse_session_fd(loop->fs->session), .events = POLLIN },
					{ .fd = loop->fs->stop_fd, .events = POLLIN } };
	int r;

	for (;;) {
		r = loop->is_busy ? spin(loop, request) : fuse_session_receive_buf(loop->fs->session, request);
		if (!is_nothing_there(r)) {
			loop->is_busy = now_us() < since + loop->spin_us;
			return r;
		}
		if (poll(descriptors, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (descriptors[1].revents)
			return 0;
	}
}

/* The calling thread's: the loop whose turn it has, and since when it may have been taken away, 0: it cannot have been. */
static __thread struct loop *having_turn;
static __thread int64_t slow_since_us;

static bool try_take(struct loop *loop)
{
	int64_t since = atomic_load(&loop->slow_since_us);

	return since && now_us() >= since + PATIENCE_US && atomic_compare_exchange_strong(&loop->slow_since_us, &since, 0);
}

/* Looks every now and then, for as long as there is work that may wait for a disk. */
static void tick(struct loop *loop)
{
	loop->is_ticking = true;
	clock_wait(&loop->relief, &loop->lock, TICK_MS);
	loop->is_ticking = false;
	if (now_us() < atomic_load(&loop->last_slow_us) + QUIET_US)
		return;
	atomic_store(&loop->is_watched, false);
	if (atomic_load(&loop->slow_since_us))
		atomic_store(&loop->is_watched, true);
}

static void wait_for_turn(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	while (!atomic_load(&loop->fs->is_over) && !try_take(loop)) {
		if (atomic_load(&loop->is_watched) && !loop->is_ticking)
			tick(loop);
		else
			pthread_cond_wait(&loop->relief, &loop->lock);
	}
	pthread_cond_signal(&loop->relief); /* another one ticks */
	pthread_mutex_unlock(&loop->lock);
	having_turn = loop;
}

static void take_turn(struct loop *loop)
{
	int64_t since = slow_since_us;

	slow_since_us = 0;
	if (having_turn && (!since || atomic_compare_exchange_strong(&loop->slow_since_us, &since, 0)))
		return;
	wait_for_turn(loop);
}

static void wake_watcher(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	pthread_cond_signal(&loop->relief);
	pthread_mutex_unlock(&loop->lock);
}

void loop_step_aside(void)
{
	struct loop *loop = having_turn;

	if (!loop || slow_since_us)
		return;
	slow_since_us = now_us();
	atomic_store(&loop->last_slow_us, slow_since_us);
	atomic_store(&loop->slow_since_us, slow_since_us);
	if (!atomic_exchange(&loop->is_watched, true))
		wake_watcher(loop);
}

static void *serve(void *userdata)
{
	struct loop *loop = userdata;
	struct fuse_buf request = { .mem = NULL };
	int r;

	for (;;) {
		take_turn(loop);
		r = atomic_load(&loop->fs->is_over) ? 0 : receive(loop, &request);
		if (r <= 0)
			break;
		fuse_session_process_buf(loop->fs->session, &request);
	}
	atomic_store(&loop->fs->is_over, true);
	pthread_mutex_lock(&loop->lock);
	pthread_cond_broadcast(&loop->relief);
	pthread_mutex_unlock(&loop->lock);
	if (r < 0)
		log_error("reading from the kernel failed with errno %d", -r);
	fs_wake(loop->fs);
	free(request.mem);
	return NULL;
}

int loop_start(struct loop *loop, struct fs *fs)
{
	int fd = fuse_session_fd(fs->session), r = 0;
	sigset_t all, before;

	*loop = (struct loop){ .fs = fs, .spin_us = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_US : 0, .slow_since_us = 1 };
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->relief, NULL);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && loop->n < LOOP_THREADS) {
		r = -pthread_create(&loop->threads[loop->n], NULL, serve, loop);
		loop->n += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return loop->n > 0 ? 0 : r;
}

void loop_stop(struct loop *loop)
{
	if (!loop->fs)
		return;
	eventfd_write(loop->fs->stop_fd, 1);
	while (loop->n > 0)
		pthread_join(loop->threads[--loop->n], NULL);
	pthread_cond_destroy(&loop->relief);
	pthread_mutex_destroy(&loop->lock);
}
