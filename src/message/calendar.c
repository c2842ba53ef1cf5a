/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/calendar.h"

#include <stdbool.h>

#define DAY_S 86400
#define YEAR_0_S INT64_C(-62167219200)
#define YEAR_10000_S INT64_C(253402300800)

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int calendar_days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Counts from 1 March of year 0, so that the leap day is a year's last: 400 years are 146,097 days, five months 153. */
int64_t calendar_month_start(int year, int month)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t calendar_to_seconds(const struct calendar_time *t)
{
	int64_t days = calendar_month_start(t->year, t->month) + t->day - 1;

	return days * DAY_S + t->hour * 3600 + t->minute * 60 + t->second;
}

int64_t calendar_clamp(int64_t s)
{
	return s < YEAR_0_S ? YEAR_0_S : s >= YEAR_10000_S ? YEAR_10000_S - 1 : s;
}

struct calendar_time calendar_from_seconds(int64_t s)
{
	struct calendar_time t;
	int64_t days, era, day_of_era, year_of_era, day_of_year, month;
	int rest;

	s = calendar_clamp(s);
	days = (s - YEAR_0_S) / DAY_S - 719528;
	rest = (int)((s - YEAR_0_S) % DAY_S);
	era = (days + 719468 + 146097) / 146097 - 1;
	day_of_era = days + 719468 - era * 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	t.day = (int)(day_of_year - (153 * month + 2) / 5) + 1;
	t.month = (int)(month < 10 ? month + 3 : month - 9);
	t.year = (int)(year_of_era + era * 400) + (t.month <= 2);
	t.hour = rest / 3600;
	t.minute = rest / 60 % 60;
	t.second = rest % 60;
	t.weekday = (int)((days + 719528 + 6) % 7);
	t.yearday = (int)(days - calendar_month_start(t.year, 1));
	return t;
}
