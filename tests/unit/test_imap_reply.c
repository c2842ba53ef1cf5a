/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>

#include "backend/imap_items.h"
#include "backend/imap_record.h"
#include "backend/imap_reply.h"

static struct imap_text text_of(const char *text)
{
	return (struct imap_text){ text, strlen(text) };
}

static struct imap_response untagged(const char *word, const char *rest)
{
	return (struct imap_response){
		.kind = RESPONSE_UNTAGGED, .word = text_of(word), .rest = text_of(rest), .all = text_of(rest)
	};
}

static struct imap_response tagged(const char *word, const char *rest)
{
	return (struct imap_response){ .kind = RESPONSE_TAGGED, .tag = text_of("1"), .word = text_of(word), .rest = text_of(rest) };
}

static void assert_text(struct imap_text text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.data, expected, text.len);
}

static void a_condition_is_status_code_arguments_and_text(void **state)
{
	struct imap_response response = tagged("NO", "[OVERQUOTA] Mailbox is full");
	struct imap_condition c;

	(void)state;
	imap_condition_read(&response, &c);
	assert_int_equal(c.status, STATUS_NO);
	assert_text(c.code, "OVERQUOTA");
	assert_text(c.text, "Mailbox is full");
	response = untagged("OK", "[ALERT]");
	imap_condition_read(&response, &c);
	assert_text(c.code, "ALERT");
	assert_text(c.text, "");
	response = untagged("OK", "[ALERT never closed");
	imap_condition_read(&response, &c);
	assert_int_equal(c.code.len, 0);
	response = untagged("EXISTS", "");
	imap_condition_read(&response, &c);
	assert_int_equal(c.status, STATUS_NONE);
}

