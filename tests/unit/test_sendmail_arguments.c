/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/sendmail_arguments.h"

enum { ARGUMENTS_MAX = 16 };

/* Splits `line` at its blanks, in place; *ret borrows from it and from `argv`. */
static int parse(char *line, char **argv, struct sendmail_arguments *ret, struct buf *why)
{
	int argc = 0;

	argv[argc++] = "sendmail";
	for (char *word; (word = strsep(&line, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	return sendmail_arguments_parse(argc, argv, ret, why);
}

static void what_mutt_cron_and_git_say_is_understood(void **state)
{
	static const struct {
		const char *line, *sender, *name, *first;
		bool reads_header;
	} calls[] = {
		{ "-oem -oi -f alice@example.com -N failure,delay -R hdrs -B8BITMIME -- bob@example.com", "alice@example.com", NULL,
		  "bob@example.com", false },
		{ "-i -FCronDaemon -B8BITMIME -oem root", NULL, "CronDaemon", "root", false },
		{ "-i bob@example.com carol@example.com", NULL, NULL, "bob@example.com", false },
		{ "-falice@example.com -t -i", "alice@example.com", NULL, NULL, true },
		{ "-r alice@example.com -bm -odb -v -n -m -x -G -U -em -h 5 -V id -L tag -O Timeout=1 -p smtp -Am -- "
		  "-odd@example.com",
		  "alice@example.com", NULL, "-odd@example.com", false },
		{ "-f root bob@example.com", NULL, NULL, "bob@example.com", false },
		{ "-f <> bob@example.com", NULL, NULL, "bob@example.com", false },
		{ "bob@example.com -t", NULL, NULL, "bob@example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		char line[256];
		char *argv[2 * ARGUMENTS_MAX];
		CLEANUP(buf) struct buf why = BUF_INIT;
		struct sendmail_arguments a;

		strcpy(line, calls[i].line);
		assert_int_equal(parse(line, argv, &a, &why), 0);
		assert_string_equal(a.sender ? a.sender : "", calls[i].sender ? calls[i].sender : "");
		assert_string_equal(a.name ? a.name : "", calls[i].name ? calls[i].name : "");
		assert_string_equal(a.recipients[0] ? a.recipients[0] : "", calls[i].first ? calls[i].first : "");
		assert_int_equal(a.reads_header, calls[i].reads_header);
	}
}

static void what_is_no_sending_is_refused_by_name(void **state)
{
	static const struct {
		const char *line, *why;
	} calls[] = {
		{ "-bs", "-bs: " },  { "-bd", "-bd: " },     { "-bp", "-bp: " },    { "-bi", "-bi: " },
		{ "-q", "-q: " },    { "-q30m", "-q30m: " }, { "-I", "-I: " },	    { "-Z bob@example.com", "-Z: " },
		{ "-t -f", "-f: " }, { "-i", "nobody" },     { "-i --", "nobody" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		char line[64];
		char *argv[ARGUMENTS_MAX];
		CLEANUP(buf) struct buf why = BUF_INIT;
		struct sendmail_arguments a;

		strcpy(line, calls[i].line);
		assert_int_equal(parse(line, argv, &a, &why), -EINVAL);
		assert_memory_equal(buf_str(&why), calls[i].why, strlen(calls[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_mutt_cron_and_git_say_is_understood),
		cmocka_unit_test(what_is_no_sending_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
