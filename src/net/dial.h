/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a host's name to a connected TCP socket: looked up, and every address tried, within one limit of time.
 *
 * Any thread. Knows nothing of what is spoken on the socket.
 */
#ifndef MAILFS_DIAL_H
#define MAILFS_DIAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cancel.h"

/*
 * A connected, non-blocking, close-on-exec socket with keepalive and nodelay, the caller's. Addresses are tried in the
 * system's order of preference, the next one when one has failed or been silent for a quarter of a second, all of them
 * kept open until one answers (RFC 8305 in short): a dead IPv6 costs that much and no more.
 * getaddrinfo() knows no limit (resolv.conf's timeout times attempts times servers is 30 s and more), so it runs in a thread
 * of its own, which is left to itself when `timeout_s` is over or `cancel` (borrowed, NULL: never) is set.
 * -EHOSTUNREACH (also: name not found, no network), -ECONNREFUSED, -ETIMEDOUT, -ECANCELED, other -errno, with `why`.
 */
int dial(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct buf *why);

/* A peer that is gone without a word is noticed by the kernel in about so long (ETIMEDOUT), whether or not it owes an acknowledgement. */
void dial_watch(int fd, int noticed_s);
void dial_watch_as_usual(int fd);

#endif
