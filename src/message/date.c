/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/date.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/calendar.h"

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* A place in the text that is read; reading past a mismatch leaves `failed` set. */
struct scanner {
	const char *p;
	const char *end;
	bool failed;
};

static char peek(const struct scanner *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take(struct scanner *s, char c)
{
	if (peek(s) != c || s->p == s->end)
		return false;
	s->p++;
	return true;
}

static void expect(struct scanner *s, char c)
{
	s->failed |= !take(s, c);
}

/* `least` to `most` digits; *ret_digits: how many there were, may be NULL. */
static int number(struct scanner *s, int least, int most, int *ret_digits)
{
	int value = 0;
	int n = 0;

	for (; n < most && is_digit(peek(s)); n++)
		value = value * 10 + (*s->p++ - '0');
	s->failed |= n < least || is_digit(peek(s));
	if (ret_digits)
		*ret_digits = n;
	return value;
}

static void skip_blanks(struct scanner *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\r' || peek(s) == '\n')
		s->p++;
}

/* Blanks and nested comments (RFC 5322 3.2.2). */
static void skip_comments(struct scanner *s)
{
	int depth = 0;

	while (skip_blanks(s), s->p < s->end && (depth || *s->p == '(')) {
		char c = *s->p++;

		if (c == '\\' && s->p < s->end)
			s->p++;
		depth += (c == '(') - (c == ')');
	}
}

static int month(struct scanner *s)
{
	for (int i = 0; i < 12 && s->end - s->p >= 3; i++) {
		if (strncasecmp(s->p, months[i], 3))
			continue;
		while (is_letter(peek(s)))
			s->p++;
		return i + 1;
	}
	s->failed = true;
	return 1;
}

/* +hhmm to seconds. */
static int offset(struct scanner *s)
{
	int sign = *s->p++ == '-' ? -1 : 1;
	int hhmm = number(s, 4, 4, NULL);

	s->failed |= hhmm % 100 > 59;
	return sign * (hhmm / 100 * 3600 + hhmm % 100 * 60);
}

static int finish(const struct scanner *s, const struct calendar_time *t, int offset_s, int64_t *ret_s)
{
	if (s->failed || t->day < 1 || t->day > 31 || t->hour > 23 || t->minute > 59 || t->second > 60)
		return -EINVAL;
	*ret_s = calendar_to_seconds(t) - offset_s;
	return 0;
}

int date_parse_internal(const char *text, size_t len, int64_t *ret_s)
{
	struct scanner s = { text, text + len, false };
	struct calendar_time t = { 0 };
	int offset_s = 0;

	skip_blanks(&s);
	t.day = number(&s, 1, 2, NULL);
	expect(&s, '-');
	t.month = month(&s);
	expect(&s, '-');
	t.year = number(&s, 4, 4, NULL);
	expect(&s, ' ');
	skip_blanks(&s);
	t.hour = number(&s, 1, 2, NULL);
	expect(&s, ':');
	t.minute = number(&s, 2, 2, NULL);
	expect(&s, ':');
	t.second = number(&s, 2, 2, NULL);
	skip_blanks(&s);
	if (peek(&s) == '+' || peek(&s) == '-')
		offset_s = offset(&s);
	else
		s.failed = true;
	skip_blanks(&s);
	s.failed |= s.p < s.end;
	return finish(&s, &t, offset_s, ret_s);
}

/* Two digits: 1950 to 2049; three, of programs that wrote years since 1900 (RFC 5322 4.3). */
static int year(struct scanner *s)
{
	int digits;
	int value = number(s, 2, 4, &digits);

	if (digits == 2)
		return value + (value < 50 ? 2000 : 1900);
	return digits == 3 ? value + 1900 : value;
}

/* An offset or one of the old names; any other name tells nothing and is UTC (RFC 5322 4.3), as is none at all. */
static int zone(struct scanner *s)
{
	static const struct {
		char name[4];
		int hours;
	} names[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 },
		      { "MDT", -6 }, { "MST", -7 }, { "PDT", -7 }, { "PST", -8 } };

	if (peek(s) == '+' || peek(s) == '-')
		return offset(s);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (s->end - s->p >= 3 && !strncasecmp(s->p, names[i].name, 3))
			return names[i].hours * 3600;
	return 0;
}

/* A comment or a blank between any two tokens; what follows the zone is nobody's business. */
int date_parse_rfc5322(const char *text, size_t len, int64_t *ret_s)
{
	struct scanner s = { text, text + len, false };
	struct calendar_time t = { 0 };

	skip_comments(&s);
	while (is_letter(peek(&s)))
		s.p++;
	skip_comments(&s);
	take(&s, ',');
	skip_comments(&s);
	t.day = number(&s, 1, 2, NULL);
	skip_comments(&s);
	t.month = month(&s);
	skip_comments(&s);
	t.year = year(&s);
	skip_comments(&s);
	t.hour = number(&s, 1, 2, NULL);
	skip_comments(&s);
	expect(&s, ':');
	skip_comments(&s);
	t.minute = number(&s, 2, 2, NULL);
	skip_comments(&s);
	if (take(&s, ':')) {
		skip_comments(&s);
		t.second = number(&s, 2, 2, NULL);
		skip_comments(&s);
	}
	return finish(&s, &t, zone(&s), ret_s);
}

void date_format_internal(int64_t s, char out[DATE_INTERNAL_SIZE])
{
	struct calendar_time t = calendar_from_seconds(s);

	snprintf(out, DATE_INTERNAL_SIZE, "%02d-%s-%04d %02d:%02d:%02d +0000", t.day, months[t.month - 1], t.year, t.hour, t.minute,
		 t.second);
}

void date_format_rfc5322(int64_t s, char out[DATE_RFC5322_SIZE])
{
	time_t when = (time_t)(s = calendar_clamp(s));
	struct tm local = { 0 };
	struct calendar_time t;
	int minutes = localtime_r(&when, &local) ? (int)(local.tm_gmtoff / 60) : 0;

	t = calendar_from_seconds(s + minutes * 60);
	snprintf(out, DATE_RFC5322_SIZE, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d", weekdays[t.weekday], t.day,
		 months[t.month - 1], t.year, t.hour, t.minute, t.second, minutes < 0 ? '-' : '+', abs(minutes) / 60,
		 abs(minutes) % 60);
}
