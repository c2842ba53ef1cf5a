/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outer form of a response (RFC 9051 section 7): where its literals are, and its tag, word and rest. What is inside belongs
 * to imap_reply.h. Pure; every byte may be hostile.
 */
#ifndef MAILFS_IMAP_RESPONSE_H
#define MAILFS_IMAP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum imap_response_kind { RESPONSE_TAGGED, RESPONSE_UNTAGGED, RESPONSE_CONTINUATION };

/* A piece of a response. Not NUL-terminated. */
struct imap_text {
	const char *data;
	size_t len;
};

/* One response, line end and literals included. Borrowed from the guard until the next call. */
struct imap_response {
	enum imap_response_kind kind;
	struct imap_text all;
	struct imap_text tag;  /* tagged only */
	struct imap_text word; /* "OK", "FETCH", "EXISTS"; empty for a continuation */
	struct imap_text rest; /* behind the word and its space, without the line end */
	uint32_t number;       /* of "* 12 EXISTS" */
	bool body_diverted;    /* its body literal went to the sink; {0} stands in its place */
};

/* Whether two words are the same without case. */
bool imap_text_is(struct imap_text text, const char *word);

/* Only untagged data has literals: the text of OK, NO, BAD, BYE, PREAUTH and of tagged lines may end in a brace. */
bool imap_response_may_have_literals(const char *line, size_t len);

/* Whether the response that begins so lists things without an end to them. */
bool imap_response_is_long(const char *text, size_t len);

/*
 * "{123}" before the line end of line[0, len): its value and where the brace stands. False without one; digits that no limit
 * allows give INT64_MAX.
 */
bool imap_response_literal(const char *line, size_t len, int64_t *ret_size, size_t *ret_brace);

/* Whether what stands before a literal's brace says that it is BODY[] (*ret_origin -1) or BODY[]<n> (n). */
bool imap_response_is_body(const char *text, size_t len, int64_t *ret_origin);

/* The UID in a FETCH response's text up to its body, 0 if it is not there. */
uint32_t imap_response_uid_before(const char *text, size_t len);

/* Fills in what follows from response->all. False when that is no response. */
bool imap_response_split(struct imap_response *response);

/* Whether it brings an answer nearer. All else says only that the server is alive. */
bool imap_response_is_progress(const struct imap_response *response);

#endif
