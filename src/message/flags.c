/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n\f\v"

static const char *const system_flags[] = { "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft" };

enum { N_SYSTEM_FLAGS = sizeof system_flags / sizeof system_flags[0], FEW_WORDS = 32 };

struct word {
	const char *text; /* borrowed, not terminated */
	size_t len;
};

static bool next_word(const char **text, struct word *ret)
{
	*text += strspn(*text, BLANKS);
	ret->text = *text;
	ret->len = strcspn(*text, BLANKS);
	*text += ret->len;
	return ret->len;
}

static bool word_is(const struct word *word, const char *text)
{
	return strlen(text) == word->len && !strncasecmp(word->text, text, word->len);
}

/* An atom of RFC 9051: no quoting reaches a keyword, so anything else would break the command it stands in. */
static bool is_atom(const struct word *word)
{
	for (size_t i = 0; i < word->len; i++) {
		char c = word->text[i];

		if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c))
			return false;
	}
	return true;
}

static int find_system_flag(const struct word *word)
{
	for (int i = 0; i < N_SYSTEM_FLAGS; i++)
		if (word_is(word, system_flags[i]))
			return i;
	return -1;
}

static int compare_bytes(const void *left, const void *right)
{
	const struct word *a = left, *b = right;
	int r = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_without_case(const void *left, const void *right)
{
	const struct word *a = left, *b = right;
	int r = strncasecmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_without_case_then_bytes(const void *left, const void *right)
{
	int r = compare_without_case(left, right);

	return r ? r : compare_bytes(left, right);
}

/* Of words that differ in case only, the one that sorts first stays, whatever order they came in. */
static size_t sort_keywords(struct word *words, size_t n)
{
	size_t kept = 0;

	if (n < 2)
		return n;
	qsort(words, n, sizeof *words, compare_without_case_then_bytes);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare_without_case(&words[kept - 1], &words[i]))
			words[kept++] = words[i];
	qsort(words, kept, sizeof *words, compare_bytes);
	return kept;
}

static int append_word(struct buf *out, size_t start, const char *text, size_t len)
{
	int r = out->len > start ? buf_append_char(out, ' ') : 0;

	return r < 0 ? r : buf_append(out, text, len);
}

/* The words' system flags as bits into *ret_system, the keywords into `keywords`, how many into *ret_n. */
static int sort_out(const char *words, bool lenient, unsigned *ret_system, struct word *keywords, size_t *ret_n)
{
	struct word word;

	while (next_word(&words, &word)) {
		int i = find_system_flag(&word);

		if (i >= 0)
			*ret_system |= 1u << i;
		else if (word_is(&word, "\\Recent"))
			continue;
		else if (is_atom(&word))
			keywords[(*ret_n)++] = word;
		else if (!lenient)
			return -EINVAL;
	}
	return 0;
}

static int append_all(unsigned system, const struct word *keywords, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = 0;

	for (int i = 0; i < N_SYSTEM_FLAGS && r == 0; i++)
		if (system & 1u << i)
			r = append_word(out, start, system_flags[i], strlen(system_flags[i]));
	for (size_t i = 0; i < n && r == 0; i++)
		r = append_word(out, start, keywords[i].text, keywords[i].len);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static int canonical(const char *words, bool lenient, struct buf *out)
{
	struct word few[FEW_WORDS];
	CLEANUP(free) struct word *many = NULL;
	struct word *keywords = few;
	size_t at_most = strlen(words) / 2 + 1;
	unsigned system = 0;
	size_t n = 0;
	int r;

	if (at_most > FEW_WORDS) {
		keywords = many = reallocarray(NULL, at_most, sizeof *many);
		if (!many)
			return -ENOMEM;
	}
	r = sort_out(words, lenient, &system, keywords, &n);
	if (r < 0)
		return r;
	return append_all(system, keywords, sort_keywords(keywords, n), out);
}

int flags_canonical(const char *words, struct buf *out)
{
	return canonical(words, false, out);
}

int flags_canonical_lenient(const char *words, struct buf *out)
{
	return canonical(words, true, out);
}

static bool has_word(const char *flags, const struct word *wanted)
{
	struct word word;

	while (next_word(&flags, &word))
		if (word.len == wanted->len && !strncasecmp(word.text, wanted->text, word.len))
			return true;
	return false;
}

bool flags_has(const char *flags, const char *word)
{
	return has_word(flags, &(struct word){ word, strlen(word) });
}

/* The words of `flags` that `others` lacks. */
static int append_missing(const char *flags, const char *others, struct buf *out)
{
	size_t start = out->len;
	struct word word;

	while (next_word(&flags, &word)) {
		int r = has_word(others, &word) ? 0 : append_word(out, start, word.text, word.len);

		if (r < 0) {
			buf_truncate(out, start);
			return r;
		}
	}
	return 0;
}

int flags_difference(const char *from, const char *to, struct buf *ret_add, struct buf *ret_remove)
{
	size_t start = ret_add->len;
	int r = append_missing(to, from, ret_add);

	if (r < 0)
		return r;
	r = append_missing(from, to, ret_remove);
	if (r < 0)
		buf_truncate(ret_add, start);
	return r;
}

static const struct {
	char letter;
	const char *flag;
} maildir_letters[] = { { 'D', "\\Draft" }, { 'F', "\\Flagged" }, { 'R', "\\Answered" }, { 'S', "\\Seen" }, { 'T', "\\Deleted" } };

enum { N_MAILDIR_LETTERS = sizeof maildir_letters / sizeof maildir_letters[0] };

void flags_to_maildir(const char *flags, char letters[6])
{
	bool has[N_MAILDIR_LETTERS] = { false };
	size_t n = 0;

	/* System flags come first, and three bytes tell one from another: this is done for each entry of a listing. */
	for (; *flags == '\\'; flags = strchrnul(flags, ' '), flags += *flags == ' ')
		for (size_t i = 0; i < N_MAILDIR_LETTERS; i++)
			has[i] |= strncmp(flags, maildir_letters[i].flag, 3) == 0;
	for (size_t i = 0; i < N_MAILDIR_LETTERS; i++)
		if (has[i])
			letters[n++] = maildir_letters[i].letter;
	letters[n] = '\0';
}

int flags_from_maildir(const char *letters, struct buf *out)
{
	CLEANUP(buf) struct buf words = BUF_INIT;
	int r = 0;

	for (size_t i = 0; i < N_MAILDIR_LETTERS && r == 0; i++)
		if (strchr(letters, maildir_letters[i].letter))
			r = append_word(&words, 0, maildir_letters[i].flag, strlen(maildir_letters[i].flag));
	return r < 0 ? r : flags_canonical(buf_str(&words), out);
}
