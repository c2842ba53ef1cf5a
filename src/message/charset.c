/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/charset.h"

#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* What mail says, and what iconv is asked for: the superset that writers of the smaller charset use in fact. "" is raw text. */
static const char *const aliases[][2] = {
	{ "us-ascii", "" },
	{ "ascii", "" },
	{ "ansi_x3.4-1968", "" },
	{ "utf8", "UTF-8" },
	{ "x-utf-8", "UTF-8" },
	{ "utf-8-strict", "UTF-8" },
	{ "unicode-1-1-utf-8", "UTF-8" },
	{ "unicode-1-1-utf-7", "UTF-7" },
	{ "iso-8859-1", "WINDOWS-1252" },
	{ "iso8859-1", "WINDOWS-1252" },
	{ "iso_8859-1", "WINDOWS-1252" },
	{ "iso88591", "WINDOWS-1252" },
	{ "latin1", "WINDOWS-1252" },
	{ "latin-1", "WINDOWS-1252" },
	{ "x-cp1252", "WINDOWS-1252" },
	{ "x-ansi", "WINDOWS-1252" },
	{ "cp-1252", "WINDOWS-1252" },
	{ "windows1252", "WINDOWS-1252" },
	{ "iso-8859-9", "WINDOWS-1254" },
	{ "latin5", "WINDOWS-1254" },
	{ "iso-8859-11", "CP874" },
	{ "tis-620", "CP874" },
	{ "windows-874", "CP874" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-8-e", "ISO-8859-8" },
	{ "iso-8859-6-i", "ISO-8859-6" },
	{ "iso-8859-6-e", "ISO-8859-6" },
	{ "gb2312", "GB18030" },
	{ "gb_2312-80", "GB18030" },
	{ "gb2312-80", "GB18030" },
	{ "csgb2312", "GB18030" },
	{ "chinese", "GB18030" },
	{ "gbk", "GB18030" },
	{ "x-gbk", "GB18030" },
	{ "cp936", "GB18030" },
	{ "ms936", "GB18030" },
	{ "windows-936", "GB18030" },
	{ "euc-cn", "GB18030" },
	{ "x-euc-cn", "GB18030" },
	{ "big5", "BIG5-HKSCS" },
	{ "big-5", "BIG5-HKSCS" },
	{ "cn-big5", "BIG5-HKSCS" },
	{ "csbig5", "BIG5-HKSCS" },
	{ "x-x-big5", "BIG5-HKSCS" },
	{ "cp950", "BIG5-HKSCS" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "x-sjis", "CP932" },
	{ "ms_kanji", "CP932" },
	{ "csshiftjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "euc-jp", "EUC-JP-MS" },
	{ "x-euc-jp", "EUC-JP-MS" },
	{ "cseucpkdfmtjapanese", "EUC-JP-MS" },
	{ "csiso2022jp", "ISO-2022-JP" },
	{ "ks_c_5601-1987", "UHC" },
	{ "ks_c_5601-1989", "UHC" },
	{ "ksc_5601", "UHC" },
	{ "ksc5601", "UHC" },
	{ "iso-ir-149", "UHC" },
	{ "korean", "UHC" },
	{ "euc-kr", "UHC" },
	{ "cp949", "UHC" },
	{ "windows-949", "UHC" },
	{ "koi8", "KOI8-R" },
	{ "x-mac-roman", "MACINTOSH" },
	{ "mac", "MACINTOSH" },
	{ "x-mac-cyrillic", "MAC-CYRILLIC" },
};

/* A name from the wire reaches iconv_open only with one of these in front: its rarer converters have a history of crashes, and "" or
 * "char" would mean the process's locale. */
static const char *const known_prefixes[] = { "utf-",	     "iso-8859-",   "iso8859-",	 "iso_8859-", "iso-2022-jp",
					      "iso-2022-kr", "iso-2022-cn", "windows-",	 "cp12",      "cp8",
					      "cp4",	     "ibm8",	    "koi8-",	 "gb18030",   "big5",
					      "euc-",	     "tis",	    "macintosh", "latin",     "viscii",
					      "tcvn",	     "johab",	    "armscii",	 "georgian",  "ptcp154" };

/* iconv's name for `charset`, NULL for raw text. */
static const char *find_charset(const char *charset)
{
	if (!charset)
		return NULL;
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (!strcasecmp(aliases[i][0], charset))
			return *aliases[i][1] ? aliases[i][1] : NULL;
	if (strchr(charset, '/'))
		return NULL;
	for (size_t i = 0; i < sizeof known_prefixes / sizeof known_prefixes[0]; i++)
		if (!strncasecmp(known_prefixes[i], charset, strlen(known_prefixes[i])))
			return charset;
	return NULL;
}

bool charset_is_ascii(const char *text, size_t len)
{
	uint64_t high = 0;
	uint64_t word;

	for (; len >= sizeof word; text += sizeof word, len -= sizeof word) {
		memcpy(&word, text, sizeof word);
		high |= word;
	}
	for (; len; len--)
		high |= (uint64_t)(unsigned char)*text++;
	return !(high & UINT64_C(0x8080808080808080));
}

bool charset_is_utf8(const char *text, size_t len)
{
	return !u8_check((const uint8_t *)text, len);
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Whether UTF-8 that is invalid at `bad` only ends within a character, as where a server cut a header off. It takes another character
 * to tell: a lone byte at the end is as well windows-1252. */
static bool is_cut_off(const char *text, const char *bad, const char *end)
{
	ucs4_t character;

	return u8_mbtoucr(&character, (const uint8_t *)bad, (size_t)(end - bad)) == -2 &&
	       !charset_is_ascii(text, (size_t)(bad - text));
}

/* Takes the bytes for UTF-8, whatever they are. */
static int append_utf8(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len;

	while (text < end) {
		const char *bad = (const char *)u8_check((const uint8_t *)text, (size_t)(end - text));
		int r = buf_append(out, text, (size_t)((bad ? bad : end) - text));

		if (r == 0 && bad)
			r = buf_append_str(out, REPLACEMENT);
		if (r < 0)
			return r;
		if (!bad)
			return 0;
		text = bad + 1;
		while (text < end && is_continuation(*text))
			text++;
	}
	return 0;
}

/* One iconv() call over what is left, into `out`. 0 when all was taken, else -errno of iconv. */
static int convert_some(iconv_t converter, char **text, size_t *left, struct buf *out)
{
	enum { ROOM = 64 };
	char *target;
	size_t room, r;
	int error;

	if (buf_reserve(out, *left + ROOM) < 0)
		return -ENOMEM;
	target = out->data + out->len;
	room = out->cap - out->len - 1;
	r = *left ? iconv(converter, text, left, &target, &room) : iconv(converter, NULL, NULL, &target, &room);
	error = r == (size_t)-1 ? errno : 0;
	out->len = (size_t)(target - out->data);
	*target = '\0';
	return -error;
}

static int convert(iconv_t converter, const char *text, size_t len, struct buf *out)
{
	char *p = (char *)text; /* iconv does not write there */
	int r;

	while (len) {
		r = convert_some(converter, &p, &len, out);
		if (r == -E2BIG)
			continue;
		if (r != -EILSEQ && r != -EINVAL) {
			if (r < 0)
				return r;
			continue;
		}
		if (buf_append_str(out, REPLACEMENT) < 0)
			return -ENOMEM;
		if (r == -EINVAL)
			break;
		p++;
		len--;
	}
	/* What the converter still holds back, waiting for a combining character. */
	len = 0;
	r = convert_some(converter, &p, &len, out);
	return r == -ENOMEM ? r : 0;
}

/* Opening one loads a library and closing the last one unloads it: some are kept for the next. */
enum { IDLE_MAX = 16, IDLE_NAME_MAX = 32 };
static struct {
	char name[IDLE_NAME_MAX];
	iconv_t converter;
} idle[IDLE_MAX]; /* the one used last comes last */
static size_t n_idle;
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;

static void remove_idle(size_t i)
{
	n_idle--;
	memmove(&idle[i], &idle[i + 1], (n_idle - i) * sizeof idle[0]);
}

/* (iconv_t)-1: there is none for this charset. */
static iconv_t take_converter(const char *name)
{
	iconv_t converter = (iconv_t)-1;
	size_t i;

	pthread_mutex_lock(&idle_lock);
	for (i = n_idle; i > 0 && strcmp(idle[i - 1].name, name); i--)
		;
	if (i > 0) {
		converter = idle[i - 1].converter;
		remove_idle(i - 1);
	}
	pthread_mutex_unlock(&idle_lock);
	if (i == 0)
		return iconv_open("UTF-8", name);
	iconv(converter, NULL, NULL, NULL, NULL); /* back to its initial state */
	return converter;
}

static void give_back(const char *name, iconv_t converter)
{
	if (strlen(name) >= IDLE_NAME_MAX) {
		iconv_close(converter);
		return;
	}
	pthread_mutex_lock(&idle_lock);
	if (n_idle == IDLE_MAX) {
		iconv_close(idle[0].converter);
		remove_idle(0);
	}
	strcpy(idle[n_idle].name, name);
	idle[n_idle++].converter = converter;
	pthread_mutex_unlock(&idle_lock);
}

static int append_converted(const char *name, const char *text, size_t len, struct buf *out)
{
	iconv_t converter = take_converter(name);
	size_t start = out->len;
	int r;

	if (converter == (iconv_t)-1)
		return -ENOENT;
	r = convert(converter, text, len, out);
	give_back(name, converter);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static int append_raw(const char *text, size_t len, struct buf *out)
{
	const char *bad = (const char *)u8_check((const uint8_t *)text, len);

	if (!bad || is_cut_off(text, bad, text + len))
		return append_utf8(text, len, out);
	return append_converted("WINDOWS-1252", text, len, out);
}

/* UTF-16 and iso-2022 put other characters into bytes that look like ASCII. */
static bool keeps_ascii(const char *name)
{
	return strncasecmp(name, "utf-", 4) && strncasecmp(name, "iso-2022", 8);
}

int charset_to_utf8(const char *charset, const char *text, size_t len, struct buf *out)
{
	const char *name = find_charset(charset);
	int r;

	if (!name || (keeps_ascii(name) && charset_is_ascii(text, len)))
		return append_raw(text, len, out);
	if (!strcasecmp(name, "UTF-8"))
		return append_utf8(text, len, out);
	r = append_converted(name, text, len, out);
	return r == -ENOENT ? append_raw(text, len, out) : r;
}
