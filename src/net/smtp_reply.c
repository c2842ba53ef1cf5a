/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp_reply.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "message/charset.h"

static size_t without_line_end(const char *line, size_t len)
{
	if (len && line[len - 1] == '\n')
		len--;
	if (len && line[len - 1] == '\r')
		len--;
	return len;
}

/* 200 to 599: RFC 5321 has no 1yz, and nothing above. */
static int parse_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) || !isdigit((unsigned char)line[2]))
		return -EPROTO;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return -EPROTO;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

static size_t digits(const char *text, size_t len, size_t most)
{
	size_t n = 0;

	while (n < len && n < most && isdigit((unsigned char)text[n]))
		n++;
	return n;
}

/* The length of "5.7.1" at the head of `text` where it is a status of the code's class and a word of its own, else 0. */
static size_t enhanced_length(const char *text, size_t len, int code)
{
	size_t subject, detail;

	if (len < 5 || text[0] != '0' + code / 100 || text[1] != '.')
		return 0;
	subject = digits(text + 2, len - 2, 3);
	if (!subject || subject + 3 >= len || text[2 + subject] != '.')
		return 0;
	detail = digits(text + 3 + subject, len - 3 - subject, 3);
	if (!detail)
		return 0;
	len -= 3 + subject + detail;
	return len && text[3 + subject + detail] != ' ' ? 0 : 3 + subject + detail;
}

static void append_text(struct smtp_reply *r, const char *text, size_t len)
{
	size_t used = strlen(r->text);
	size_t room = sizeof r->text - 1 - used;
	bool is_utf8 = charset_is_utf8(text, len);

	if (!len || !room)
		return;
	if (used) {
		r->text[used++] = ' ';
		room--;
	}
	/* Cut at a character. */
	if (len > room) {
		len = room;
		while (is_utf8 && len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		r->text[used++] = c < ' ' || c == 0x7f || (c >= 0x80 && !is_utf8) ? '?' : text[i];
	}
	r->text[used] = '\0';
}

int smtp_reply_add_line(struct smtp_reply *r, const char *line, size_t len)
{
	size_t enhanced;
	int code;

	len = without_line_end(line, len);
	code = parse_code(line, len);
	if (code < 0 || (r->code && r->code != code))
		return -EPROTO;
	r->code = code;
	if (len <= 4)
		return len == 4 && line[3] == '-';
	enhanced = enhanced_length(line + 4, len - 4, code);
	if (enhanced && !*r->enhanced)
		memcpy(r->enhanced, line + 4, enhanced);
	if (enhanced && enhanced + 4 < len)
		enhanced++;
	append_text(r, line + 4 + enhanced, len - 4 - enhanced);
	return line[3] == '-';
}

int smtp_reply_class(const struct smtp_reply *r)
{
	return r->code / 100;
}

bool smtp_reply_ends_session(const struct smtp_reply *r)
{
	return r->code == 421 || r->code == 530;
}

void smtp_reply_make(struct smtp_reply *r, int code, const char *enhanced, const char *format, ...)
{
	va_list arguments;

	*r = (struct smtp_reply){ .code = code };
	snprintf(r->enhanced, sizeof r->enhanced, "%s", enhanced);
	va_start(arguments, format);
	vsnprintf(r->text, sizeof r->text, format, arguments);
	va_end(arguments);
}
