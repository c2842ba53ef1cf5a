/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool imap_text_is(struct imap_text text, const char *word)
{
	return text.len == strlen(word) && !strncasecmp(text.data, word, text.len);
}

/* ------------------------------------------------------------ while it is gathered */

bool imap_response_is_long(const char *text, size_t len)
{
	static const char *const words[] = { "SEARCH ", "ESEARCH ", "VANISHED ", "CAPABILITY " };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (len >= n + 2 && !strncasecmp(text + 2, words[i], n))
			return true;
	}
	return false;
}

bool imap_response_may_have_literals(const char *line, size_t len)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
	size_t i;

	if (len < 3 || line[0] != '*' || line[1] != ' ')
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (len > n + 2 && !strncasecmp(line + 2, words[i], n) && isspace((unsigned char)line[2 + n]))
			return false;
	}
	return true;
}

bool imap_response_literal(const char *line, size_t len, int64_t *ret_size, size_t *ret_brace)
{
	size_t at = len;
	int64_t size = 0, factor = 1;

	if (at && line[at - 1] == '\n')
		at--;
	if (at && line[at - 1] == '\r')
		at--;
	if (at < 3 || line[at - 1] != '}' || !isdigit((unsigned char)line[at - 2]))
		return false;
	for (at -= 2; isdigit((unsigned char)line[at]); at--) {
		if (factor > INT64_C(1000000000000) && line[at] != '0')
			size = INT64_MAX;
		if (size < INT64_MAX && factor <= INT64_C(1000000000000))
			size += (line[at] - '0') * factor;
		if (factor <= INT64_C(1000000000000))
			factor *= 10;
		if (!at)
			return false;
	}
	if (line[at] != '{')
		return false;
	*ret_size = size;
	*ret_brace = at;
	return true;
}

bool imap_response_is_body(const char *text, size_t len, int64_t *ret_origin)
{
	int64_t factor = 1;

	*ret_origin = -1;
	if (len && text[len - 1] == '~')
		len--;
	if (!len || text[--len] != ' ')
		return false;
	if (len && text[len - 1] == '>') {
		*ret_origin = 0;
		for (len--; len && isdigit((unsigned char)text[len - 1]) && factor < INT64_MAX / 100; len--, factor *= 10)
			*ret_origin += (text[len - 1] - '0') * factor;
		if (!len || text[--len] != '<')
			return false;
	}
	return len >= 7 && !strncasecmp(text + len - 6, "BODY[]", 6) && (text[len - 7] == ' ' || text[len - 7] == '(');
}

uint32_t imap_response_uid_before(const char *text, size_t len)
{
	uint64_t uid = 0;
	size_t i;

	for (i = 1; i + 4 < len; i++)
		if ((text[i - 1] == '(' || text[i - 1] == ' ') && !strncasecmp(text + i, "UID ", 4))
			break;
	for (i += 4; i < len && isdigit((unsigned char)text[i]) && uid <= UINT32_MAX; i++)
		uid = uid * 10 + (uint64_t)(text[i] - '0');
	return uid <= UINT32_MAX ? (uint32_t)uid : 0;
}

/* ------------------------------------------------------------ when it is whole */

static struct imap_text text_cut_word(struct imap_text *rest)
{
	struct imap_text word = *rest;
	const char *space = memchr(rest->data, ' ', rest->len);

	if (space)
		word.len = (size_t)(space - rest->data);
	rest->data += word.len;
	rest->len -= word.len;
	if (rest->len) {
		rest->data++;
		rest->len--;
	}
	return word;
}

static bool text_number(struct imap_text text, uint32_t *ret)
{
	uint64_t value = 0;
	size_t i;

	if (!text.len || text.len > 10)
		return false;
	for (i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	*ret = (uint32_t)value;
	return value <= UINT32_MAX;
}

bool imap_response_split(struct imap_response *response)
{
	struct imap_text rest = response->all;

	while (rest.len && (rest.data[rest.len - 1] == '\n' || rest.data[rest.len - 1] == '\r'))
		rest.len--;
	if (rest.len && rest.data[0] == '+') {
		response->kind = RESPONSE_CONTINUATION;
		text_cut_word(&rest);
		response->rest = rest;
		return true;
	}
	response->tag = text_cut_word(&rest);
	response->kind = imap_text_is(response->tag, "*") ? RESPONSE_UNTAGGED : RESPONSE_TAGGED;
	response->word = text_cut_word(&rest);
	if (response->kind == RESPONSE_UNTAGGED && text_number(response->word, &response->number))
		response->word = text_cut_word(&rest);
	response->rest = rest;
	if (response->kind == RESPONSE_UNTAGGED)
		return response->word.len > 0;
	return imap_text_is(response->word, "OK") || imap_text_is(response->word, "NO") || imap_text_is(response->word, "BAD");
}

bool imap_response_is_progress(const struct imap_response *response)
{
	static const char *const words[] = { "FETCH", "LIST", "LSUB", "SEARCH", "ESEARCH", "VANISHED", "STATUS" };

	if (response->kind != RESPONSE_UNTAGGED)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (imap_text_is(response->word, words[i]))
			return true;
	return false;
}
