/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dates: IMAP's INTERNALDATE (RFC 9051 date-time), RFC 5322 Date, and the stamp in a file name. Pure, but for
 * date_zone_new() and date_zone_local_name(), which read the system's zone files.
 */
#ifndef MAILFS_DATE_H
#define MAILFS_DATE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "17-Jul-1996 02:44:25 -0700" to seconds since 1970 UTC; -EINVAL. */
int date_parse_internal(const char *text, size_t len, int64_t *ret_s);

/* RFC 5322 3.3 with obsolete forms, unknown zones as UTC; -EINVAL. */
int date_parse_rfc5322(const char *text, size_t len, int64_t *ret_s);

enum { DATE_INTERNAL_SIZE = 27, DATE_RFC5322_SIZE = 40, DATE_STAMP_SIZE = 20 };

/* UTC, "+0000". */
void date_format_internal(int64_t s, char out[DATE_INTERNAL_SIZE]);
/* With the process's local zone offset. */
void date_format_rfc5322(int64_t s, char out[DATE_RFC5322_SIZE]);

/* A time zone by name ("Europe/Berlin", "UTC") or POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3"), independent of TZ and of the process. NULL
 * name: UTC, which like a rule needs no zone files. -EINVAL when the system does not know it, or -ENOMEM. Constant once made; any thread.
 */
struct date_zone;
int date_zone_new(const char *name, struct date_zone **ret);
void date_zone_free(struct date_zone *zone);
/* The system's own zone name (TZ, else /etc/localtime's target, else /etc/timezone), "UTC" when unknown. out of `size` bytes. */
void date_zone_local_name(char *out, size_t size);
/* "2026-04-14_0930" in `zone` (NULL: UTC). Years outside 0..9999 are clamped. */
void date_format_stamp(const struct date_zone *zone, int64_t s, char out[DATE_STAMP_SIZE]);

#endif
