/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte stream to a server: TCP, then TLS when asked. Every wait is bounded by the silence limit given at connect, and ends
 * with -ECANCELED, as does every later call, once the `cancel` given there is set.
 *
 * Used by one thread at a time. Knows no protocol.
 */
#ifndef MAILFS_STREAM_H
#define MAILFS_STREAM_H

#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "net/tls.h"

struct stream;

/* Every address of `host` is tried (dial.h) within `timeout_s` in all, which is also the silence limit of each later call.
 * `cancel` is borrowed until stream_free(); NULL: never.
 * -EHOSTUNREACH (also: name not found), -ECONNREFUSED, -ETIMEDOUT…, with `why`: "imap.example.com:993: Connection refused". */
int stream_connect(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct stream **ret,
		   struct buf *why);

/* Over a connected stream socket, which becomes the stream's on success and is made non-blocking: for tests. */
int stream_from_socket(int fd, int timeout_s, const struct cancel *cancel, struct stream **ret);
void stream_free(struct stream *s);

/* From cleartext to TLS. The caller guarantees that nothing it read belongs behind this point (STARTTLS injection). Errors as
 * tls_open(); after one, the stream can only be freed. */
int stream_start_tls(struct stream *s, const char *host, const struct tls_options *options, struct buf *why);
bool stream_is_tls(const struct stream *s);
const char *stream_tls_description(const struct stream *s); /* NULL without TLS */

/* At least one byte, 0 at the peer's end, -ETIMEDOUT, -ECONNRESET, -EPROTO. */
ssize_t stream_read(struct stream *s, void *data, size_t len);
/* Everything or -errno. Reads nothing meanwhile: who pipelines leaves less unanswered than the sockets' buffers hold, or both
 * sides wait for each other until the silence limit. */
int stream_write(struct stream *s, const void *data, size_t len);
/* For more than that: some of the bytes, at least one, and returns how many; or 0 when there is something that stream_read()
 * returns at once, which is to be read before the same bytes are tried again. -errno. */
ssize_t stream_write_some(struct stream *s, const void *data, size_t len);

/* Waits up to `timeout_ms` (negative: for ever) for what stream_read() returns at once: bytes, the end, an error. 1: there is,
 * 0: not, -errno. */
int stream_wait(struct stream *s, int timeout_ms);

/* While on, the kernel notices within about the silence limit when the peer is gone: -EHOSTUNREACH. Who knows that can wait longer for a peer that is there. */
void stream_watch_peer(struct stream *s, bool on);

/* At debug level each read and write is logged by its length and first line; while private, by its length alone. */
void stream_set_private(struct stream *s, bool is_private);

#endif
