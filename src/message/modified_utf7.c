/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/modified_utf7.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistr.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Base64 digits between `&` and `-`, 16 bits a unit of UTF-16. */
struct shift {
	struct buf *out;
	uint32_t bits;
	int n_bits;
	bool open;
};

static bool stands_for_itself(unsigned char c)
{
	return c >= ' ' && c < 0x7f;
}

static int put_digits(struct shift *shift, int at_least)
{
	int r = 0;

	while (r == 0 && shift->n_bits >= at_least) {
		shift->n_bits -= 6;
		r = buf_append_char(shift->out, alphabet[shift->bits >> shift->n_bits & 63]);
	}
	return r;
}

static int put_unit(struct shift *shift, uint16_t unit)
{
	int r = shift->open ? 0 : buf_append_char(shift->out, '&');

	if (r < 0)
		return r;
	shift->open = true;
	shift->bits = shift->bits << 16 | unit;
	shift->n_bits += 16;
	return put_digits(shift, 6);
}

static int close_shift(struct shift *shift)
{
	int r = 0;

	if (!shift->open)
		return 0;
	if (shift->n_bits) {
		shift->bits <<= 6 - shift->n_bits;
		shift->n_bits = 6;
		r = put_digits(shift, 6);
	}
	*shift = (struct shift){ .out = shift->out };
	return r < 0 ? r : buf_append_char(shift->out, '-');
}

static int put_character(struct shift *shift, ucs4_t c)
{
	int r;

	if (c < 0x80 && stands_for_itself((unsigned char)c)) {
		r = close_shift(shift);
		if (r == 0)
			r = buf_append_char(shift->out, (char)c);
		return r == 0 && c == '&' ? buf_append_char(shift->out, '-') : r;
	}
	if (c < 0x10000)
		return put_unit(shift, (uint16_t)c);
	c -= 0x10000;
	r = put_unit(shift, (uint16_t)(0xd800 | c >> 10));
	return r < 0 ? r : put_unit(shift, (uint16_t)(0xdc00 | (c & 0x3ff)));
}

static int encode(const char *text, size_t len, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)text;
	struct shift shift = { .out = out };

	while (len) {
		ucs4_t c;
		int used = u8_mbtoucr(&c, p, len);
		int r = used > 0 && c ? put_character(&shift, c) : -EINVAL;

		if (r < 0)
			return r;
		p += used;
		len -= (size_t)used;
	}
	return close_shift(&shift);
}

int modified_utf7_encode(const char *text, size_t len, struct buf *out)
{
	size_t start = out->len;
	int r = encode(text, len, out);

	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static int put_utf8(struct buf *out, ucs4_t c)
{
	uint8_t bytes[6];
	int n = u8_uctomb(bytes, c, sizeof bytes);

	return n > 0 ? buf_append(out, bytes, (size_t)n) : -EINVAL;
}

/* One unit; *high holds the first half of a surrogate pair between two calls. */
static int take_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
	uint32_t first = *high;

	*high = 0;
	if (first)
		return (unit & 0xfc00) == 0xdc00 ? put_utf8(out, 0x10000 + ((first & 0x3ff) << 10 | (unit & 0x3ff))) : -EINVAL;
	if ((unit & 0xfc00) != 0xd800)
		return put_utf8(out, unit);
	*high = unit;
	return 0;
}

/* The digits of one shift; *p at the first, afterwards behind the `-`. */
static int decode_shift(const char **p, const char *end, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	int n_bits = 0;

	for (; *p < end && **p != '-'; ++*p) {
		const char *digit = **p ? strchr(alphabet, **p) : NULL;
		int r = 0;

		if (!digit)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		n_bits += 6;
		if (n_bits >= 16) {
			n_bits -= 16;
			r = take_unit(bits >> n_bits & 0xffff, &high, out);
		}
		if (r < 0)
			return r;
	}
	if (*p == end || high)
		return -EINVAL;
	++*p;
	return 0;
}

static int decode(const char *p, const char *end, struct buf *out)
{
	while (p < end) {
		int r;

		if (!stands_for_itself((unsigned char)*p))
			return -EINVAL;
		if (*p != '&') {
			r = buf_append_char(out, *p++);
		} else if (end - p > 1 && p[1] == '-') {
			r = buf_append_char(out, '&');
			p += 2;
		} else {
			p++;
			r = decode_shift(&p, end, out);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Only what encodes back to the same bytes counts: superfluous shifts and stray bits would make two names one. */
static int check_canonical(const char *text, size_t text_len, const char *wire, size_t len)
{
	CLEANUP(buf) struct buf again = BUF_INIT;
	int r = modified_utf7_encode(text, text_len, &again);

	if (r < 0)
		return r;
	return again.len == len && !memcmp(buf_str(&again), wire, len) ? 0 : -EINVAL;
}

int modified_utf7_decode(const char *wire, size_t len, struct buf *out)
{
	size_t start = out->len;
	int r = decode(wire, wire + len, out);

	if (r == 0)
		r = check_canonical(buf_str(out) + start, out->len - start, wire, len);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}
