/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes that go out, for the bytes that were written. */
#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "outbox/prepare.h"

static struct prepare_options options;

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	options = (struct prepare_options){ .own = "*@alice.example, \"Example, Alice\" <alice@example.com>",
					    .message_id = "<new@example.com>",
					    .date_s = 1000000000,
					    .takes_eightbit = true };
	return 0;
}

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

static int prepare_bytes(const void *data, size_t len, struct buf *out, struct buf *why)
{
	CLEANUP(fd) int in = file_of(data, len);
	CLEANUP(fd) int result = memfd_create("prepared", MFD_CLOEXEC);
	struct prepared prepared;
	int r = prepare_message(in, result, &options, &prepared, why);

	if (r < 0)
		return r;
	assert_int_equal(buf_reserve(out, (size_t)prepared.size_bytes + 1), 0);
	assert_int_equal(pread(result, out->data, (size_t)prepared.size_bytes + 1, 0), prepared.size_bytes);
	out->len = (size_t)prepared.size_bytes;
	out->data[out->len] = '\0';
	return 0;
}

static void check(const char *written, const char *expected)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;

	assert_int_equal(prepare_bytes(written, strlen(written), &out, &why), 0);
	assert_string_equal(buf_str(&out), expected);
}

static void check_refused(const char *written, const char *reason)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;

	assert_int_equal(prepare_bytes(written, strlen(written), &out, &why), -EINVAL);
	if (!strstr(buf_str(&why), reason))
		assert_string_equal(buf_str(&why), reason);
}

#define WHOLE "From: alice@example.com\r\nDate: d\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n"

static void what_is_missing_is_added_behind_what_is_there(void **state)
{
	(void)state;
	check("To: bob@example.com\nSubject: hi\n\nhello\n", "To: bob@example.com\r\nSubject: hi\r\nDate: Sun, 9 Sep 2001 01:46:40 "
							     "+0000\r\nFrom: \"Example, Alice\" <alice@example.com>\r\n"
							     "Message-ID: <new@example.com>\r\nMIME-Version: 1.0\r\n\r\nhello\r\n");
}

static void a_whole_message_stays_as_it_is(void **state)
{
	(void)state;
	check(WHOLE "To: b@example.com,\r\n\tc@example.com\r\n\r\n.\r\n..x\r\n\r\n",
	      WHOLE "To: b@example.com,\r\n\tc@example.com\r\n\r\n.\r\n..x\r\n\r\n");
}

static void line_ends_become_crlf_and_the_last_line_gets_one(void **state)
{
	(void)state;
	check(WHOLE "To: b@example.com\n\na\r\nb\nc", WHOLE "To: b@example.com\r\n\r\na\r\nb\r\nc\r\n");
}

static void a_header_without_a_body_gets_its_empty_line(void **state)
{
	(void)state;
	check(WHOLE "To: b@example.com", WHOLE "To: b@example.com\r\n\r\n");
}

static void bcc_goes_from_what_is_sent_and_stays_in_the_copy(void **state)
{
	(void)state;
	check(WHOLE
	      "Bcc: c@example.com,\n d@example.com\nReturn-Path: <x@example.com>\nbcc: e@example.com\nTo: b@example.com\n\nhi\n",
	      WHOLE "To: b@example.com\r\n\r\nhi\r\n");
	options.keeps_bcc = true;
	check(WHOLE "Bcc: c@example.com\nTo: b@example.com\n\nhi\n", WHOLE "Bcc: c@example.com\r\nTo: b@example.com\r\n\r\nhi\r\n");
}

static void a_resent_block_is_completed_and_the_rest_let_be(void **state)
{
	(void)state;
	check("Received: x\nResent-To: c@example.com\nFrom: eve@example.org\nTo: alice@example.com\n\nhi\n",
	      "Received: x\r\nResent-Date: Sun, 9 Sep 2001 01:46:40 +0000\r\nResent-From: \"Example, Alice\" "
	      "<alice@example.com>\r\n"
	      "Resent-Message-ID: <new@example.com>\r\nResent-To: c@example.com\r\nFrom: eve@example.org\r\nTo: "
	      "alice@example.com\r\n\r\nhi\r\n");
}

