/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "message/calendar.h"
#include "message/date.h"
#include "message/posix_zone.h"

#define ZONEINFO "/usr/share/zoneinfo/"

/* glibc knows one zone a process, TZ's; so the system's zone files (RFC 8536) are read here. */
struct date_zone {
	size_t n;	    /* transitions */
	int64_t *starts_s;  /* own; ascending */
	int32_t *offsets_s; /* own; n + 1: [0] before the first transition, [i + 1] from the i-th on */
	bool has_rule;	    /* for what comes after the last */
	struct posix_zone rule;
};

enum { HEADER_SIZE = 44, FILE_MAX_BYTES = 1 << 18, NAME_MAX_BYTES = 128 };

/* The counts of a TZif header, and the size of one of its times. */
struct block {
	uint32_t n_utc, n_standard, n_leaps, n_times, n_types, n_chars;
	size_t time_size;
};

static uint32_t big_endian_32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t size)
{
	if (size == 4)
		return (int32_t)big_endian_32(p);
	return (int64_t)((uint64_t)big_endian_32(p) << 32 | big_endian_32(p + 4));
}

/* The size of the data behind the header. */
static size_t block_size(const struct block *b)
{
	return b->n_times * (b->time_size + 1) + (size_t)b->n_types * 6 + b->n_chars + b->n_leaps * (b->time_size + 4) +
	       b->n_standard + b->n_utc;
}

static bool read_block(const unsigned char *p, size_t len, size_t time_size, struct block *ret)
{
	if (len < HEADER_SIZE || memcmp(p, "TZif", 4))
		return false;
	ret->n_utc = big_endian_32(p + 20);
	ret->n_standard = big_endian_32(p + 24);
	ret->n_leaps = big_endian_32(p + 28);
	ret->n_times = big_endian_32(p + 32);
	ret->n_types = big_endian_32(p + 36);
	ret->n_chars = big_endian_32(p + 40);
	ret->time_size = time_size;
	for (size_t i = 20; i < HEADER_SIZE; i += 4)
		if (big_endian_32(p + i) > FILE_MAX_BYTES)
			return false;
	return ret->n_types && block_size(ret) <= len - HEADER_SIZE;
}

static int read_transitions(const unsigned char *p, const struct block *b, struct date_zone *zone)
{
	const unsigned char *types = p + b->n_times * b->time_size;
	const unsigned char *infos = types + b->n_times;

	zone->n = b->n_times;
	zone->starts_s = calloc(zone->n + 1, sizeof *zone->starts_s);
	zone->offsets_s = calloc(zone->n + 1, sizeof *zone->offsets_s);
	if (!zone->starts_s || !zone->offsets_s)
		return -ENOMEM;
	zone->offsets_s[0] = (int32_t)big_endian_32(infos);
	for (size_t i = 0; i < zone->n; i++) {
		if (types[i] >= b->n_types)
			return -EINVAL;
		zone->starts_s[i] = read_time(p + i * b->time_size, b->time_size);
		zone->offsets_s[i + 1] = (int32_t)big_endian_32(infos + types[i] * 6);
	}
	return 0;
}

/* The footer: the rule between two line ends. An empty one: none. */
static int read_rule(const char *p, size_t len, struct date_zone *zone)
{
	char text[NAME_MAX_BYTES];
	const char *end = len > 1 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;

	if (!end || end - p > NAME_MAX_BYTES)
		return -EINVAL;
	memcpy(text, p + 1, (size_t)(end - p - 1));
	text[end - p - 1] = '\0';
	zone->has_rule = *text;
	return *text ? posix_zone_parse(text, &zone->rule) : 0;
}

/* Version 1 has 32-bit times; later ones repeat them in 64 bits behind that block. */
static int parse_file(const char *data, size_t len, struct date_zone *zone)
{
	const unsigned char *p = (const unsigned char *)data;
	struct block block;
	size_t skip;
	int r;

	if (!read_block(p, len, 4, &block))
		return -EINVAL;
	if (p[4] < '2')
		return read_transitions(p + HEADER_SIZE, &block, zone);
	skip = HEADER_SIZE + block_size(&block);
	if (!read_block(p + skip, len - skip, 8, &block))
		return -EINVAL;
	r = read_transitions(p + skip + HEADER_SIZE, &block, zone);
	if (r < 0)
		return r;
	skip += HEADER_SIZE + block_size(&block);
	return read_rule(data + skip, len - skip, zone);
}

