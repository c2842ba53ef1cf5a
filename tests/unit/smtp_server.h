/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A submission server on a thread that says what the test tells it to, and keeps every byte it is sent.
 *
 * One connection after another until it is stopped. Without rules it takes everything.
 */
#ifndef MAILFS_TESTS_SMTP_SERVER_H
#define MAILFS_TESTS_SMTP_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"

/* Answers what begins with `prefix`; the first that fits counts. Besides commands there are "CONNECT" (the greeting),
 * "<data>" (said at once after 354, out of turn) and "." (the message's end). */
struct smtp_rule {
	const char *prefix;
	const char *reply; /* with its CRLF; SMTP_HANG_UP closes, behind a reply too; "" says nothing */
	int times;	   /* how often it counts; 0: always */
};

#define SMTP_HANG_UP "\x01"

struct smtp_server {
	const struct smtp_rule *rules; /* borrowed; ends with a NULL prefix; NULL: none */
	SSL_CTX *tls;		       /* borrowed; NULL: no TLS */
	bool is_wrapped;	       /* TLS from the first byte, not STARTTLS */
	bool holds_replies;	       /* says nothing from MAIL on until DATA has come */
	bool reads_slowly;	       /* nothing of the message for 50 ms */
	unsigned ponders_ms;	       /* before it answers the final dot */
	sem_t *go;		       /* borrowed; nothing of the message before it is posted; NULL: at once */
	bool has_small_buffers;	       /* the kernel's, for this end */
	struct buf seen;	       /* own; read after smtp_server_stop() */
	uint16_t port;

	/* The thread's. */
	int listener, fd;
	SSL *ssl;
	struct buf held;
	int uses[16];
	pthread_t thread;
};

void smtp_server_start(struct smtp_server *s);
/* Ends the thread; `seen` stays. */
void smtp_server_stop(struct smtp_server *s);

#endif
