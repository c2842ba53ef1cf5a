/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dates: IMAP's INTERNALDATE (RFC 9051 date-time), RFC 5322 Date, and the stamp in a file name. Pure.
 */
#ifndef MAILFS_DATE_H
#define MAILFS_DATE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* "17-Jul-1996 02:44:25 -0700" to seconds since 1970 UTC; -EINVAL. */
int date_parse_internal(const char *text, size_t len, int64_t *ret_s);

/* RFC 5322 3.3 with obsolete forms; -EINVAL. */
int date_parse_rfc5322(const char *text, size_t len, int64_t *ret_s);

enum { DATE_INTERNAL_SIZE = 27, DATE_RFC5322_SIZE = 40, DATE_STAMP_SIZE = 20 };

/* UTC, "+0000". */
void date_format_internal(int64_t s, char out[DATE_INTERNAL_SIZE]);
/* With the process's local zone offset. */
void date_format_rfc5322(int64_t s, char out[DATE_RFC5322_SIZE]);

/* A time zone by name ("Europe/Berlin", "UTC"), independent of TZ and of the process. NULL name: UTC. date_zone_new: -EINVAL when
 * the system does not know it. Reading one is thread-safe. */
struct date_zone;
int date_zone_new(const char *name, struct date_zone **ret);
void date_zone_free(struct date_zone *zone);
/* The system's own zone name (TZ, /etc/timezone, /etc/localtime's target), "UTC" when unknown. out of `size` bytes. */
void date_zone_local_name(char *out, size_t size);
/* "2026-04-14_0930" in `zone`. Years outside 0..9999 are clamped. */
void date_format_stamp(const struct date_zone *zone, int64_t s, char out[DATE_STAMP_SIZE]);

#endif
