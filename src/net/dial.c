/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
	ADDRESSES_MAX = 16,
	NEXT_ADDRESS_MS = 250,
	/* A peer that is gone without a word is noticed in two minutes, in IDLE too. */
	NOTICED_S = 120,
	KEEPALIVE_PROBES = 3,
};

static void addresses_free(struct addrinfo *addresses)
{
	if (addresses)
		freeaddrinfo(addresses);
}

DEFINE_CLEANUP(addresses, struct addrinfo *, addresses_free)

/* One name being looked up, shared by who asked and the thread that does it; the last one to leave frees it. */
struct lookup {
	pthread_mutex_t lock;
	int finished;		    /* own; an eventfd, readable when it is done */
	int owners;		    /* lock */
	bool done;		    /* lock */
	int status;		    /* lock; getaddrinfo's */
	struct addrinfo *addresses; /* lock; own */
	char port[8];
	char host[];
};

static const struct addrinfo lookup_hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };

static struct lookup *lookup_new(const char *host, uint16_t port)
{
	size_t len = strlen(host) + 1;
	struct lookup *l = calloc(1, sizeof *l + len);

	if (!l)
		return NULL;
	l->finished = eventfd(0, EFD_CLOEXEC);
	if (l->finished < 0) {
		free(l);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	l->owners = 1;
	snprintf(l->port, sizeof l->port, "%u", port);
	memcpy(l->host, host, len);
	return l;
}

static void lookup_leave(struct lookup *l)
{
	bool is_last;

	pthread_mutex_lock(&l->lock);
	is_last = --l->owners == 0;
	pthread_mutex_unlock(&l->lock);
	if (!is_last)
		return;
	addresses_free(l->addresses);
	close(l->finished);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void lookup_leave_cleanup(struct lookup **l)
{
	if (*l)
		lookup_leave(*l);
}

static void *lookup_run(void *argument)
{
	struct lookup *l = argument;
	struct addrinfo *addresses = NULL;
	int status = getaddrinfo(l->host, l->port, &lookup_hints, &addresses);

	pthread_mutex_lock(&l->lock);
	l->done = true;
	l->status = status;
	l->addresses = status ? NULL : addresses;
	pthread_mutex_unlock(&l->lock);
	eventfd_write(l->finished, 1);
	lookup_leave(l);
	return NULL;
}

/* The thread takes no signals: they are for those who wait for them. */
static int lookup_start(struct lookup *l)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	l->owners++;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attributes, lookup_run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (r)
		l->owners--;
	return -r;
}

static int look_up_name(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct addrinfo **ret,
			struct buf *why)
{
	CLEANUP(lookup_leave) struct lookup *l = lookup_new(host, port);
	struct pollfd finished = { .events = POLLIN };
	int r = l ? lookup_start(l) : -ENOMEM;

	if (r < 0)
		return r;
	finished.fd = l->finished;
	r = cancel_poll(cancel, &finished, 1, clock_monotonic_ms() + (int64_t)timeout_s * 1000);
	if (r < 0) {
		buf_printf(why, "%s: name lookup: %s", host, strerror(-r));
		return r;
	}
	pthread_mutex_lock(&l->lock);
	*ret = steal_pointer(&l->addresses);
	if (!l->done)
		buf_printf(why, "%s: name lookup not done after %d s", host, timeout_s);
	else if (l->status)
		buf_printf(why, "%s: %s", host, gai_strerror(l->status));
	pthread_mutex_unlock(&l->lock);
	return *ret ? 0 : -EHOSTUNREACH;
}

static int look_up(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct addrinfo **ret,
		   struct buf *why)
{
	struct addrinfo hints = lookup_hints;
	char service[8];

	hints.ai_flags |= AI_NUMERICHOST;
	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(host, service, &hints, ret) == 0)
		return 0;
	return look_up_name(host, port, timeout_s, cancel, ret, why);
}

