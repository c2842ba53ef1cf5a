/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_uidplus.h"

#include <stdlib.h>
#include <string.h>

#include "backend/imap_reply.h"
#include "base/cleanup.h"

static bool scan_uid(struct imap_scan *s, uint32_t *ret)
{
	uint64_t value;

	if (!imap_scan_number(s, &value) || !value || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/*
 * "304,319:320": UIDs in the order in which they are told, at most `max`. Unlike a set of messages to ask for this is a list: the
 * n-th of one belongs to the n-th of the other.
 */
static bool scan_uids(struct imap_scan *s, size_t max, uint32_t *ret, size_t *ret_n)
{
	uint32_t first, last;
	size_t n = 0;

	do {
		if (!scan_uid(s, &first))
			return false;
		last = first;
		if (imap_scan_char(s, ':') && !scan_uid(s, &last))
			return false;
		if (last < first || last - first >= max - n)
			return false;
		for (uint64_t uid = first; uid <= last; uid++)
			ret[n++] = (uint32_t)uid;
	} while (n < max && imap_scan_char(s, ','));
	*ret_n = n;
	return true;
}

/* UIDs are given to messages in ascending order (RFC 9051 section 2.3.1.1). */
static bool is_ascending(const uint32_t *uids, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (uids[i] <= uids[i - 1])
			return false;
	return true;
}

bool imap_uidplus_appended(struct imap_text text, size_t n, uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	CLEANUP(free) uint32_t *uids = reallocarray(NULL, n, sizeof(*uids));
	struct imap_scan s = imap_scan_text(text);
	uint32_t uidvalidity;
	size_t told;

	if (!uids || !scan_uid(&s, &uidvalidity) || !imap_scan_char(&s, ' ') || !scan_uids(&s, n, uids, &told) || s.at != s.end)
		return false;
	if (told != n || !is_ascending(uids, n))
		return false;
	*ret_uidvalidity = uidvalidity;
	memcpy(ret_uids, uids, n * sizeof(*uids));
	return true;
}

static int compare_uids(const void *a, const void *b)
{
	const uint32_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* Where in `asked` each of `from` stands, each of them once. */
static bool find_all(const uint32_t *asked, size_t n, uint32_t *from, size_t n_from, size_t *ret_places)
{
	CLEANUP(free) bool *seen = calloc(n, sizeof(*seen));

	for (size_t i = 0; seen && i < n_from; i++) {
		const uint32_t *found = bsearch(&from[i], asked, n, sizeof(*asked), compare_uids);

		if (!found || seen[found - asked])
			return false;
		ret_places[i] = (size_t)(found - asked);
		seen[ret_places[i]] = true;
	}
	return seen != NULL;
}

bool imap_uidplus_copied(struct imap_text text, const uint32_t *asked, size_t n, uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	CLEANUP(free) uint32_t *from = reallocarray(NULL, n, sizeof(*from)), *to = reallocarray(NULL, n, sizeof(*to));
	CLEANUP(free) size_t *places = reallocarray(NULL, n, sizeof(*places));
	struct imap_scan s = imap_scan_text(text);
	uint32_t uidvalidity;
	size_t n_from, n_to;

	if (!from || !to || !places || !scan_uid(&s, &uidvalidity) || !imap_scan_char(&s, ' '))
		return false;
	if (!scan_uids(&s, n, from, &n_from) || !imap_scan_char(&s, ' ') || !scan_uids(&s, n, to, &n_to) || s.at != s.end)
		return false;
	if (n_from != n_to || !is_ascending(to, n_to) || !find_all(asked, n, from, n_from, places))
		return false;
	*ret_uidvalidity = uidvalidity;
	for (size_t i = 0; i < n_to; i++)
		ret_uids[places[i]] = to[i];
	return true;
}