static int read_file(const char *path, struct buf *out)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (buf_reserve(out, FILE_MAX_BYTES) < 0)
		return -ENOMEM;
	while ((n = read(fd, out->data + out->len, FILE_MAX_BYTES - out->len)) > 0)
		out->len += (size_t)n;
	return n < 0 ? -errno : 0;
}

/* No path that leaves the zones' directory: the name may come from another machine's state. */
static bool is_zone_name(const char *name)
{
	return *name && *name != '/' && !strstr(name, "..") && strlen(name) < NAME_MAX_BYTES;
}

static int load(const char *name, struct date_zone *zone)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	char path[sizeof ZONEINFO + NAME_MAX_BYTES];

	if (!strcmp(name, "UTC"))
		return 0;
	if (!is_zone_name(name))
		return -EINVAL;
	snprintf(path, sizeof path, ZONEINFO "%s", name);
	if (read_file(path, &file) == 0)
		return parse_file(file.data, file.len, zone);
	zone->has_rule = true;
	return posix_zone_parse(name, &zone->rule);
}

int date_zone_new(const char *name, struct date_zone **ret)
{
	struct date_zone *zone = calloc(1, sizeof *zone);
	int r;

	if (!zone)
		return -ENOMEM;
	r = load(name ? name : "UTC", zone);
	if (r < 0) {
		date_zone_free(zone);
		return r;
	}
	*ret = zone;
	return 0;
}

void date_zone_free(struct date_zone *zone)
{
	if (!zone)
		return;
	free(zone->starts_s);
	free(zone->offsets_s);
	free(zone);
}

/* Seconds east of Greenwich at `s`. */
static int offset_at(const struct date_zone *zone, int64_t s)
{
	size_t low = 0, high = zone->n;

	if (!zone->offsets_s || (zone->has_rule && (!zone->n || s >= zone->starts_s[zone->n - 1])))
		return zone->has_rule ? posix_zone_offset(&zone->rule, s) : 0;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s < zone->starts_s[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return zone->offsets_s[low];
}

void date_format_stamp(const struct date_zone *zone, int64_t s, char out[DATE_STAMP_SIZE])
{
	static const char form[] = "0000-00-00_0000";
	static const unsigned char places[] = { 0, 2, 5, 8, 11, 13 };
	struct calendar_time t;

	s = calendar_clamp(s);
	t = calendar_from_seconds(zone ? s + offset_at(zone, s) : s);
	memcpy(out, form, sizeof form);
	const int parts[] = { t.year / 100, t.year % 100, t.month, t.day, t.hour, t.minute };

	for (size_t i = 0; i < sizeof places; i++) {
		out[places[i]] = (char)('0' + parts[i] / 10);
		out[places[i] + 1] = (char)('0' + parts[i] % 10);
	}
}

static bool accept_name(const char *name, char *out, size_t size)
{
	struct date_zone *zone;
	const char *below = strstr(name, "/zoneinfo/");

	if (below)
		name = below + strlen("/zoneinfo/");
	if (strlen(name) >= size || date_zone_new(name, &zone) < 0)
		return false;
	date_zone_free(zone);
	strcpy(out, name);
	return true;
}

static bool accept_localtime_link(char *out, size_t size)
{
	char target[256];
	ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strstr(target, "/zoneinfo/") && accept_name(target, out, size);
}

static bool accept_timezone_file(char *out, size_t size)
{
	CLEANUP(buf) struct buf name = BUF_INIT;

	if (read_file("/etc/timezone", &name) < 0)
		return false;
	buf_truncate(&name, strcspn(buf_str(&name), " \t\r\n"));
	return accept_name(buf_str(&name), out, size);
}

/* In libc's order: /etc/timezone is Debian's note beside the link that counts. */
void date_zone_local_name(char *out, size_t size)
{
	const char *name = getenv("TZ");

	if (!size)
		return;
	if (name && accept_name(name + (*name == ':'), out, size))
		return;
	if (!name && (accept_localtime_link(out, size) || accept_timezone_file(out, size)))
		return;
	snprintf(out, size, "UTC");
}