static void an_empty_message_id_or_date_is_replaced(void **state)
{
	(void)state;
	check("From: alice@example.com\nMessage-ID: \nTo: b@example.com\nDate:\n \nMIME-Version: 1.0\n\nhi\n",
	      "From: alice@example.com\r\nTo: b@example.com\r\nMIME-Version: 1.0\r\nDate: Sun, 9 Sep 2001 01:46:40 +0000\r\n"
	      "Message-ID: <new@example.com>\r\n\r\nhi\r\n");
	check(WHOLE "Message-ID:\nTo: b@example.com\n\nhi\n", WHOLE "To: b@example.com\r\n\r\nhi\r\n");
	/* What is passed on stays as it was. */
	check("Resent-To: c@example.com\nResent-From: alice@example.com\nResent-Message-ID:\nResent-Date: d\nMessage-ID:\n\nhi\n",
	      "Resent-Message-ID: <new@example.com>\r\nResent-To: c@example.com\r\nResent-From: alice@example.com\r\n"
	      "Resent-Date: d\r\nMessage-ID:\r\n\r\nhi\r\n");
}

static void raw_eightbit_text_in_the_header_is_encoded(void **state)
{
	(void)state;
	check(WHOLE "Subject: Gr\xc3\xbc\xc3\x9f"
		    "e\n\nhi\n",
	      WHOLE "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nhi\r\n");
	/* Latin-1 as well. */
	check(WHOLE "Subject: Gr\xfc\xdf"
		    "e\n\nhi\n",
	      WHOLE "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nhi\r\n");
}

static void raw_eightbit_names_of_addresses_are_encoded_and_the_addresses_kept(void **state)
{
	(void)state;
	check(WHOLE "To: \"M\xc3\xbcller, Bob\" <bob@example.com>, (x) carol@example.com\n\nhi\n",
	      WHOLE "To: =?utf-8?B?TcO8bGxlciwgQm9i?= <bob@example.com>,\r\n x <carol@example.com>\r\n\r\nhi\r\n");
}

static void raw_eightbit_file_names_become_rfc_2231(void **state)
{
	(void)state;
	check(WHOLE "Content-Type: text/plain; name=\"\xc3\xbc b.txt\"; charset=us-ascii\n\nhi\n",
	      WHOLE "Content-Type: text/plain;\r\n name*=utf-8''%C3%BC%20b.txt;\r\n charset=us-ascii\r\n\r\nhi\r\n");
}

static void a_long_raw_file_name_is_cut_into_sections(void **state)
{
	(void)state;
	check(WHOLE "Content-Disposition: attachment; "
		    "filename=\"\xe6\x94\xb6\xe6\x94\xb6\xe6\x94\xb6\xe6\x94\xb6\xe6\x94\xb6\xe6\x94\xb6\xe6\x94\xb6.pdf\"\n\nhi\n",
	      WHOLE "Content-Disposition: attachment;\r\n "
		    "filename*0*=utf-8''%E6%94%B6%E6%94%B6%E6%94%B6%E6%94%B6%E6%94%B6%E6%94%B6%E6%94;\r\n"
		    " filename*1*=%B6.pdf\r\n\r\nhi\r\n");
}

static void a_raw_eightbit_body_is_declared(void **state)
{
	(void)state;
	check(WHOLE "To: b@example.com\n\nGr\xc3\xbc\xc3\x9f"
		    "e\n",
	      WHOLE "To: b@example.com\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
		    "8bit\r\n\r\nGr\xc3\xbc\xc3\x9f"
		    "e\r\n");
	check(WHOLE "To: b@example.com\n\n\xfc\n", WHOLE "To: b@example.com\r\nContent-Type: text/plain; "
							 "charset=unknown-8bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n");
}

