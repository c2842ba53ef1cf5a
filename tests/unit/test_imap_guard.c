/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/imap_guard.h"
#include "base/clock.h"

/* A server in memory: gives its text in pieces of `piece` bytes, each `pause_ms` later; then the end. */
struct server {
	const char *text;
	size_t len, at, piece;
	int64_t pause_ms;
	struct buf written;
};

static int64_t now_ms;

static int64_t test_monotonic(void)
{
	return now_ms;
}

static ssize_t server_read(void *userdata, void *data, size_t len)
{
	struct server *v = userdata;
	size_t n = v->len - v->at;

	if (n > v->piece)
		n = v->piece;
	if (n > len)
		n = len;
	memcpy(data, v->text + v->at, n);
	v->at += n;
	now_ms += v->pause_ms;
	return (ssize_t)n;
}

/* An endless server repeats its text. */
static ssize_t endless_read(void *userdata, void *data, size_t len)
{
	struct server *v = userdata;

	if (v->at == v->len)
		v->at = v->len - 1;
	return server_read(v, data, len);
}

static int server_write(void *userdata, const void *data, size_t len)
{
	struct server *v = userdata;

	return buf_append(&v->written, data, len);
}

struct fixture {
	struct server server;
	struct imap_guard guard;
	struct imap_response response;
	/* What the body sink got. */
	struct buf body;
	int64_t announced, origin;
	uint32_t uid;
	int sink_error;
};

static int sink_begin(void *userdata, uint32_t uid, int64_t origin, int64_t size)
{
	struct fixture *f = userdata;

	f->uid = uid;
	f->origin = origin;
	f->announced = size;
	return f->sink_error;
}

static int sink_data(void *userdata, const void *data, size_t len)
{
	struct fixture *f = userdata;

	return buf_append(&f->body, data, len);
}

static struct imap_body_sink sink = { sink_begin, sink_data, NULL };

static struct fixture *begin_with(const char *text, size_t len, size_t piece, ssize_t (*read)(void *, void *, size_t))
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct imap_limits limits = imap_limits_default;
	struct imap_source source = { read, server_write, &f->server, NULL };

	limits.timeout_s = 15;
	f->server = (struct server){ .text = text, .len = len, .piece = piece };
	f->announced = -1;
	sink.userdata = f;
	clock_replace(test_monotonic, NULL);
	assert_int_equal(imap_guard_init(&f->guard, &source, &limits), 0);
	return f;
}

static struct fixture *begin(const char *text)
{
	return begin_with(text, strlen(text), 100000, server_read);
}

static void end(struct fixture *f)
{
	imap_guard_release(&f->guard);
	buf_release(&f->server.written);
	buf_release(&f->body);
	free(f);
	clock_replace(NULL, NULL);
}

static int next(struct fixture *f)
{
	return imap_guard_next(&f->guard, &f->response);
}

static void assert_text(struct imap_text text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.data, expected, text.len);
}

static void responses_are_cut_into_tag_number_word_and_rest(void **state)
{
	struct fixture *f = begin("* 12 EXISTS\r\n* OK [UIDNEXT 5] hello there\r\n\r\n+ go on\r\n7 NO [LIMIT] not now\r\n");

	(void)state;
	assert_int_equal(next(f), 0);
	assert_int_equal(f->response.kind, RESPONSE_UNTAGGED);
	assert_int_equal(f->response.number, 12);
	assert_text(f->response.word, "EXISTS");
	assert_int_equal(next(f), 0);
	assert_text(f->response.word, "OK");
	assert_text(f->response.rest, "[UIDNEXT 5] hello there");
	assert_int_equal(next(f), 0);
	assert_int_equal(f->response.kind, RESPONSE_CONTINUATION);
	assert_text(f->response.rest, "go on");
	assert_true(imap_guard_has_more(&f->guard));
	assert_int_equal(next(f), 0);
	assert_int_equal(f->response.kind, RESPONSE_TAGGED);
	assert_text(f->response.tag, "7");
	assert_false(imap_guard_has_more(&f->guard));
	end(f);
}

static void a_literal_belongs_to_its_response_in_pieces_of_any_size(void **state)
{
	static const char text[] = "* LIST () \"/\" {5}\r\na\r\n)b\r\n* 1 EXISTS\r\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct fixture *f = begin_with(text, sizeof(text) - 1, piece, server_read);

		assert_int_equal(next(f), 0);
		assert_text(f->response.rest, "() \"/\" {5}\r\na\r\n)b");
		assert_int_equal(next(f), 0);
		assert_text(f->response.word, "EXISTS");
		end(f);
	}
}

