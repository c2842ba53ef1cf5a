/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/uid_set.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { UID_LIST_COUNT = 1000, UID_LIST_BYTES = 900 };

void uid_set_release(struct uid_set *set)
{
	free(set->ranges);
	*set = (struct uid_set){ NULL, 0, 0 };
}

static int set_room(struct uid_set *set)
{
	size_t cap = set->cap ? set->cap * 2 : 16;
	struct uid_range *ranges;

	if (set->n < set->cap)
		return 0;
	ranges = realloc(set->ranges, cap * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	set->ranges = ranges;
	set->cap = cap;
	return 0;
}

/* The first range that ends at or behind `uid`. */
static size_t set_find(const struct uid_set *set, uint32_t uid)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int uid_set_add(struct uid_set *set, uint32_t first, uint32_t last)
{
	size_t at, end;
	int r;

	if (!first || first > last)
		return -EINVAL;
	at = set_find(set, first - 1); /* first - 1 also joins a neighbour */
	for (end = at; end < set->n && set->ranges[end].first - 1 <= last; end++)
		;
	if (end > at) {
		if (set->ranges[at].first < first)
			first = set->ranges[at].first;
		if (set->ranges[end - 1].last > last)
			last = set->ranges[end - 1].last;
	} else {
		r = set_room(set);
		if (r < 0)
			return r;
		end = at;
	}
	/* [at, end) gives way to one range. */
	memmove(set->ranges + at + 1, set->ranges + end, (set->n - end) * sizeof(*set->ranges));
	set->n = set->n - (end - at) + 1;
	set->ranges[at] = (struct uid_range){ first, last };
	return 0;
}

bool uid_set_has(const struct uid_set *set, uint32_t uid)
{
	size_t at = set_find(set, uid);

	return at < set->n && set->ranges[at].first <= uid;
}

uint64_t uid_set_count(const struct uid_set *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	return count;
}

void uid_set_clip(struct uid_set *set, uint32_t first, uint32_t last)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct uid_range r = set->ranges[i];

		if (r.first < first)
			r.first = first;
		if (r.last > last)
			r.last = last;
		if (r.first <= r.last)
			set->ranges[n++] = r;
	}
	set->n = n;
}

static bool parse_number(const char **at, const char *end, uint32_t *ret)
{
	uint64_t value = 0;
	const char *first = *at;

	for (; *at < end && isdigit((unsigned char)**at) && value <= UINT32_MAX; (*at)++)
		value = value * 10 + (uint64_t)(**at - '0');
	*ret = (uint32_t)value;
	return *at > first && value && value <= UINT32_MAX;
}

static bool parse_range(const char **at, const char *end, struct uid_range *ret)
{
	uint32_t swap;

	if (!parse_number(at, end, &ret->first))
		return false;
	ret->last = ret->first;
	if (*at < end && **at == ':') {
		(*at)++;
		if (!parse_number(at, end, &ret->last))
			return false;
	}
	if (ret->first > ret->last) {
		swap = ret->first;
		ret->first = ret->last;
		ret->last = swap;
	}
	return *at == end || **at == ',' || **at == ' ';
}

static int compare_ranges(const void *a, const void *b)
{
	const struct uid_range *one = a, *other = b;

	return (one->first > other->first) - (one->first < other->first);
}

/* Brings ranges in any order into that of a set. */
static void set_normalise(struct uid_set *set)
{
	size_t n = 0;

	qsort(set->ranges, set->n, sizeof(*set->ranges), compare_ranges);
	for (size_t i = 0; i < set->n; i++) {
		struct uid_range *last = n ? &set->ranges[n - 1] : NULL;

		if (!last || set->ranges[i].first - 1 > last->last)
			set->ranges[n++] = set->ranges[i];
		else if (set->ranges[i].last > last->last)
			last->last = set->ranges[i].last;
	}
	set->n = n;
}

/* Adds to the end; *sorted becomes false where that was not its place. */
static int set_append(struct uid_set *set, struct uid_range range, bool *sorted)
{
	struct uid_range *last = set->n ? &set->ranges[set->n - 1] : NULL;
	int r;

	if (last && range.first == last->last + 1) {
		last->last = range.last;
		return 0;
	}
	if (last && range.first <= last->last)
		*sorted = false;
	r = set_room(set);
	if (r == 0)
		set->ranges[set->n++] = range;
	return r;
}

int uid_set_parse(struct uid_set *set, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	struct uid_range range;
	bool sorted = true;
	int r = 0;

	while (r == 0) {
		while (at < end && (*at == ' ' || *at == ','))
			at++;
		if (at == end)
			break;
		r = parse_range(&at, end, &range) ? set_append(set, range, &sorted) : -EPROTO;
	}
	if (!sorted)
		set_normalise(set);
	return r;
}

uint32_t uid_set_span(const struct uid_set *set, uint32_t first, uint32_t count, uint32_t *ret_last)
{
	uint32_t held = 0, from, width;

	*ret_last = first;
	for (size_t i = set_find(set, first); i < set->n && held < count; i++) {
		from = set->ranges[i].first > first ? set->ranges[i].first : first;
		width = set->ranges[i].last - from;
		if (width >= count - held)
			width = count - held - 1;
		held += width + 1;
		*ret_last = from + width;
	}
	return held;
}

int uid_set_members(const struct uid_set *set, size_t most, uint32_t **ret, size_t *ret_n)
{
	size_t count = (size_t)uid_set_count(set), n = 0;
	uint32_t *uids;

	if (count > most)
		return -EPROTO;
	uids = reallocarray(NULL, count ? count : 1, sizeof(*uids));
	if (!uids)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++)
		for (uint64_t uid = set->ranges[i].first; uid <= set->ranges[i].last; uid++)
			uids[n++] = (uint32_t)uid;
	*ret = uids;
	*ret_n = n;
	return 0;
}

int uid_list_format(const uint32_t *uids, size_t n, size_t *at, struct buf *out)
{
	size_t before = out->len, end = n - *at > UID_LIST_COUNT ? *at + UID_LIST_COUNT : n, last;
	int r = 0;

	while (r == 0 && *at < end && out->len - before < UID_LIST_BYTES) {
		for (last = *at; last + 1 < end && uids[last + 1] == uids[last] + 1; last++)
			;
		r = buf_printf(out, last > *at ? "%s%u:%u" : "%s%u", out->len > before ? "," : "", uids[*at], uids[last]);
		*at = last + 1;
	}
	return r;
}

int uid_set_format(const struct uid_set *set, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		const struct uid_range *range = &set->ranges[i];

		r = buf_printf(out, range->first == range->last ? "%s%u" : "%s%u:%u", i ? "," : "", range->first, range->last);
	}
	return r;
}
