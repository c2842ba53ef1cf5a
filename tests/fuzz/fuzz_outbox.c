/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes written into the outbox: what is made of them to be sent is CRLF lines of at most 998 bytes without NUL, holds no Bcc, and
 * made ready once more stays the same (unless it was resent to Resent-Bcc alone, which is gone then, or an address is not ASCII).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "message/header.h"
#include "outbox/envelope.h"
#include "outbox/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	return fd;
}

static int prepare(const void *data, size_t len, bool takes_eightbit, struct buf *out)
{
	const struct prepare_options options = {
		.own = "Alice <alice@example.com>", .message_id = "<1@example.com>", .date_s = 1, .takes_eightbit = takes_eightbit
	};
	CLEANUP(fd) int in = file_of(data, len);
	CLEANUP(fd) int result = file_of("", 0);
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct prepared prepared;
	int r = prepare_message(in, result, &options, &prepared, &why);

	if (r < 0) {
		must(r == -22 && why.len);
		return r;
	}
	must(buf_reserve(out, (size_t)prepared.size_bytes) == 0);
	out->len = (size_t)prepared.size_bytes;
	must(pread(result, out->data, out->len, 0) == (ssize_t)out->len);
	return 0;
}

static void check_lines(const struct buf *message)
{
	size_t line_len = 0;

	for (size_t i = 0; i < message->len; i++) {
		char c = message->data[i];

		must(c != '\0');
		must((c == '\n') == (i > 0 && message->data[i - 1] == '\r'));
		line_len = c == '\n' ? 0 : line_len + 1;
		must(line_len <= SURVEY_LINE_MAX + 1);
	}
	must(message->len > 2 && message->data[message->len - 1] == '\n');
}

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static void check_header(const struct buf *message)
{
	struct header_field field;

	must(!header_find(message->data, message->len, "Bcc", &field));
	must(!header_find(message->data, message->len, "Resent-Bcc", &field));
}

static void read_envelope(const uint8_t *data, size_t size)
{
	CLEANUP(envelope) struct envelope e = { .sender = NULL };
	CLEANUP(survey) struct survey s = { .header = BUF_INIT };
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(buf) struct buf key = BUF_INIT;
	CLEANUP(fd) int fd = file_of(data, size);

	if (survey_message(fd, &s, &why) < 0 || envelope_read(&s.header, "alice@example.com", NULL, true, &e, &why) < 0)
		return;
	must(e.sender && e.recipients.n);
	for (size_t i = 0; i < e.recipients.n; i++)
		must(!strpbrk(e.recipients.items[i], "\r\n"));
	must(envelope_key("<1@x>", &e.recipients, &key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf) struct buf once = BUF_INIT;
	CLEANUP(buf) struct buf twice = BUF_INIT;
	struct header_field field;
	bool takes_eightbit = size % 2;

	read_envelope(data, size);
	if (prepare(data, size, takes_eightbit, &once) < 0)
		return 0;
	check_lines(&once);
	check_header(&once);
	if (!takes_eightbit)
		must(is_ascii(once.data + header_length(once.data, once.len), once.len - header_length(once.data, once.len)));
	/* A boundary that is not ASCII is none (RFC 2046 5.1.1), and encoded it may be another. */
	if (header_find((const char *)data, size, "Content-Type", &field) && !is_ascii(field.value, field.value_len))
		return 0;
	must(prepare(once.data, once.len, takes_eightbit, &twice) == 0);
	if (header_find((const char *)data, size, "Resent-Bcc", &field) || !is_ascii(once.data, header_length(once.data, once.len)))
		return 0;
	must(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
	return 0;
}
