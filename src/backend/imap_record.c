/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_record.h"

#include <errno.h>
#include <string.h>

/* Bytes of APPENDUID and COPYUID that are kept: those of one command are far fewer. */
enum { UIDPLUS_MAX = 256 * 1024 };

void imap_record_init(struct imap_record *r, void (*alert)(void *userdata, const char *text), void *userdata)
{
	*r = (struct imap_record){ .status = STATUS_NONE, .alert = alert, .userdata = userdata };
}

void imap_record_release(struct imap_record *r)
{
	buf_release(&r->permanent_flags);
	buf_release(&r->text);
	buf_release(&r->uidplus);
	buf_release(&r->capabilities);
	buf_release(&r->bye);
}

void imap_record_select(struct imap_record *r)
{
	r->exists = r->uidvalidity = r->uidnext = r->expunged = 0;
	r->highestmodseq = 0;
	r->has_exists = r->read_only = r->has_permanent_flags = false;
}

static void record_capabilities(struct imap_record *r, struct imap_text list)
{
	buf_truncate(&r->capabilities, 0);
	buf_append_char(&r->capabilities, ' ');
	buf_append(&r->capabilities, list.data, list.len);
	buf_append_char(&r->capabilities, ' ');
	r->told++;
}

static void record_u32(struct imap_text text, uint32_t *ret)
{
	struct imap_scan s = imap_scan_text(text);
	uint64_t value;

	if (imap_scan_number(&s, &value) && value <= UINT32_MAX)
		*ret = (uint32_t)value;
}

static void record_uidplus(struct imap_record *r, struct imap_text text)
{
	if (r->uidplus.len > UIDPLUS_MAX)
		return;
	buf_append(&r->uidplus, text.data, text.len);
	buf_append_char(&r->uidplus, '\n');
}

/* PERMANENTFLAGS (\Seen $x \*), RFC 9051 section 7.1. */
static void record_permanent_flags(struct imap_record *r, struct imap_text text)
{
	if (text.len < 2 || text.data[0] != '(' || text.data[text.len - 1] != ')')
		return;
	buf_truncate(&r->permanent_flags, 0);
	r->has_permanent_flags = buf_append(&r->permanent_flags, text.data + 1, text.len - 2) == 0;
}

static void record_alert(struct imap_record *r, struct imap_text text)
{
	CLEANUP(buf) struct buf shown = BUF_INIT;

	if (!r->alert)
		return;
	imap_text_show(text, &shown);
	r->alert(r->userdata, buf_str(&shown));
}

static void record_code(struct imap_record *r, const struct imap_condition *c)
{
	uint64_t modseq;

	if (imap_text_is(c->code, "ALERT"))
		record_alert(r, c->text);
	else if (imap_text_is(c->code, "CAPABILITY"))
		record_capabilities(r, c->arguments);
	else if (imap_text_is(c->code, "UIDVALIDITY"))
		record_u32(c->arguments, &r->uidvalidity);
	else if (imap_text_is(c->code, "UIDNEXT"))
		record_u32(c->arguments, &r->uidnext);
	else if (imap_text_is(c->code, "READ-ONLY"))
		r->read_only = true;
	else if (imap_text_is(c->code, "READ-WRITE"))
		r->read_only = false;
	else if (imap_text_is(c->code, "PERMANENTFLAGS"))
		record_permanent_flags(r, c->arguments);
	else if (imap_text_is(c->code, "APPENDUID") || imap_text_is(c->code, "COPYUID"))
		record_uidplus(r, c->arguments);
	else if (imap_text_is(c->code, "HIGHESTMODSEQ")) {
		struct imap_scan s = imap_scan_text(c->arguments);

		if (imap_scan_number(&s, &modseq))
			r->highestmodseq = modseq;
	} else if (imap_text_is(c->code, "NOMODSEQ"))
		r->highestmodseq = 0;
}

static void record_tagged(struct imap_record *r, const struct imap_condition *c)
{
	r->status = c->status;
	r->has_code = c->code.len > 0;
	r->auth_failed = imap_text_is(c->code, "AUTHENTICATIONFAILED") || imap_text_is(c->code, "AUTHORIZATIONFAILED") ||
			 imap_text_is(c->code, "EXPIRED");
	r->use_attr = imap_text_is(c->code, "USEATTR");
	r->error = c->status == STATUS_OK ? 0 : imap_code_errno(c->code);
	buf_truncate(&r->text, 0);
	imap_text_show(c->text, &r->text);
}

/* VANISHED 1,3:5 (RFC 7162): how many. */
static uint32_t vanished_count(struct imap_text set)
{
	struct imap_scan s = imap_scan_text(set);
	uint64_t first, last, count = 0;

	while (imap_scan_number(&s, &first)) {
		last = first;
		if (imap_scan_char(&s, ':') && !imap_scan_number(&s, &last))
			break;
		if (last >= first && last <= UINT32_MAX)
			count += last - first + 1;
		if (!imap_scan_char(&s, ','))
			break;
	}
	return count <= UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static void record_gone(struct imap_record *r, uint32_t n)
{
	r->expunged += n;
	r->exists -= n < r->exists ? n : r->exists;
}

static void record_data(struct imap_record *r, const struct imap_response *response)
{
	if (imap_text_is(response->word, "EXISTS")) {
		r->exists = response->number;
		r->has_exists = true;
	} else if (imap_text_is(response->word, "EXPUNGE")) {
		record_gone(r, 1);
	} else if (imap_text_is(response->word, "VANISHED")) {
		if (response->rest.len && response->rest.data[0] != '(')
			record_gone(r, vanished_count(response->rest));
	} else if (imap_text_is(response->word, "CAPABILITY")) {
		record_capabilities(r, response->rest);
	}
}

void imap_record_note(struct imap_record *r, const struct imap_response *response)
{
	struct imap_condition c;

	if (response->kind == RESPONSE_CONTINUATION)
		return;
	imap_condition_read(response, &c);
	if (c.status == STATUS_NONE) {
		record_data(r, response);
		return;
	}
	record_code(r, &c);
	if (response->kind == RESPONSE_TAGGED)
		record_tagged(r, &c);
	if (c.status == STATUS_BYE && response->kind == RESPONSE_UNTAGGED) {
		buf_truncate(&r->bye, 0);
		imap_text_show(c.text, &r->bye);
	}
}
