/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule of a time zone as POSIX writes it ("CET-1CEST,M3.5.0,M10.5.0/3"), which a zone file ends with for the years to come.
 * Pure; no memory of its own.
 */
#ifndef MAILFS_POSIX_ZONE_H
#define MAILFS_POSIX_ZONE_H

#include <stdbool.h>
#include <stdint.h>

struct posix_change {
	char kind; /* 'J': day 1 to 365 without 29 February; 'N': day 0 to 365; 'M': month, week, weekday */
	int month, week, day;
	int time_s; /* of local time; may be negative or over a day */
};

struct posix_zone {
	int standard_s, daylight_s; /* east of Greenwich */
	bool has_daylight;
	struct posix_change start, end; /* of daylight saving time */
};

/* -EINVAL when `text` is no such rule. */
int posix_zone_parse(const char *text, struct posix_zone *ret);

/* Seconds east of Greenwich at `s` seconds since 1970 UTC. */
int posix_zone_offset(const struct posix_zone *zone, int64_t s);

#endif