static void without_8bitmime_a_single_text_part_becomes_quoted_printable(void **state)
{
	(void)state;
	options.takes_eightbit = false;
	check(WHOLE "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\xc3\xbc = 1 \n", WHOLE
	      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC =3D 1=20\r\n");
	check(WHOLE "Content-Type: text/plain\n\nascii = ascii\n", WHOLE "Content-Type: text/plain\r\n\r\nascii = ascii\r\n");
	check(WHOLE "Content-Type: application/x\n\n\xc3\xbc\n",
	      WHOLE "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nw7wNCg==\r\n");
}

#define MIXED "Content-Type: multipart/mixed; boundary=\"b c\"\r\n"

/* Nothing else changes: neither other parts nor what stands between them, nor fields in another spelling. */
static void without_8bitmime_each_part_that_needs_it_is_encoded(void **state)
{
	(void)state;
	options.takes_eightbit = false;
	check(WHOLE MIXED
	      "Content-Transfer-Encoding: 8bit\n\npreamble\n--b c\ncontent-type: Text/plain; charset=utf-8\n"
	      "CONTENT-transfer-encoding: 8BIT (so)\nX: y\n\n\xc3\xbc= \n\n--b c\t\n\nascii =\n"
	      "--b c\nContent-Type: image/x\n\n\xff\n\n--b c\nContent-Type: image/x\nContent-Transfer-Encoding: binary\n\n"
	      "123456789012345678901234567890123456789012345678901234567\xfe\n--b c--\n\nepilogue",
	      WHOLE MIXED
	      "Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--b c\r\nContent-Transfer-Encoding: quoted-printable\r\n"
	      "content-type: Text/plain; charset=utf-8\r\nX: y\r\n\r\n=C3=BC=3D=20\r\n\r\n--b c\t\r\n\r\nascii =\r\n"
	      "--b c\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/x\r\n\r\n/w0K\r\n"
	      "--b c\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/x\r\n\r\n"
	      "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\r\n/g==\r\n"
	      "--b c--\r\n\r\nepilogue\r\n");
}

#define OUTER "Content-Type: multipart/mixed; boundary=outer\r\n"

/* An outer delimiter ends what is inside of it; in a digest a message is what says nothing else; and a header may be cut off. */
static void parts_within_parts_are_encoded(void **state)
{
	(void)state;
	options.takes_eightbit = false;
	check(WHOLE OUTER
	      "\n--outer\nContent-Type: multipart/alternative; boundary=inner\nContent-Transfer-Encoding: binary\n\n"
	      "--inner\n\n\xc3\xbc\n--outer\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n"
	      "Subject: a\n\n\xc3\xa4\n--outer\nContent-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: b\n\n\xc3\xb6\n"
	      "--d--\n--outer\nX: no end\n--outer--\n",
	      WHOLE OUTER "Content-Transfer-Encoding: 7bit\r\n\r\n--outer\r\nContent-Transfer-Encoding: 7bit\r\n"
			  "Content-Type: multipart/alternative; boundary=inner\r\n\r\n"
			  "--inner\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"
			  "--outer\r\nContent-Transfer-Encoding: 7bit\r\nContent-Type: message/rfc822\r\n\r\n"
			  "Content-Transfer-Encoding: quoted-printable\r\nSubject: a\r\n\r\n=C3=A4\r\n"
			  "--outer\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n"
			  "Content-Transfer-Encoding: quoted-printable\r\nSubject: b\r\n\r\n=C3=B6\r\n--d--\r\n"
			  "--outer\r\nX: no end\r\n--outer--\r\n");
}

static void what_encoding_would_alter_is_refused(void **state)
{
	CLEANUP(buf) struct buf deep = BUF_INIT;
	static const char *const refused[][2] = {
		{ "\n--outer\nContent-Transfer-Encoding: base64\n\n\xc3\xbc\n--outer--\n", "encoded already" },
		{ "\n--outer\nContent-Transfer-Encoding: x-other\n\n\xc3\xbc\n--outer--\n", "encoded already" },
		{ "\n--outer\nContent-Type: multipart/signed; boundary=s\n\n--s\n\n\xc3\xbc\n--s--\n--outer--\n", "signed" },
		{ "\n--outer\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: multipart/mixed; "
		  "boundary=m\n\n--m\n\n\xc3\xbc\n"
		  "--m--\n--s--\n--outer--\n",
		  "signed" },
		{ "\n--outer\nContent-Type: message/partial; id=1\n\n\xc3\xbc\n--outer--\n", "a piece" },
		{ "\n--outer\nContent-Type: multipart/mixed\n\n\xc3\xbc\n--outer--\n", "a piece" },
		{ "\n\xc3\xbc\n--outer--\n", "between" },
		{ "\n--outer\nSubject: \xc3\xbc\n\n--outer--\n", "between" },
		{ "\n--outer--\n\xc3\xbc\n", "between" },
	};

	(void)state;
	options.takes_eightbit = false;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		CLEANUP(buf) struct buf written = BUF_INIT;

		buf_printf(&written, WHOLE OUTER "%s", refused[i][0]);
		check_refused(written.data, "takes no 8-bit text");
		check_refused(written.data, refused[i][1]);
	}
	buf_append_str(&deep, WHOLE "Content-Type: multipart/mixed; boundary=0\n\n");
	for (int i = 0; i < 40; i++)
		buf_printf(&deep, "--%d\nContent-Type: multipart/mixed; boundary=%d\n\n", i, i + 1);
	buf_append_str(&deep, "\xc3\xbc\n--0--\n");
	check_refused(deep.data, "nested too deep");
}

static void a_long_line_of_a_part_is_encoded_for_any_server(void **state)
{
	CLEANUP(buf) struct buf written = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	buf_append_str(&written, WHOLE OUTER "\n--outer\nContent-Type: text/html\n\n");
	for (int i = 0; i < 40000; i++)
		buf_append_char(&written, i % 10 ? 'x' : ' ');
	buf_append_str(
		&written,
		"\n--outer\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\xc3\xbc\n--outer--\n");
	assert_int_equal(prepare_bytes(written.data, written.len, &out, &why), 0);
	assert_non_null(strstr(
		out.data, "--outer\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html\r\n\r\n xxxxxxxxx "));
	assert_non_null(strstr(
		out.data,
		"x\r\n--outer\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
		"--outer--\r\n"));
	assert_null(strstr(out.data, "Encoding: 7bit"));
}

