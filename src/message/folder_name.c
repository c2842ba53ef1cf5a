/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/folder_name.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#include "message/charset.h"
#include "message/modified_utf7.h"

enum { COMPONENT_MAX = 255 };

/* Begins a component that stands for wire bytes which are no modified UTF-7, where the text of those very bytes would look the same. */
#define WIRE_MARK "%00"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_escape(const char *p, size_t len)
{
	return len > 2 && *p == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0;
}

static bool has_suffix(const char *text, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && !memcmp(text + len - n, suffix, n);
}

static bool is_name(const char *text, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(text, name, len);
}

/* Whether the byte at `i` would make the component something else than a folder's name. */
static bool must_escape_at(const char *text, size_t len, size_t i, bool top)
{
	unsigned char c = (unsigned char)text[i];

	if (c == '/' || c < ' ' || c == 0x7f)
		return true;
	if (c == '%')
		return is_escape(text + i, len - i);
	if (c == '.')
		return i == 0 || (i == len - 4 && has_suffix(text, len, ".eml"));
	return i == 0 && top && is_name(text, len, "outbox");
}

static int append_escaped(unsigned char byte, struct buf *out)
{
	return buf_printf(out, "%%%02X", byte);
}

/* Bytes at `p` that belong together: a valid UTF-8 character, or one byte that is not part of one. *ret_valid tells which. */
static size_t next_unit(const char *p, size_t len, bool *ret_valid)
{
	ucs4_t c;
	int used = u8_mbtoucr(&c, (const uint8_t *)p, len);

	*ret_valid = used > 0 && !(c >= 0x80 && c < 0xa0);
	return used > 0 ? (size_t)used : 1;
}

static int escape_text(const char *text, size_t len, bool top, struct buf *out)
{
	size_t used;
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i += used) {
		bool valid;

		used = next_unit(text + i, len - i, &valid);
		if (valid && !must_escape_at(text, len, i, top)) {
			r = buf_append(out, text + i, used);
			continue;
		}
		for (size_t j = 0; j < used && r == 0; j++)
			r = append_escaped((unsigned char)text[i + j], out);
	}
	return r;
}

/* Wire bytes that are no modified UTF-7: what is not printable ASCII is escaped, and `&`, which would read as a shift. */
static int escape_wire(const char *wire, size_t len, bool top, struct buf *out)
{
	CLEANUP(buf) struct buf as_text = BUF_INIT;
	size_t start = out->len;
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		unsigned char c = (unsigned char)wire[i];

		if (c >= 0x80 || c == '&' || must_escape_at(wire, len, i, top))
			r = append_escaped(c, out);
		else
			r = buf_append_char(out, (char)c);
	}
	if (r == 0)
		r = escape_text(wire, len, top, &as_text);
	if (r < 0 || !charset_is_utf8(wire, len) || strcmp(buf_str(&as_text), out->data + start))
		return r;
	buf_truncate(out, start);
	r = buf_append_str(out, WIRE_MARK);
	return r < 0 ? r : buf_append(out, as_text.data, as_text.len);
}

static int to_component(const char *wire, size_t len, bool wire_is_utf8, bool top, struct buf *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r;

	if (top && is_name(wire, len, "INBOX"))
		return buf_append_str(out, "INBOX");
	if (wire_is_utf8)
		return escape_text(wire, len, top, out);
	r = modified_utf7_decode(wire, len, &text);
	if (r == -EINVAL)
		return escape_wire(wire, len, top, out);
	return r < 0 ? r : escape_text(text.data, text.len, top, out);
}

int folder_name_to_component(const char *wire, size_t len, bool wire_is_utf8, bool top, struct buf *out)
{
	size_t start = out->len;
	int r;

	if (!len || memchr(wire, '\0', len))
		return -EINVAL;
	r = to_component(wire, len, wire_is_utf8, top, out);
	if (r == 0 && out->len - start > COMPONENT_MAX)
		r = -ENAMETOOLONG;
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static int unescape(const char *component, struct buf *out)
{
	size_t len = strlen(component);
	int r = buf_reserve(out, len);

	for (size_t i = 0; i < len && r == 0; i++) {
		if (is_escape(component + i, len - i)) {
			r = buf_append_char(out, (char)(hex_digit(component[i + 1]) << 4 | hex_digit(component[i + 2])));
			i += 2;
		} else {
			r = buf_append_char(out, component[i]);
		}
	}
	return r;
}

/* Whether `wire` is the name that `component` came from. */
static int check_way_back(const struct buf *wire, const char *component, bool wire_is_utf8, bool top)
{
	CLEANUP(buf) struct buf again = BUF_INIT;
	int r = folder_name_to_component(buf_str(wire), wire->len, wire_is_utf8, top, &again);

	if (r < 0)
		return r;
	return strcmp(again.data, component) ? -EINVAL : 0;
}

int folder_name_from_component(const char *component, bool wire_is_utf8, bool top, struct buf *out)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT;
	CLEANUP(buf) struct buf wire = BUF_INIT;
	bool marked = !strncmp(component, WIRE_MARK, strlen(WIRE_MARK));
	int r = unescape(component + (marked ? strlen(WIRE_MARK) : 0), &bytes);

	if (r < 0)
		return r;
	r = -EINVAL;
	if (!wire_is_utf8 && !marked) {
		r = modified_utf7_encode(buf_str(&bytes), bytes.len, &wire);
		if (r == 0)
			r = check_way_back(&wire, component, wire_is_utf8, top);
		if (r == 0)
			return buf_append(out, wire.data, wire.len);
	}
	if (r == -EINVAL)
		r = check_way_back(&bytes, component, wire_is_utf8, top);
	return r < 0 ? r : buf_append(out, bytes.data, bytes.len);
}
