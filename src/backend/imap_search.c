/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "backend/imap_command.h"
#include "backend/imap_items.h"
#include "backend/imap_select.h"
#include "message/header.h"

/*
 * A search for one Message-ID finds one message, or a few copies. A server that finds everything is asked about so many of the
 * newest.
 */
enum { SEARCH_HITS_MAX = 200, UIDS_MAX = 1 << 24 };

/* More than a folder holds, and few enough to walk through. */
enum { SEARCH_UIDS_MAX = 50 * 1000 * 1000 };

struct search {
	struct uid_set *uids;
	bool answered;
};

/* (TAG "5") UID ALL 1:5,9 — the pairs may come in any order. */
static int search_extended(struct search *search, struct imap_text rest)
{
	struct imap_scan s = imap_scan_text(rest);
	struct imap_text word;

	if (imap_scan_char(&s, '(')) {
		s = imap_scan_text(rest);
		if (!imap_scan_skip(&s))
			return -EPROTO;
		imap_scan_char(&s, ' ');
	}
	search->answered = true;
	while (imap_scan_atom(&s, &word)) {
		imap_scan_char(&s, ' ');
		if (imap_text_is(word, "UID"))
			continue;
		if (!imap_text_is(word, "ALL")) {
			if (!imap_scan_skip(&s))
				return -EPROTO;
		} else if (!imap_scan_atom(&s, &word) || uid_set_parse(search->uids, word.data, word.len) < 0) {
			return -EPROTO;
		}
		imap_scan_char(&s, ' ');
	}
	return 0;
}

static int search_untagged(void *userdata, const struct imap_response *response)
{
	struct search *search = userdata;
	size_t len = response->rest.len;
	const char *modseq;

	if (imap_text_is(response->word, "ESEARCH"))
		return search_extended(search, response->rest);
	if (!imap_text_is(response->word, "SEARCH"))
		return 0;
	search->answered = true;
	modseq = memchr(response->rest.data, '(', len); /* (MODSEQ n), RFC 7162 */
	if (modseq)
		len = (size_t)(modseq - response->rest.data);
	return uid_set_parse(search->uids, response->rest.data, len);
}

static int each_uid(void *userdata, const struct imap_items *items)
{
	return items->uid ? uid_set_add(userdata, items->uid, items->uid) : 0;
}

/* For servers whose SEARCH fails: longer, but FETCH works everywhere. */
static int search_by_fetch(struct imap_session *s, const char *range, struct uid_set *ret)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	uid_set_release(ret);
	imap_command_init(&c, s, "UID FETCH %s (UID)\r\n", range);
	r = imap_command_send(&c, NULL, NULL, NULL);
	if (r == 0)
		r = imap_items_await(s, s->tag, each_uid, ret);
	return r == 0 ? imap_command_result(s, "cannot list the messages") : r;
}

int imap_search_uids(struct imap_session *s, uint32_t first, uint32_t last, struct uid_set *ret)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct search search = { .uids = ret };
	char range[32];
	int r;

	if (last == UINT32_MAX)
		snprintf(range, sizeof(range), "%u:*", first);
	else
		snprintf(range, sizeof(range), "%u:%u", first, last);
	imap_command_init(&c, s, "UID SEARCH %sUID %s", s->capabilities & CAP_ESEARCH ? "RETURN (ALL) " : "", range);
	r = imap_command_run(&c, search_untagged, &search, "cannot list the messages");
	if (r < 0 && s->base.broken)
		return r;
	if (r < 0 || !search.answered)
		r = search_by_fetch(s, range, ret);
	/* n:* means at least the last message (RFC 9051 section 9, seq-range); and some answer with all there is. */
	uid_set_clip(ret, first, last);
	if (r == 0 && uid_set_count(ret) > SEARCH_UIDS_MAX)
		return imap_session_fail(s, -EPROTO, "the server lists %llu messages", (unsigned long long)uid_set_count(ret));
	return r;
}

/* ------------------------------------------------------------ by Message-ID */

struct hits {
	const char *field, *message_id;
	struct uid_set found;
};