static void codes_become_errnos(void **state)
{
	static const struct {
		const char *code;
		int error;
	} table[] = {
		{ "overquota", -EDQUOT },
		{ "NOPERM", -EACCES },
		{ "ALREADYEXISTS", -EEXIST },
		{ "NONEXISTENT", -ENXIO },
		{ "TRYCREATE", -ENOLINK },
		{ "CANNOT", -EPERM },
		{ "HASCHILDREN", -ENOTEMPTY },
		{ "LIMIT", -EAGAIN },
		{ "INUSE", -EAGAIN },
		{ "UNAVAILABLE", -EAGAIN },
		{ "TOOBIG", -EFBIG },
		{ "READ-ONLY", -EROFS },
		{ "UNKNOWN-CTE", -EINVAL },
		{ "SERVERBUG", -EIO },
		{ "XYZZY", -EIO },
		{ "", -EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(imap_code_errno(text_of(table[i].code)), table[i].error);
}

static void strings_come_as_atoms_quoted_or_literal(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	struct imap_scan s = imap_scan_text(text_of("atom \"quo\\\"te\\\\d\" {4}\r\na\"b) NIL (a (b \"c)\") {1}\r\n() 12"));
	uint64_t number = 0;

	(void)state;
	assert_true(imap_scan_string(&s, &out));
	assert_string_equal(buf_str(&out), "atom");
	assert_true(imap_scan_char(&s, ' ') && imap_scan_string(&s, &out));
	assert_string_equal(buf_str(&out), "quo\"te\\d");
	assert_true(imap_scan_char(&s, ' ') && imap_scan_string(&s, &out));
	assert_string_equal(buf_str(&out), "a\"b)");
	assert_true(imap_scan_char(&s, ' ') && imap_scan_nil(&s));
	assert_true(imap_scan_char(&s, ' ') && imap_scan_skip(&s));
	assert_true(imap_scan_char(&s, ' ') && imap_scan_number(&s, &number));
	assert_int_equal(number, 12);
	assert_false(imap_scan_number(&s, &number) || imap_scan_string(&s, &out) || imap_scan_skip(&s));
}

static void broken_strings_are_refused_and_left(void **state)
{
	static const char *const texts[] = { "\"open", "\"open\\", "{5}\r\nabc", "{5", "(a (b)", "((((((((((((((((((a", "" };
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct imap_scan s = imap_scan_text(text_of(texts[i]));
		const char *at = s.at;

		assert_false(*texts[i] == '(' ? imap_scan_skip(&s) : imap_scan_string(&s, &out));
		assert_ptr_equal(s.at, at);
	}
}

/* ------------------------------------------------------------ record */

static char alert[64];

static void on_alert(void *userdata, const char *text)
{
	(void)userdata;
	snprintf(alert, sizeof(alert), "%s", text);
}

static void note(struct imap_record *r, struct imap_response response)
{
	imap_record_note(r, &response);
}

static void numbers_of_the_folder_are_recorded(void **state)
{
	struct imap_record r;
	struct imap_response gone = untagged("EXPUNGE", "");

	(void)state;
	imap_record_init(&r, on_alert, NULL);
	imap_record_select(&r);
	note(&r, (struct imap_response){ .kind = RESPONSE_UNTAGGED, .word = text_of("EXISTS"), .number = 9, .rest = text_of("") });
	note(&r, untagged("OK", "[UIDVALIDITY 4294967295] x"));
	note(&r, untagged("OK", "[UIDNEXT 4294967296] too much"));
	note(&r, untagged("OK", "[HIGHESTMODSEQ 18446744073709551] x"));
	note(&r, gone);
	note(&r, untagged("VANISHED", "3:4,7"));
	note(&r, untagged("VANISHED", "(EARLIER) 1:2"));
	note(&r, tagged("OK", "[READ-ONLY] x"));
	assert_int_equal(r.exists, 5);
	assert_int_equal(r.expunged, 4);
	assert_int_equal(r.uidvalidity, 4294967295);
	assert_int_equal(r.uidnext, 0);
	assert_true(r.highestmodseq == 18446744073709551);
	assert_true(r.read_only);
	imap_record_release(&r);
}

static void alerts_byes_and_capabilities_are_recorded(void **state)
{
	struct imap_record r;

	(void)state;
	imap_record_init(&r, on_alert, NULL);
	note(&r, untagged("OK", "[ALERT] Disk \x1b[31m full"));
	assert_string_equal(alert, "Disk ?[31m full");
	note(&r, untagged("OK", "[ALERT]"));
	assert_string_equal(alert, "");
	note(&r, untagged("BYE", "Idle too long"));
	assert_string_equal(buf_str(&r.bye), "Idle too long");
	note(&r, tagged("OK", "[CAPABILITY IMAP4rev1 IDLE] in"));
	assert_string_equal(buf_str(&r.capabilities), " IMAP4rev1 IDLE ");
	assert_int_equal(r.told, 1);
	note(&r, tagged("OK", "[APPENDUID 7 12] stored"));
	note(&r, untagged("OK", "[COPYUID 7 1:2 3:4] moved"));
	assert_string_equal(buf_str(&r.uidplus), "7 12\n7 1:2 3:4\n");
	note(&r, tagged("NO", "[AUTHENTICATIONFAILED] wrong"));
	assert_true(r.auth_failed && r.error == -EACCES && r.status == STATUS_NO);
	imap_record_release(&r);
}

static void what_the_folder_permits_is_as_last_told(void **state)
{
	struct imap_record r;

	(void)state;
	imap_record_init(&r, on_alert, NULL);
	imap_record_select(&r);
	note(&r, untagged("OK", "[PERMANENTFLAGS broken] x"));
	assert_false(r.has_permanent_flags);
	note(&r, untagged("OK", "[PERMANENTFLAGS ()] x"));
	assert_true(r.has_permanent_flags);
	assert_string_equal(buf_str(&r.permanent_flags), "");
	note(&r, untagged("OK", "[PERMANENTFLAGS (\\Seen $x \\*)] x"));
	assert_string_equal(buf_str(&r.permanent_flags), "\\Seen $x \\*");
	note(&r, untagged("OK", "[READ-ONLY] for now"));
	assert_true(r.read_only);
	note(&r, untagged("OK", "[READ-WRITE] again"));
	assert_false(r.read_only);
	imap_record_select(&r);
	assert_false(r.has_permanent_flags);
	imap_record_release(&r);
}

static void new_uids_told_without_end_are_not_kept_without_end(void **state)
{
	struct imap_record r;

	(void)state;
	imap_record_init(&r, on_alert, NULL);
	for (int i = 0; i < 100000; i++)
		note(&r, untagged("OK", "[COPYUID 7 1:2 3:4] moved"));
	assert_in_range(r.uidplus.len, 1, 300000);
	imap_record_release(&r);
}

/* ------------------------------------------------------------ FETCH */

/* `text` and the reader live as long as what is read. */
static int read_items(struct imap_items_reader *reader, const char *text, struct imap_items *ret)
{
	const struct imap_response response = { .all = text_of(text), .rest = text_of(text) };

	return imap_items_read(reader, &response, ret);
}

static void a_message_is_described_in_any_order(void **state)
{
	struct imap_items_reader reader = { .flags = BUF_INIT };
	struct imap_items items;

	(void)state;
	assert_int_equal(read_items(&reader,
				    "(BODY[HEADER.FIELDS (\"FROM\" SUBJECT)]<0> {3}\r\na)b RFC822.SIZE 4294967296 MODSEQ (3) "
				    "UID 7 FLAGS ($x \\Seen \\Recent \\Unknown) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")",
				    &items),
			 0);
	assert_int_equal(items.uid, 7);
	assert_string_equal(items.flags, "\\Seen $x");
	assert_true(items.has_date && items.has_size && items.has_body);
	assert_int_equal(items.date_s, 837596665);
	assert_true(items.size_bytes == 4294967296);
	assert_text(items.body, "a)b");
	imap_items_reader_release(&reader);
}