static void a_long_line_of_text_is_encoded_and_any_other_refused(void **state)
{
	CLEANUP(buf) struct buf written = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;
	size_t length = 0;

	(void)state;
	buf_append_str(&written, WHOLE "To: b@example.com\n\n");
	for (int i = 0; i < 40000; i++)
		buf_append_char(&written, i % 10 ? 'x' : ' ');
	assert_int_equal(prepare_bytes(written.data, written.len, &out, &why), 0);
	assert_non_null(strstr(out.data, "quoted-printable"));
	for (const char *c = out.data; *c; c++) {
		length = *c == '\n' ? 0 : length + 1;
		assert_true(length <= 77);
	}
	buf_release(&written);
	buf_append_str(&written, WHOLE "Content-Transfer-Encoding: base64\n\n");
	for (int i = 0; i < 999; i++)
		buf_append_char(&written, 'x');
	assert_int_equal(prepare_bytes(written.data, written.len, &out, &why), -EINVAL);
	assert_non_null(strstr(buf_str(&why), "998"));
}

static void a_long_line_of_the_header_is_refused(void **state)
{
	CLEANUP(buf) struct buf written = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	buf_append_str(&written, "To: b@example.com\nX: ");
	for (int i = 0; i < 20000; i++)
		buf_append_char(&written, 'x');
	buf_append_str(&written, "\n\nhi\n");
	assert_int_equal(prepare_bytes(written.data, written.len, &out, &why), -EINVAL);
	assert_non_null(strstr(buf_str(&why), "line 2 of the header is longer"));
}

/* A CR that is the last byte of what was read at a time, with its LF in the next piece. */
static void a_line_end_across_two_reads_is_one_line_end(void **state)
{
	(void)state;
	for (size_t n = 16384 - 200; n < 16384 + 3; n++) {
		CLEANUP(buf) struct buf written = BUF_INIT;
		CLEANUP(buf) struct buf out = BUF_INIT;
		CLEANUP(buf) struct buf why = BUF_INIT;

		buf_append_str(&written, WHOLE "To: b@example.com\r\n\r\n");
		while (written.len < n)
			buf_append_str(&written, written.len % 500 == 7 ? "\r\n" : "x");
		buf_append_str(&written, "\r\nend\r\n");
		assert_int_equal(prepare_bytes(written.data, written.len, &out, &why), 0);
		assert_int_equal(out.len, written.len);
		assert_memory_equal(out.data, written.data, out.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_missing_is_added_behind_what_is_there, setup),
		cmocka_unit_test_setup(a_whole_message_stays_as_it_is, setup),
		cmocka_unit_test_setup(line_ends_become_crlf_and_the_last_line_gets_one, setup),
		cmocka_unit_test_setup(a_header_without_a_body_gets_its_empty_line, setup),
		cmocka_unit_test_setup(bcc_goes_from_what_is_sent_and_stays_in_the_copy, setup),
		cmocka_unit_test_setup(a_resent_block_is_completed_and_the_rest_let_be, setup),
		cmocka_unit_test_setup(an_empty_message_id_or_date_is_replaced, setup),
		cmocka_unit_test_setup(raw_eightbit_text_in_the_header_is_encoded, setup),
		cmocka_unit_test_setup(raw_eightbit_names_of_addresses_are_encoded_and_the_addresses_kept, setup),
		cmocka_unit_test_setup(raw_eightbit_file_names_become_rfc_2231, setup),
		cmocka_unit_test_setup(a_long_raw_file_name_is_cut_into_sections, setup),
		cmocka_unit_test_setup(a_raw_eightbit_body_is_declared, setup),
		cmocka_unit_test_setup(without_8bitmime_a_single_text_part_becomes_quoted_printable, setup),
		cmocka_unit_test_setup(without_8bitmime_each_part_that_needs_it_is_encoded, setup),
		cmocka_unit_test_setup(parts_within_parts_are_encoded, setup),
		cmocka_unit_test_setup(what_encoding_would_alter_is_refused, setup),
		cmocka_unit_test_setup(a_long_line_of_a_part_is_encoded_for_any_server, setup),
		cmocka_unit_test_setup(a_long_line_of_text_is_encoded_and_any_other_refused, setup),
		cmocka_unit_test_setup(a_long_line_of_the_header_is_refused, setup),
		cmocka_unit_test_setup(a_line_end_across_two_reads_is_one_line_end, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
