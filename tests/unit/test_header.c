/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/header.h"

/* The fields of `message` as NAME=VALUE| with line ends shown, and where the header ends. */
static size_t describe(const char *message, struct buf *out)
{
	struct header_field field;
	size_t offset = 0;

	while (header_next(message, strlen(message), &offset, &field)) {
		buf_printf(out, "%.*s=%.*s|", (int)field.name_len, field.name, (int)field.value_len, field.value);
		assert_ptr_equal(field.raw, field.name);
		assert_true(field.raw + field.raw_len == message + offset);
	}
	return offset;
}

static const struct header_case {
	const char *message;
	const char *fields;
	const char *behind;
} cases[] = {
	{ "A: 1\r\nB: 2\r\n\r\nbody: x\r\n", "A= 1|B= 2|", "body: x\r\n" },
	{ "A: 1\nB:2\n\nbody", "A= 1|B=2|", "body" },
	{ "A: 1\r\n folded\r\n\tagain\r\nB:\r\n\r\n", "A= 1\r\n folded\r\n\tagain|B=|", "" },
	{ "A : 1\r\n", "A= 1|", "" },
	{ "A: 1", "A= 1|", "" },
	{ "A: 1\r", "A= 1|", "" },
	{ "A: 1\r\n\r", "A= 1|", "\r" },
	{ "A:", "A=|", "" },
	{ "A: 1\r\nno field here\r\nB: 2\r\n\r\n", "A= 1|", "no field here\r\nB: 2\r\n\r\n" },
	{ "From alice Mon Jan 1 00:00:00 2026\nA: 1\n\n", "", "From alice Mon Jan 1 00:00:00 2026\nA: 1\n\n" },
	{ " continued\r\nA: 1\r\n", "", " continued\r\nA: 1\r\n" },
	{ "\r\nA: 1\r\n", "", "A: 1\r\n" },
	{ ": x\r\n", "", ": x\r\n" },
	{ "", "", "" },
	{ "A: 1\n \nB: 2\n", "A= 1\n |B= 2|", "" },
	{ "caf\xc3\xa9: 1\n", "", "caf\xc3\xa9: 1\n" },
	{ "A: caf\xe9\n\n", "A= caf\xe9|", "" },
};

static void every_form_of_header_is_stepped_through(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf) struct buf fields = BUF_INIT;
		size_t end = describe(cases[i].message, &fields);

		assert_string_equal(buf_str(&fields), cases[i].fields);
		assert_string_equal(cases[i].message + end, cases[i].behind);
		assert_int_equal(header_length(cases[i].message, strlen(cases[i].message)), end);
	}
}

static void find_takes_the_first_of_that_name_without_case(void **state)
{
	static const char message[] = "Subject-Line: no\r\nSUBJECT: one\r\nSubject: two\r\n\r\nTo: x\r\n";
	struct header_field field;

	(void)state;
	assert_true(header_find(message, sizeof message - 1, "subject", &field));
	assert_memory_equal(field.value, " one", 4);
	assert_false(header_find(message, sizeof message - 1, "to", &field));
}

static void unfolding_removes_line_ends_outer_blanks_and_nuls(void **state)
{
	static const char message[] = "A: \t\r\n one\r\n two\0 three\n\tfour \0\r\n";
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct header_field field;

	(void)state;
	assert_true(header_find(message, sizeof message - 1, "a", &field));
	assert_int_equal(header_unfold(&field, &out), 0);
	assert_string_equal(buf_str(&out), "one two three\tfour");
}

static void text_is_decoded_and_one_line(void **state)
{
	static const char message[] = "Subject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_au?= lait=?utf-8?q?=0A?=x\r\n\r\n";
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(header_text(message, sizeof message - 1, "Subject", &out), 0);
	assert_string_equal(buf_str(&out), "caf\xc3\xa9 au lait x");
	assert_int_equal(header_text(message, sizeof message - 1, "From", &out), -ENOENT);
}

static void a_line_of_a_megabyte_is_one_field(void **state)
{
	CLEANUP(buf) struct buf message = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append_str(&message, "A: "), 0);
	for (int i = 0; i < 1 << 17; i++)
		assert_int_equal(buf_append_str(&message, "=?utf-8?"), 0);
	assert_int_equal(buf_append_str(&message, "\r\nB: 2\r\n"), 0);
	assert_int_equal(header_text(message.data, message.len, "A", &out), 0);
	assert_int_equal(out.len, 1 << 20);
	assert_int_equal(header_text(message.data, message.len, "B", &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_header_is_stepped_through),
		cmocka_unit_test(find_takes_the_first_of_that_name_without_case),
		cmocka_unit_test(unfolding_removes_line_ends_outer_blanks_and_nuls),
		cmocka_unit_test(text_is_decoded_and_one_line),
		cmocka_unit_test(a_line_of_a_megabyte_is_one_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
