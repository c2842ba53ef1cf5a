/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/letter.h"

static const char own[] = "*@example.net, Alice Example <alice@example.com>";

/* Through a pipe, `piece` bytes at a time. */
static void read_letter(const char *text, size_t piece, struct letter *ret)
{
	int ends[2];
	pid_t writer;

	assert_int_equal(pipe(ends), 0);
	writer = fork();
	if (writer == 0) {
		for (size_t len = strlen(text); len; text += piece, len -= piece) {
			piece = piece < len ? piece : len;
			if (write(ends[1], text, piece) < 0)
				break;
			usleep(1000);
		}
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(letter_read(ends[0], ret), 0);
	close(ends[0]);
	waitpid(writer, NULL, 0);
}

static void assert_starts(const struct letter *l, const char *text)
{
	assert_true(l->start.len >= strlen(text));
	assert_memory_equal(l->start.data, text, strlen(text));
}

static void the_header_is_whole_however_it_comes(void **state)
{
	static const char text[] =
		"From alice Tue Apr 14 09:30:00 2026\nTo: bob@example.com\nSubject: a\n b\n\nFrom here on: text\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof text; piece += 7) {
		CLEANUP(letter) struct letter l = { .start = BUF_INIT };

		read_letter(text, piece, &l);
		assert_starts(&l, "To: bob@example.com\nSubject: a\n b\n\n");
		assert_int_equal(l.header_len, strlen("To: bob@example.com\nSubject: a\n b\n\n"));
	}
}

static void what_ends_early_is_there_as_well(void **state)
{
	static const char *const texts[] = { "", "F", "From ", "To: bob", "To: bob@example.com\n", "no header", "\n" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CLEANUP(letter) struct letter l = { .start = BUF_INIT };

		read_letter(texts[i], 1, &l);
		assert_string_equal(buf_str(&l.start), texts[i]);
	}
}

static void recipients_come_from_the_header_that_counts(void **state)
{
	static const struct {
		const char *text, *recipients;
	} letters[] = {
		{ "To: Bob <bob@example.com>\nCc: carol@example.com, bob@example.com\nBcc: dave@example.com\n\n",
		  "bob@example.com,carol@example.com,dave@example.com" },
		{ "Resent-To: erin@example.com\nTo: bob@example.com\n\n", "erin@example.com" },
		{ "Subject: none\n\nTo: text@example.com\n", "" },
		{ "no header at all", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
		CLEANUP(letter) struct letter l = { .start = BUF_INIT };
		CLEANUP(string_list) struct string_list list = { NULL, 0 };
		CLEANUP(buf) struct buf joined = BUF_INIT, why = BUF_INIT;

		read_letter(letters[i].text, 4096, &l);
		assert_int_equal(letter_recipients(&l, &list, &why), 0);
		assert_int_equal(string_list_join(&list, ",", &joined), 0);
		assert_string_equal(buf_str(&joined), letters[i].recipients);
	}
}

static void the_users_own_login_and_root_are_oneself(void **state)
{
	CLEANUP(string_list) struct string_list list = { NULL, 0 };
	CLEANUP(buf) struct buf joined = BUF_INIT, why = BUF_INIT;
	const struct passwd *user = getpwuid(getuid());

	(void)state;
	assert_int_equal(letter_add_recipients("root", own, &list, &why), 0);
	if (user)
		assert_int_equal(letter_add_recipients(user->pw_name, own, &list, &why), 0);
	assert_int_equal(letter_add_recipients("Bob <bob@example.com>, carol@example.com", own, &list, &why), 0);
	assert_int_equal(string_list_join(&list, ",", &joined), 0);
	assert_string_equal(joined.data, "alice@example.com,bob@example.com,carol@example.com");
	assert_int_equal(letter_add_recipients("nobody-here", own, &list, &why), -EINVAL);
	assert_int_equal(letter_add_recipients("root", NULL, &list, &why), -EINVAL);
	assert_int_equal(letter_add_recipients("two words", own, &list, &why), -EINVAL);
	assert_int_equal(letter_add_recipients("", own, &list, &why), -EINVAL);
}

static void only_a_sender_without_an_address_is_replaced(void **state)
{
	static const struct {
		const char *before, *name, *after;
	} letters[] = {
		{ "To: a\nFrom: root (Cron Daemon)\nSubject: x\n\ntext", NULL,
		  "To: a\nFrom: Cron Daemon <alice@example.com>\nSubject: x\n\ntext" },
		{ "To: a\nFrom: root\n\n", NULL, "To: a\nFrom: Alice Example <alice@example.com>\n\n" },
		{ "From: root (Cron Daemon)\n\n", "Backup", "From: Backup <alice@example.com>\n\n" },
		{ "To: a\n\n", "Backup", "From: Backup <alice@example.com>\nTo: a\n\n" },
		{ "To: a\n\n", NULL, "To: a\n\n" },
		{ "From: Alice <alice@example.com>\n\n", "Backup", "From: Alice <alice@example.com>\n\n" },
		{ "From: two words\n\n", "Backup", "From: two words\n\n" },
		{ "no header", "Backup", "no header" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
		CLEANUP(letter) struct letter l = { .start = BUF_INIT };

		read_letter(letters[i].before, 4096, &l);
		assert_int_equal(letter_set_sender(&l, own, letters[i].name), 0);
		assert_string_equal(l.start.data, letters[i].after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_whole_however_it_comes),
		cmocka_unit_test(what_ends_early_is_there_as_well),
		cmocka_unit_test(recipients_come_from_the_header_that_counts),
		cmocka_unit_test(the_users_own_login_and_root_are_oneself),
		cmocka_unit_test(only_a_sender_without_an_address_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