/* 1, 0, -errno. */
static int is_hit(const struct hits *hits, const struct header_field *field)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	int r;

	if (field->name_len != strlen(hits->field) || strncasecmp(field->name, hits->field, field->name_len))
		return 0;
	r = header_unfold(field, &value);
	return r < 0 ? r : !strcmp(buf_str(&value), hits->message_id);
}

/* A message that was resent several times has as many Resent-Message-IDs. */
static int verify_hit(void *userdata, const struct imap_items *items)
{
	struct hits *hits = userdata;
	struct header_field field;
	size_t offset = 0;
	int r = 0;

	if (!items->uid || !items->body.data)
		return 0;
	while (!r && header_next(items->body.data, items->body.len, &offset, &field))
		r = is_hit(hits, &field);
	return r > 0 ? uid_set_add(&hits->found, items->uid, items->uid) : r;
}

static int search_verify(struct imap_session *s, const struct uid_set *candidates, struct hits *hits)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	CLEANUP(buf) struct buf set = BUF_INIT;
	int r;

	r = uid_set_format(candidates, &set);
	if (r < 0)
		return r;
	imap_command_init(&c, s, "UID FETCH ");
	buf_append_str(&c.text, buf_str(&set));
	imap_command_add(&c, " (UID BODY.PEEK[HEADER.FIELDS (%s)]<0.2048>)\r\n", hits->field);
	r = imap_command_send(&c, NULL, NULL, NULL);
	if (r == 0)
		r = imap_items_await(s, s->tag, verify_hit, hits);
	return r == 0 ? imap_command_result(s, "cannot read the Message-ID") : r;
}

/* The UID from which on the set has at most `count` members. */
static uint32_t set_newest(const struct uid_set *set, uint32_t count)
{
	for (size_t i = set->n; i-- > 0;) {
		uint32_t width = set->ranges[i].last - set->ranges[i].first;

		if (width >= count)
			return set->ranges[i].last - count + 1;
		count -= width + 1;
		if (!count)
			return set->ranges[i].first;
	}
	return 1;
}

static int search_candidates(struct imap_session *s, const struct hits *hits, struct uid_set *ret)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	struct search search = { .uids = ret };
	int r;

	imap_command_init(&c, s, "UID SEARCH %sHEADER %s ", s->capabilities & CAP_ESEARCH ? "RETURN (ALL) " : "", hits->field);
	imap_command_string(&c, hits->message_id);
	r = imap_command_run(&c, search_untagged, &search, "cannot search the folder");
	if (r < 0)
		return r;
	uid_set_clip(ret, set_newest(ret, SEARCH_HITS_MAX), UINT32_MAX);
	return 0;
}

int imap_search_message_id(struct backend *b, const char *folder, const char *field, const char *message_id, uint32_t **ret_uids,
			   size_t *ret_n)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(uid_set) struct uid_set candidates = { 0 };
	struct hits hits = { .field = field, .message_id = message_id };
	bool fresh;
	int r;

	r = imap_select(s, folder, 0, &fresh);
	if (r == 0 && !fresh)
		r = imap_session_noop(b); /* so that what came meanwhile is seen */
	if (r == 0)
		r = search_candidates(s, &hits, &candidates);
	if (r == 0 && candidates.n)
		r = search_verify(s, &candidates, &hits);
	if (r == 0)
		r = uid_set_members(&hits.found, SEARCH_HITS_MAX, ret_uids, ret_n);
	uid_set_release(&hits.found);
	return r;
}

/* ------------------------------------------------------------ what exists */

int imap_uids_from(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids, size_t *ret_n)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(uid_set) struct uid_set uids = { 0 };
	bool fresh;
	int r;

	r = imap_select(s, folder, uidvalidity, &fresh);
	if (r == 0 && !fresh)
		r = imap_session_noop(b);
	if (r == 0 && s->record.exists)
		r = imap_search_uids(s, first ? first : 1, UINT32_MAX, &uids);
	if (r == 0)
		r = uid_set_members(&uids, s->record.exists < UIDS_MAX ? s->record.exists : UIDS_MAX, ret_uids, ret_n);
	return r == -EPROTO && !b->broken ? imap_session_fail(s, r, "the server found more messages than the folder has") : r;
}