static void bodies_come_as_literal_quoted_or_nil(void **state)
{
	struct imap_items_reader reader = { .flags = BUF_INIT };
	struct imap_items items;

	(void)state;
	assert_int_equal(read_items(&reader, "(BODY[] NIL UID 7)", &items), 0);
	assert_true(items.has_body && !items.body.data && !items.flags);
	assert_int_equal(read_items(&reader, "(UID 7 BODY[]<9> \"\")", &items), 0);
	assert_true(items.has_body && items.body.data && !items.body.len);
	assert_int_equal(read_items(&reader, "(UID 7 BODY[] \"a\\\"b\")", &items), 0);
	assert_text(items.body, "a\"b");
	imap_items_reader_release(&reader);
}

static void what_nobody_asked_for_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"()",
		"(UID)",
		"(UID 7",
		"(UID 7))",
		"(UID 4294967296)",
		"(ENVELOPE (NIL NIL))",
		"(BODYSTRUCTURE ((((((((((((((((((((((((((",
		"(UID 7 FLAGS (\"a\"))",
		"(UID 7 FLAGS (a (b)))",
		"(UID 7 FLAGS",
		"(UID 7 INTERNALDATE NIL)",
		"(UID 7 INTERNALDATE \"yesterday\")",
		"(UID 7 RFC822.SIZE 9223372036854775808)",
		"(UID 7 BODY[TEXT] \"x\")",
		"(UID 7 BODY[] atom)",
		"(UID 7 BODY[] {4}\r\nabc)",
		"(UID 7 BODY[] NIL BODY[] NIL)",
		"(UID 7  FLAGS ())",
	};
	struct imap_items_reader reader = { .flags = BUF_INIT };
	struct imap_items items;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(read_items(&reader, texts[i], &items), -EPROTO);
	imap_items_reader_release(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_condition_is_status_code_arguments_and_text),
		cmocka_unit_test(codes_become_errnos),
		cmocka_unit_test(strings_come_as_atoms_quoted_or_literal),
		cmocka_unit_test(broken_strings_are_refused_and_left),
		cmocka_unit_test(numbers_of_the_folder_are_recorded),
		cmocka_unit_test(alerts_byes_and_capabilities_are_recorded),
		cmocka_unit_test(what_the_folder_permits_is_as_last_told),
		cmocka_unit_test(new_uids_told_without_end_are_not_kept_without_end),
		cmocka_unit_test(a_message_is_described_in_any_order),
		cmocka_unit_test(bodies_come_as_literal_quoted_or_nil),
		cmocka_unit_test(what_nobody_asked_for_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
