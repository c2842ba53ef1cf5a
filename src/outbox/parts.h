/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a message (RFC 2045, 2046), line by line: what each is, and how it must be encoded to be sent.
 *
 * A part is the message itself, an entity of a multipart, or what a message/rfc822 holds; they are numbered as they begin. The same walk is taken twice, to
 * see what is there and to write it, and numbers them alike.
 */
#ifndef MAILFS_OUTBOX_PARTS_H
#define MAILFS_OUTBOX_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "outbox/lines.h"
#include "outbox/survey.h"

enum { PARTS_DEPTH_MAX = 32, PARTS_MAX = 1 << 16 };

/* How a part's body is to be written. */
enum part_encoding { PART_AS_IS, PART_QUOTED_PRINTABLE, PART_BASE64, PART_SEVENBIT };

struct part {
	bool is_text, is_composite;
	bool is_sealed;		   /* a change would be one of the content: signed or encrypted, or a piece of something */
	bool is_encoded;	   /* quoted-printable, base64, or what nobody knows */
	bool says_eightbit;	   /* 8bit or binary */
	bool is_eightbit, is_long; /* a line of its body; of a composite, none that belongs to a part of it */
	enum part_encoding encoding;
};

struct parts {
	struct part *list; /* own; NULL: nothing needs to be encoded */
	size_t n;
	bool is_eightbit, is_long; /* a line between parts, or in the header of one */
};

/*
 * What must be encoded of the message in `fd`, whose survey is `s`: bytes over 127 unless `takes_eightbit`, and lines over SURVEY_LINE_MAX in any case.
 * -EINVAL with `why` where that would alter it, or cannot be done; else 0 or -errno. Release *ret.
 */
int parts_plan(int fd, const struct survey *s, bool takes_eightbit, struct parts *ret, struct buf *why);
void parts_release(struct parts *p);

/* Of a part by its number. */
static inline enum part_encoding parts_encoding(const struct parts *p, size_t number)
{
	return number < p->n ? p->list[number].encoding : PART_AS_IS;
}

static inline void parts_cleanup(struct parts *p)
{
	parts_release(p);
}

/* What a line is. */
enum parts_line {
	PARTS_BODY,	  /* of the current part */
	PARTS_HEADER,	  /* into walk.header; nothing is due yet */
	PARTS_HEADER_END, /* walk.header holds all of the current part's, the empty line included */
	PARTS_DELIMITER,  /* ends the current part; what walk.header still holds had no end */
	PARTS_BETWEEN,	  /* belongs to no part */
};

struct parts_walk {
	struct part *list; /* own */
	size_t n, cap, current;
	enum parts_line state;		/* of the next line, unless it is a delimiter: one of BODY, HEADER and BETWEEN */
	bool is_start;			/* of a line */
	bool is_in_digest;		/* the current part is an entity of one */
	bool is_entering, is_delimited; /* as of the last line */
	struct buf header;		/* own */
	size_t depth;
	struct parts_level {
		size_t part;
		struct buf delimiter; /* own; "--boundary" */
		bool is_digest;
	} levels[PARTS_DEPTH_MAX];
};

/* Behind the message's own header. 0, -ENOMEM, or -EINVAL with `why`. */
int parts_walk_init(struct parts_walk *w, const struct buf *header, struct buf *why);
void parts_walk_release(struct parts_walk *w);
/* The next line or piece of one: an enum parts_line, -ENOMEM, or -EINVAL with `why`: nested too deep, too many parts, a header of over a megabyte. */
int parts_walk_next(struct parts_walk *w, const struct line *line, struct buf *why);

static inline void parts_walk_cleanup(struct parts_walk *w)
{
	parts_walk_release(w);
}

#endif
