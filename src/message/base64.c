/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/base64.h"

#include <stdint.h>

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t len, struct buf *out)
{
	uint32_t bits = 0;
	int n_bits = 0;
	int r = buf_reserve(out, len / 4 * 3 + 3);

	for (size_t i = 0; i < len && r == 0; i++) {
		int value = value_of(text[i]);

		if (text[i] == '=')
			n_bits = 0;
		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		r = buf_append_char(out, (char)(bits >> n_bits & 0xff));
	}
	return r;
}

int base64_encode(const char *bytes, size_t len, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)bytes;
	int r = buf_reserve(out, (len + 2) / 3 * 4);

	for (; r == 0 && len; p += 3, len -= len < 3 ? len : 3) {
		uint32_t bits = (uint32_t)p[0] << 16 | (len > 1 ? (uint32_t)p[1] << 8 : 0) | (len > 2 ? (uint32_t)p[2] : 0);
		char group[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63], len > 1 ? alphabet[bits >> 6 & 63] : '=',
				  len > 2 ? alphabet[bits & 63] : '=' };

		r = buf_append(out, group, sizeof group);
	}
	return r;
}