static void a_brace_at_the_end_of_a_status_text_is_no_literal(void **state)
{
	struct fixture *f = begin("* OK see {5}\r\n3 OK done {7}\r\n* NO [PERMANENTFLAGS ({9}\r\n* 1 EXISTS\r\n");

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(next(f), 0);
	assert_text(f->response.word, "EXISTS");
	end(f);
}

static void a_body_goes_to_the_sink_with_its_length_first(void **state)
{
	static const char text[] = "* 3 FETCH (UID 9 BODY[] {6}\r\n)\r\n\0xy FLAGS ())\r\n2 OK x\r\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct fixture *f = begin_with(text, sizeof(text) - 1, piece, server_read);

		f->guard.body = &sink;
		assert_int_equal(next(f), 0);
		assert_true(f->response.body_diverted);
		assert_text(f->response.rest, "(UID 9 BODY[] {0}\r\n FLAGS ())");
		assert_int_equal(f->announced, 6);
		assert_int_equal(f->origin, -1);
		assert_int_equal(f->uid, 9);
		assert_int_equal(f->body.len, 6);
		assert_memory_equal(f->body.data, ")\r\n\0xy", 6);
		assert_int_equal(next(f), 0);
		assert_int_equal(f->response.kind, RESPONSE_TAGGED);
		end(f);
	}
}

static void a_part_of_a_body_tells_where_it_begins(void **state)
{
	struct fixture *f = begin("* 3 FETCH (BODY[]<4096> {2}\r\nab UID 9)\r\n");

	(void)state;
	f->guard.body = &sink;
	assert_int_equal(next(f), 0);
	assert_int_equal(f->origin, 4096);
	assert_int_equal(f->uid, 0);
	end(f);
}

static void other_literals_stay_in_the_response(void **state)
{
	struct fixture *f = begin("* 3 FETCH (UID 9 BODY[HEADER.FIELDS (FROM)] {2}\r\nab)\r\n");

	(void)state;
	f->guard.body = &sink;
	assert_int_equal(next(f), 0);
	assert_false(f->response.body_diverted);
	assert_int_equal(f->announced, -1);
	end(f);
}

static void a_sink_that_fails_ends_the_session_with_its_error(void **state)
{
	struct fixture *f = begin("* 3 FETCH (BODY[] {2}\r\nab UID 9)\r\n1 OK x\r\n");

	(void)state;
	f->guard.body = &sink;
	f->sink_error = -ENOSPC;
	assert_int_equal(next(f), -ENOSPC);
	assert_int_equal(next(f), -ENOSPC);
	assert_int_equal(imap_guard_write(&f->guard, "x", 1), -ENOSPC);
	end(f);
}

static void the_end_is_an_error_wherever_it_comes(void **state)
{
	static const char text[] = "* 3 FETCH (BODY[] {6}\r\nabcdef UID 9)\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct fixture *f = begin_with(text, len, 100000, server_read);

		f->guard.body = &sink;
		assert_int_equal(next(f), -ENOTCONN);
		assert_int_equal(next(f), -ENOTCONN);
		end(f);
	}
}

static void an_endless_line_is_an_error_with_little_memory(void **state)
{
	struct fixture *f = begin_with("* OK xx", 7, 1 << 20, endless_read);

	(void)state;
	assert_int_equal(next(f), -EPROTO);
	assert_true(f->guard.cap <= 256 * 1024);
	end(f);
}

static void what_lists_things_may_be_longer(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct fixture *f;

	(void)state;
	buf_append_str(&text, "* SEARCH");
	for (int uid = 100000; uid < 200000; uid++)
		buf_printf(&text, " %d", uid);
	buf_append_str(&text, "\r\n* 1 EXISTS\r\n");
	f = begin_with(text.data, text.len, 5000, server_read);
	assert_int_equal(next(f), 0);
	assert_text(f->response.word, "SEARCH");
	assert_int_equal(f->response.rest.len, 7 * 100000 - 1);
	assert_int_equal(next(f), 0);
	end(f);
}

