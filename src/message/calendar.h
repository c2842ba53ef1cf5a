/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Gregorian calendar without time zones or leap seconds: seconds since 1970 to years, months and days, and back. Pure.
 */
#ifndef MAILFS_CALENDAR_H
#define MAILFS_CALENDAR_H

#include <stdint.h>

struct calendar_time {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
	int weekday; /* 0: Sunday; calendar_to_seconds() does not look at it */
	int yearday; /* from 0; likewise */
};

/* The nearest second within the years 0 to 9999. */
int64_t calendar_clamp(int64_t s);

/* Of the clamped second. */
struct calendar_time calendar_from_seconds(int64_t s);

/* A day past its month's end counts on into the next. */
int64_t calendar_to_seconds(const struct calendar_time *t);

/* Days since 1970 of the first day of `month`. */
int64_t calendar_month_start(int year, int month);

int calendar_days_in_month(int year, int month);

#endif