/* The addresses being tried at once. */
struct race {
	struct pollfd sockets[ADDRESSES_MAX]; /* own; fd -1: failed or won */
	size_t n;
	size_t running;
	int error; /* the -errno that tells most so far, 0: none */
};

static void race_release(struct race *race)
{
	for (size_t i = 0; i < race->n; i++)
		if (race->sockets[i].fd >= 0)
			close(race->sockets[i].fd);
}

static void race_cleanup(struct race *race)
{
	race_release(race);
}

/* That this machine has no IPv6 says less than what the server's IPv4 said. */
static void race_note_error(struct race *race, int error)
{
	bool is_local = error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT;

	if (is_local)
		error = EHOSTUNREACH;
	if (!race->error || !is_local)
		race->error = -error;
}

/* Half of the time without a word, then three questions. */
static void watch(int fd, int noticed_s, int unacknowledged_ms)
{
	int interval_s = noticed_s / (2 * KEEPALIVE_PROBES);
	const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, noticed_s > 1 ? noticed_s / 2 : 1 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, interval_s > 1 ? interval_s : 1 },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

void dial_watch(int fd, int noticed_s)
{
	watch(fd, noticed_s, noticed_s * 1000);
}

void dial_watch_as_usual(int fd)
{
	watch(fd, NOTICED_S, 0);
}

static void set_options(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	dial_watch_as_usual(fd);
}

static void race_start(struct race *race, const struct addrinfo *address)
{
	struct pollfd *p = &race->sockets[race->n];
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);

	if (fd < 0) {
		race_note_error(race, errno);
		return;
	}
	set_options(fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
		race_note_error(race, errno);
		close(fd);
		return;
	}
	*p = (struct pollfd){ .fd = fd, .events = POLLOUT };
	race->n++;
	race->running++;
}

/* Waits until then for one to connect: its socket, the caller's; -EAGAIN when none has yet, or one has failed; -ECANCELED, -errno. */
static int race_wait(struct race *race, const struct cancel *cancel, int64_t until_ms)
{
	int ready = cancel_poll(cancel, race->sockets, race->n, until_ms);

	if (ready < 0)
		return ready;
	for (size_t i = 0; i < race->n; i++) {
		struct pollfd *p = &race->sockets[i];
		socklen_t len = sizeof(int);
		int error = 0;

		if (p->fd < 0 || !p->revents)
			continue;
		if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (!error)
			return steal_fd(&p->fd);
		race_note_error(race, error);
		close(steal_fd(&p->fd));
		race->running--;
	}
	return -EAGAIN;
}

static int run_race(struct race *race, const struct addrinfo *next, int64_t until_ms, const struct cancel *cancel)
{
	int64_t start_next_ms = 0;

	for (;;) {
		int64_t now_ms = clock_monotonic_ms();
		int r;

		if (now_ms >= until_ms)
			return -ETIMEDOUT;
		if (next && (!race->running || now_ms >= start_next_ms)) {
			race_start(race, next);
			next = race->n < ADDRESSES_MAX ? next->ai_next : NULL;
			start_next_ms = now_ms + NEXT_ADDRESS_MS;
		}
		if (!race->running && !next)
			return race->error ? race->error : -EHOSTUNREACH;
		if (!race->running)
			continue;
		r = race_wait(race, cancel, next && start_next_ms < until_ms ? start_next_ms : until_ms);
		if (r != -EAGAIN)
			return r;
	}
}

int dial(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct buf *why)
{
	int64_t until_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
	CLEANUP(addresses) struct addrinfo *addresses = NULL;
	CLEANUP(race) struct race race = { .n = 0 };
	int r = look_up(host, port, timeout_s, cancel, &addresses, why);

	if (r < 0)
		return r;
	r = run_race(&race, addresses, until_ms, cancel);
	if (r == -ETIMEDOUT)
		buf_printf(why, "%s:%u: no connection after %d s", host, port, timeout_s);
	else if (r < 0)
		buf_printf(why, "%s:%u: %s", host, port, strerror(-r));
	return r;
}