static void literals_that_nothing_needs_are_refused(void **state)
{
	static const char *const texts[] = {
		"* LIST () \"/\" {4294967296}\r\n",
		"* LIST () \"/\" {18446744073709551617}\r\n",
		"* LIST () \"/\" {99999999999999999999999999999999999999999}\r\n",
		"* LIST () \"/\" {1048577}\r\n",
		"* 1 FETCH (BODY[] {4294967296}\r\n",
		"* 1 FETCH (BODY[] {1}\r\nx BODY[] {1}\r\ny)\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fixture *f = begin(texts[i]);

		f->guard.body = &sink;
		assert_int_equal(next(f), -EPROTO);
		end(f);
	}
}

static void a_line_that_drips_is_an_error(void **state)
{
	struct fixture *f = begin_with("* OK xxxxxxxx", 13, 1, endless_read);

	(void)state;
	f->server.pause_ms = 1000;
	assert_int_equal(next(f), -ETIMEDOUT);
	assert_true(f->server.at <= 20);
	end(f);
}

static void a_literal_that_drips_is_an_error(void **state)
{
	struct fixture *f = begin_with("* 1 FETCH (BODY[] {1000000}\r\nxx", 31, 10, endless_read);

	(void)state;
	f->guard.body = &sink;
	f->server.pause_ms = 1000;
	assert_int_equal(next(f), -ETIMEDOUT);
	end(f);
}

static void a_slow_link_is_none(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct fixture *f;

	(void)state;
	buf_append_str(&text, "* 1 FETCH (BODY[] {200000}\r\n");
	for (int i = 0; i < 20000; i++)
		buf_append_str(&text, "0123456789");
	buf_append_str(&text, " UID 1)\r\n");
	f = begin_with(text.data, text.len, 2000, server_read);
	f->guard.body = &sink;
	f->server.pause_ms = 1000;
	assert_int_equal(next(f), 0);
	assert_int_equal(f->body.len, 200000);
	end(f);
}

static void a_server_that_only_chats_is_an_error_in_the_end(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct fixture *f;
	int r = 0;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_append_str(&text, "* OK Still here\r\n");
	f = begin_with(text.data, text.len, 17, server_read);
	f->server.pause_ms = 5000;
	for (int i = 0; i < 1000 && r == 0; i++)
		r = next(f);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(f->server.at < f->server.len);
	end(f);
}

static void what_is_not_imap_is_told_in_printable_words(void **state)
{
	struct fixture *f = begin("HTTP/1.1 400 Bad\x1b Request\r\n");

	(void)state;
	assert_int_equal(next(f), -EPROTO);
	assert_non_null(strstr(buf_str(&f->guard.why), "HTTP/1.1 400 Bad? Request"));
	end(f);
}

static void memory_of_a_great_response_is_given_back(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct fixture *f;

	(void)state;
	buf_append_str(&text, "* LIST () \"/\" {900000}\r\n");
	for (int i = 0; i < 90000; i++)
		buf_append_str(&text, "0123456789");
	buf_append_str(&text, "\r\n");
	for (int i = 0; i < 10000; i++)
		buf_append_str(&text, "* 1 EXISTS\r\n");
	f = begin_with(text.data, text.len, 8192, server_read);
	assert_int_equal(next(f), 0);
	assert_true(f->guard.cap >= 900000);
	while (next(f) == 0)
		;
	assert_true(f->guard.cap <= 64 * 1024);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_cut_into_tag_number_word_and_rest),
		cmocka_unit_test(a_literal_belongs_to_its_response_in_pieces_of_any_size),
		cmocka_unit_test(a_brace_at_the_end_of_a_status_text_is_no_literal),
		cmocka_unit_test(a_body_goes_to_the_sink_with_its_length_first),
		cmocka_unit_test(a_part_of_a_body_tells_where_it_begins),
		cmocka_unit_test(other_literals_stay_in_the_response),
		cmocka_unit_test(a_sink_that_fails_ends_the_session_with_its_error),
		cmocka_unit_test(the_end_is_an_error_wherever_it_comes),
		cmocka_unit_test(an_endless_line_is_an_error_with_little_memory),
		cmocka_unit_test(what_lists_things_may_be_longer),
		cmocka_unit_test(literals_that_nothing_needs_are_refused),
		cmocka_unit_test(a_line_that_drips_is_an_error),
		cmocka_unit_test(a_literal_that_drips_is_an_error),
		cmocka_unit_test(a_slow_link_is_none),
		cmocka_unit_test(a_server_that_only_chats_is_an_error_in_the_end),
		cmocka_unit_test(what_is_not_imap_is_told_in_printable_words),
		cmocka_unit_test(memory_of_a_great_response_is_given_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
