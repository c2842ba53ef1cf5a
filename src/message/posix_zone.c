/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/posix_zone.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "message/calendar.h"

#define HOUR_S 3600
#define DAY_S 86400

/* What a zone that names no dates has: the United States' (as in every implementation since POSIX left it open). */
static const char default_changes[] = ",M3.2.0,M11.1.0";

static bool skip_name(const char **p)
{
	size_t len;

	if (**p == '<') {
		len = strcspn(*p, ">");
		if (!(*p)[len])
			return false;
		*p += len + 1;
		return len > 1;
	}
	for (len = 0; isalpha((unsigned char)(*p)[len]);)
		len++;
	*p += len;
	return len >= 3;
}

static bool number(const char **p, int max, int *ret)
{
	int value = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p) && value <= max; ++*p)
		value = value * 10 + (**p - '0');
	*ret = value;
	return value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool duration(const char **p, int *ret_s)
{
	int sign = **p == '-' ? -1 : 1;
	int hours, minutes = 0, seconds = 0;

	*p += **p == '-' || **p == '+';
	if (!number(p, 167, &hours))
		return false;
	if (**p == ':' && (++*p, !number(p, 59, &minutes)))
		return false;
	if (**p == ':' && (++*p, !number(p, 59, &seconds)))
		return false;
	*ret_s = sign * (hours * HOUR_S + minutes * 60 + seconds);
	return true;
}

static bool literal(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

static bool change_date(const char **p, struct posix_change *c)
{
	if (literal(p, 'J')) {
		c->kind = 'J';
		return number(p, 365, &c->day) && c->day >= 1;
	}
	if (literal(p, 'M')) {
		c->kind = 'M';
		return number(p, 12, &c->month) && c->month >= 1 && literal(p, '.') && number(p, 5, &c->week) && c->week >= 1 &&
		       literal(p, '.') && number(p, 6, &c->day);
	}
	c->kind = 'N';
	return number(p, 365, &c->day);
}

static bool change(const char **p, struct posix_change *c)
{
	c->time_s = 2 * HOUR_S;
	if (!literal(p, ',') || !change_date(p, c))
		return false;
	return !literal(p, '/') || duration(p, &c->time_s);
}

static bool parse(const char *p, struct posix_zone *z)
{
	int west_s;

	if (!skip_name(&p) || !duration(&p, &west_s))
		return false;
	z->standard_s = -west_s;
	z->has_daylight = *p;
	if (!*p)
		return true;
	if (!skip_name(&p))
		return false;
	z->daylight_s = z->standard_s + HOUR_S;
	if (*p && *p != ',') {
		if (!duration(&p, &west_s))
			return false;
		z->daylight_s = -west_s;
	}
	if (!*p)
		p = default_changes;
	return change(&p, &z->start) && change(&p, &z->end) && !*p;
}

int posix_zone_parse(const char *text, struct posix_zone *ret)
{
	struct posix_zone zone = { 0 };

	if (!parse(text, &zone))
		return -EINVAL;
	*ret = zone;
	return 0;
}

static bool is_leap(int year)
{
	return calendar_days_in_month(year, 2) == 29;
}

/* The change's day in `year`, in days since 1970. Week 5 is the month's last. */
static int64_t change_day(const struct posix_change *c, int year)
{
	int64_t first;
	int day, weekday;

	if (c->kind == 'N')
		return calendar_month_start(year, 1) + c->day;
	if (c->kind == 'J')
		return calendar_month_start(year, 1) + c->day - 1 + (is_leap(year) && c->day >= 60);
	first = calendar_month_start(year, c->month);
	weekday = (int)(((first + 4) % 7 + 7) % 7);
	day = (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
	if (day >= calendar_days_in_month(year, c->month))
		day -= 7;
	return first + day;
}

int posix_zone_offset(const struct posix_zone *zone, int64_t s)
{
	int64_t start, end;
	bool daylight;
	int year;

	if (!zone->has_daylight)
		return zone->standard_s;
	year = calendar_from_seconds(s + zone->standard_s).year;
	start = change_day(&zone->start, year) * DAY_S + zone->start.time_s - zone->standard_s;
	end = change_day(&zone->end, year) * DAY_S + zone->end.time_s - zone->daylight_s;
	daylight = start < end ? s >= start && s < end : !(s >= end && s < start);
	return daylight ? zone->daylight_s : zone->standard_s;
}
