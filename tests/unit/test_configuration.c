/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/configuration.h"

static char directory[] = "/tmp/mailfs-test-configuration-XXXXXX";
static char path[sizeof directory + 20];

static void write_file(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int load(const char *text, const char *account, const char *option, struct configuration *c, struct buf *why)
{
	write_file(text, 0600);
	return configuration_load(path, account, &option, option ? 1 : 0, c, why);
}

static void every_key_reaches_its_field(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(
		load("timeout = 30\n"
		     "# a comment\n"
		     "  ; another\n"
		     "\n"
		     "[other]\n"
		     "timeout = nonsense\n"
		     "[work]\r\n"
		     "imap = imaps://alice@example.com@mail.example.com\r\n"
		     "smtp=smtp://mail.example.com:2587\n"
		     "from = Alice <alice@example.com>, *@example.org\n"
		     "password_command = pass show mail; true # kept = whole\n"
		     "password-file = ~/secret file\n"
		     "password = #1;\"x\n"
		     "smtp-password = y\n"
		     "auth = SCRAM-SHA-256\n"
		     "tls-ca = /etc/ca.pem\n"
		     "tls-fingerprint = SHA256:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:FF00112233445566778899AABBCCDDEEFF\n"
		     "tls-cert = /c\ntls-key = /k\n"
		     "names = uid\nzone = Asia/Shanghai\n"
		     "folders = * \"!Junk Mail\" !spam#1;2\n"
		     "subscribed = yes\ndelete = mark\ntrash-keep = 2d\nsent = None\noutbox-hold = 30s\noutbox-wait = 1m\n"
		     "cache-dir = ~/cache\ncache-size = 512M\ncache-age = 4w\nstate-dir = /state\n"
		     "connections = 8\nread-ahead = 0\n",
		     "work", NULL, &c, &why),
		0);
	assert_string_equal(c.account, "work");
	assert_string_equal(c.path, path);
	assert_string_equal(c.imap.user, "alice@example.com");
	assert_string_equal(c.imap.host, "mail.example.com");
	assert_string_equal(c.smtp.user, "alice@example.com");
	assert_int_equal(c.smtp.port, 2587);
	assert_null(c.pop3.host);
	assert_string_equal(c.from, "Alice <alice@example.com>, *@example.org");
	assert_string_equal(c.secret.command, "pass show mail; true # kept = whole");
	assert_string_equal(c.secret.literal, "#1;\"x");
	assert_string_equal(c.smtp_secret.literal, "y");
	assert_null(c.smtp_secret.command);
	assert_string_equal(c.auth, "scram-sha-256");
	assert_string_equal(c.smtp_auth, "auto");
	assert_string_equal(c.tls_ca, "/etc/ca.pem");
	assert_string_equal(c.tls_fingerprint, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	assert_string_equal(c.tls_cert, "/c");
	assert_string_equal(c.tls_key, "/k");
	assert_int_equal(c.names, NAMES_UID);
	assert_string_equal(c.zone, "Asia/Shanghai");
	assert_string_equal(c.folders, "* \"!Junk Mail\" !spam#1;2");
	assert_true(c.subscribed);
	assert_int_equal(c.delete_mode, DELETE_MARK);
	assert_int_equal(c.trash_keep_s, 2 * 86400);
	assert_string_equal(c.sent, "none");
	assert_int_equal(c.outbox_hold_s, 30);
	assert_int_equal(c.outbox_wait_s, 60);
	assert_int_equal(c.cache_size_bytes, 512 << 20);
	assert_int_equal(c.cache_age_s, 28 * 86400);
	assert_string_equal(c.state_dir, "/state");
	assert_int_equal(c.timeout_s, 30);
	assert_int_equal(c.connections, 8);
	assert_int_equal(c.read_ahead_bytes, 0);

	char expected[100];

	snprintf(expected, sizeof expected, "%s/cache", directory);
	assert_string_equal(c.cache_dir, expected);
	snprintf(expected, sizeof expected, "%s/secret file", directory);
	assert_string_equal(c.secret.file, expected);
}

static void smtp_auth_is_that_of_auth_where_submission_has_it(void **state)
{
	static const char *const inherited[][2] = { { "plain", "plain" },	 { "external", "external" },
						    { "xoauth2", "xoauth2" },	 { "scram-sha-1", "auto" },
						    { "scram-sha-256", "auto" }, { "anonymous", "auto" } };

	(void)state;
	for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++) {
		CLEANUP(configuration) struct configuration c = { 0 };
		CLEANUP(buf) struct buf why = BUF_INIT;
		char text[96];

		snprintf(text, sizeof text, "[a]\nimap = imaps://alice@h\nauth = %s\n", inherited[i][0]);
		assert_int_equal(load(text, "a", NULL, &c, &why), 0);
		assert_string_equal(c.smtp_auth, inherited[i][1]);
		configuration_release(&c);
		snprintf(text, sizeof text, "[a]\nimap = imaps://alice@h\nsmtp-auth = %s\n", inherited[i][0]);
		assert_int_equal(load(text, "a", NULL, &c, &why), !strcmp(inherited[i][1], "auto") ? -EINVAL : 0);
	}
}

static void the_defaults_are_those_of_the_manual(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	char expected[100];

	(void)state;
	assert_int_equal(load("[a/../.b]\nimap = imaps://alice@h\n", "a/../.b", NULL, &c, &why), 0);
	assert_null(c.from);
	assert_null(c.zone);
	assert_null(c.smtp.host);
	assert_null(c.secret.command);
	assert_string_equal(c.auth, "auto");
	assert_string_equal(c.smtp_auth, "auto");
	assert_int_equal(c.names, NAMES_SUBJECT);
	assert_string_equal(c.folders, "*");
	assert_false(c.subscribed);
	assert_int_equal(c.delete_mode, DELETE_TRASH);
	assert_int_equal(c.trash_keep_s, 3600);
	assert_string_equal(c.sent, "auto");
	assert_int_equal(c.outbox_hold_s, 0);
	assert_int_equal(c.cache_size_bytes, (int64_t)2 << 30);
	assert_int_equal(c.cache_age_s, 0);
	assert_int_equal(c.timeout_s, 15);
	assert_int_equal(c.connections, 4);
	assert_int_equal(c.read_ahead_bytes, 8 << 20);
	snprintf(expected, sizeof expected, "%s/.cache/mailfs/a%%2F..%%2F.b", directory);
	assert_string_equal(c.cache_dir, expected);
	snprintf(expected, sizeof expected, "%s/.local/state/mailfs/a%%2F..%%2F.b", directory);
	assert_string_equal(c.state_dir, expected);
}

static void a_url_is_an_account_with_the_defaults_of_the_file(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(load("imap = imaps://other\npassword-command = x\n[work]\nnames = uid\n",
			      "pop3s://alice@example.com@mail.example.com:1995", "cache_size=1K", &c, &why),
			 0);
	assert_null(c.imap.host);
	assert_string_equal(c.pop3.host, "mail.example.com");
	assert_string_equal(c.secret.command, "x");
	assert_string_equal(c.from, "alice@example.com");
	assert_int_equal(c.names, NAMES_SUBJECT);
	assert_int_equal(c.cache_size_bytes, 1024);
	assert_non_null(strstr(c.state_dir, "/mailfs/alice@example.com@mail.example.com:1995+pop3"));
}

static void a_path_that_ends_with_a_section_is_that_account(void **state)
{
	static const char text[] = "[work]\nimap = imaps://h\n[/srv/work]\nimap = imaps://g\n";
	static const char *const accounts[][2] = {
		{ "work", "work" }, { "/work", "work" }, { "/home/alice/work", "work" }, { "/srv/work", "/srv/work" }
	};
	static const char *const none[] = { "alice/work", "/home/alice/work/", "/paperwork", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
		CLEANUP(configuration) struct configuration c = { 0 };
		CLEANUP(buf) struct buf why = BUF_INIT;

		assert_int_equal(load(text, accounts[i][0], NULL, &c, &why), 0);
		assert_string_equal(c.account, accounts[i][1]);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		CLEANUP(configuration) struct configuration c = { 0 };
		CLEANUP(buf) struct buf why = BUF_INIT;

		assert_int_equal(load(text, none[i], NULL, &c, &why), -ENOENT);
	}
}

static void an_option_wins_and_an_empty_value_takes_back(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	const char *options[] = { "names=subject", "subscribed", "smtp=", "trash_keep=" };

	(void)state;
	write_file("smtp = smtps://h\ntrash-keep = 5\n[a]\nimap = imaps://u@h\nnames = uid\n", 0600);
	assert_int_equal(configuration_load(path, "a", options, 4, &c, &why), 0);
	assert_int_equal(c.names, NAMES_SUBJECT);
	assert_true(c.subscribed);
	assert_null(c.smtp.host);
	assert_int_equal(c.trash_keep_s, 3600);
}

/* File, account, option, and what stands in the one line. */
static const char *const faults[][4] = {
	{ "[a]\nimap = imaps://u@h\nnmaes = uid\n", "a", NULL, ":3: unknown key \"nmaes\": did you mean \"names\"?" },
	{ "pasword-command = x\n", "imaps://u@h", NULL, ":1: unknown key \"pasword-command\": did you mean \"password-command\"?" },
	{ "[a]\nimap = imaps://u@h\n[b]\nwhatever = 1\n", "a", NULL, ":4: unknown key \"whatever\": mailfs.conf(5)" },
	{ "[a]\nimap = mail.example.com\n", "a", NULL, ":2: imap: a URL begins with imaps://" },
	{ "[a]\nimap = smtps://h\n", "a", NULL, ":2: imap: a URL like imaps://user@host" },
	{ "[a]\nimap = imap+insecure://mail.example.com\n", "a", NULL, ":2: imap: an insecure scheme" },
	{ "[a]\nnames = both\n", "a", NULL, ":2: names: write one of subject, uid" },
	{ "[a]\nsubscribed = maybe\n", "a", NULL, ":2: subscribed: write one of no, yes" },
	{ "[a]\nauth = ntlm\n", "a", NULL, ":2: auth: write one of auto, plain" },
	{ "[a]\ncache-size = 2X\n", "a", NULL, ":2: cache-size: write bytes" },
	{ "[a]\ncache-size = 9999999999T\n", "a", NULL, ":2: cache-size: write bytes" },
	{ "[a]\ntimeout = 0\n", "a", NULL, ":2: timeout: write a value from 1 to 3600" },
	{ "[a]\ntimeout = 1 hour\n", "a", NULL, ":2: timeout: write seconds" },
	{ "[a]\nconnections = 4x\n", "a", NULL, ":2: connections: write a number from 1 to 32" },
	{ "[a]\nconnections = 0\n", "a", NULL, ":2: connections: write a number from 1 to 32" },
	{ "[a]\ntimeout = -1\n", "a", NULL, ":2: timeout: write seconds" },
	{ "[a]\ndelete = trsh\n", "a", NULL, ":2: delete: write one of trash, expunge, mark" },
	{ "[a]\ntrash-keep = 1y\n", "a", NULL, ":2: trash-keep: write seconds, or a number with s, m, h, d or w" },
	{ "[a]\ncache-age = 0\n", "a", NULL, ":2: cache-age: write a value from 1 to 3162240000, or unlimited" },
	{ "[a]\ncache-age = never\n", "a", NULL,
	  ":2: cache-age: write seconds, or a number with s, m, h, d or w: 15m, or unlimited" },
	{ "[a]\ncache-dir = cache\n", "a", NULL, ":2: cache-dir: write a path that begins with / or ~/" },
	{ "[a]\ntls-fingerprint = sha256:12\n", "a", NULL, ":2: tls-fingerprint: write sha256:" },
	{ "[a]\ntls-fingerprint = md5:12\n", "a", NULL, ":2: tls-fingerprint: write sha256:" },
	{ "[a]\ntls-key = /k\nimap=imaps://h\n", "a", NULL, ":2: tls-key: a key without its certificate: add tls-cert" },
	{ "[a]\nwhat is this\n", "a", NULL, ":2: neither" },
	{ "[a\nimap = imaps://h\n", "a", NULL, ":1: neither" },
	{ "[]\n", "a", NULL, ":1: neither" },
	{ "[a] b\n", "a", NULL, ":1: neither" },
	{ "= x\n", "a", NULL, ":1: neither" },
	{ "[home]\n[work]\n", "a", NULL, "no section [a]; there are [home], [work]" },
	{ "", "a", NULL, "no section [a]; there is none yet" },
	{ "[a]\nsmtp = smtps://h\n", "a", NULL, "account a has no server: add imap" },
	{ "[a]\nimap = imaps://h\npop3 = pop3s://h\n", "a", NULL, ":3: pop3: account a has both imap and pop3" },
	{ "", "smtps://u@h", NULL, "smtps://u@h: an account's URL" },
	{ "", "imaps://u@h", "nams=uid", "-o: unknown key \"nams\": did you mean \"names\"?" },
	{ "", "imaps://u@h", "names", "-o names: a value is missing" },
	{ "", "imaps://u@h", "names=x", "-o: names: write one of" },
	{ "", "imaps://u@h", "password=x", "-o password: everybody sees" },
	{ "", "imaps://u@h", "smtp_password=x", "everybody sees" },
};

static void every_fault_is_one_line_that_says_where_and_what_to_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		CLEANUP(configuration) struct configuration c = { 0 };
		CLEANUP(buf) struct buf why = BUF_INIT;

		assert_true(load(faults[i][0], faults[i][1], faults[i][2], &c, &why) < 0);
		if (!strstr(buf_str(&why), faults[i][3]))
			fail_msg("expected \"%s\" in \"%s\"", faults[i][3], buf_str(&why));
		assert_null(strchr(buf_str(&why), '\n'));
		assert_null(c.account);
	}
}

static void a_value_that_proves_wrong_later_is_named_with_its_line(void **state)
{
	static const char text[] = "tls-ca = /ca\nzone = UTC\nfrom = x\n[a]\nimap = imaps://h\nzone = Europe/Berln\nfrom =\n";
	const char *options[] = { "folders=x" };
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(buf) struct buf expected = BUF_INIT;

	(void)state;
	write_file(text, 0600);
	assert_int_equal(configuration_load(path, "a", options, 1, &c, &why), 0);
	assert_int_equal(configuration_fault(&c, "zone", &why, "no zone %s", c.zone), -EINVAL);
	buf_printf(&expected, "%s:6: zone: no zone Europe/Berln", path);
	assert_string_equal(buf_str(&why), buf_str(&expected));
	buf_truncate(&why, 0);
	buf_truncate(&expected, 0);
	configuration_fault(&c, "tls-ca", &why, "not there");
	buf_printf(&expected, "%s:1: tls-ca: not there", path);
	assert_string_equal(buf_str(&why), buf_str(&expected));
	buf_truncate(&why, 0);
	configuration_fault(&c, "folders", &why, "no pattern");
	assert_string_equal(buf_str(&why), "-o: folders: no pattern");
	assert_true(configuration_is_given(&c, "folders") && configuration_is_given(&c, "zone"));
	assert_false(configuration_is_given(&c, "from") || configuration_is_given(&c, "timeout"));
}

static void a_file_that_others_can_read_is_refused_with_the_command_to_mend_it(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	char expected[100];

	(void)state;
	write_file("[a]\nimap = imaps://h\n", 0640);
	assert_int_equal(configuration_load(path, "a", NULL, 0, &c, &why), -EACCES);
	snprintf(expected, sizeof expected, "chmod 600 %s", path);
	assert_non_null(strstr(buf_str(&why), expected));
}

static void a_missing_file_and_a_directory_are_named(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(configuration_load("/nonexistent", "imaps://h", NULL, 0, &c, &why), -ENOENT);
	assert_string_equal(buf_str(&why), "/nonexistent: No such file or directory");
	buf_truncate(&why, 0);
	assert_int_equal(configuration_load(directory, "imaps://h", NULL, 0, &c, &why), -EISDIR);
}

static void the_default_file_is_below_xdg_config_home(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r;

	(void)state;
	write_file("[a]\nimap = imaps://h\n", 0600);
	r = configuration_load(NULL, "a", NULL, 0, &c, &why);
	assert_int_equal(r, 0);
	assert_string_equal(c.path, path);
}

static void a_value_has_any_length(void **state)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append_str(&text, "\xef\xbb\xbf[a]\nimap = imaps://h\npassword-command = "), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_append_str(&text, "x ; "), 0);
	assert_int_equal(load(text.data, "a", NULL, &c, &why), 0);
	assert_int_equal(strlen(c.secret.command), 5000 * 4 - 1);
}

static void keys_are_known_with_either_hyphen(void **state)
{
	size_t n = 0;

	(void)state;
	while (configuration_key(n))
		assert_true(configuration_is_key(configuration_key(n++)));
	assert_int_equal(n, 33);
	assert_true(configuration_is_key("trash_keep"));
	assert_false(configuration_is_key("trash"));
	assert_false(configuration_is_key(""));
}

static void sizes_and_durations_read_as_written(void **state)
{
	int64_t n = -1;

	(void)state;
	assert_int_equal(configuration_parse_size("2g", &n), 0);
	assert_int_equal(n, (int64_t)2 << 30);
	assert_int_equal(configuration_parse_size("0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(configuration_parse_duration("15m", &n), 0);
	assert_int_equal(n, 900);
	assert_int_equal(configuration_parse_duration("90", &n), 0);
	assert_int_equal(n, 90);
	assert_int_equal(configuration_parse_size("", &n), -EINVAL);
	assert_int_equal(configuration_parse_size("-1", &n), -EINVAL);
	assert_int_equal(configuration_parse_size("1KB", &n), -EINVAL);
	assert_int_equal(configuration_parse_duration("1y", &n), -EINVAL);
	assert_int_equal(configuration_parse_duration("99999999999999999999", &n), -EINVAL);
	assert_int_equal(n, 90);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || setenv("HOME", directory, 1) < 0 || setenv("XDG_CONFIG_HOME", directory, 1) < 0)
		return -1;
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_STATE_HOME");
	snprintf(path, sizeof path, "%s/mailfs", directory);
	if (mkdir(path, 0700) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/mailfs/mailfs.conf", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(smtp_auth_is_that_of_auth_where_submission_has_it),
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(a_url_is_an_account_with_the_defaults_of_the_file),
		cmocka_unit_test(a_path_that_ends_with_a_section_is_that_account),
		cmocka_unit_test(an_option_wins_and_an_empty_value_takes_back),
		cmocka_unit_test(every_fault_is_one_line_that_says_where_and_what_to_write),
		cmocka_unit_test(a_value_that_proves_wrong_later_is_named_with_its_line),
		cmocka_unit_test(a_file_that_others_can_read_is_refused_with_the_command_to_mend_it),
		cmocka_unit_test(a_missing_file_and_a_directory_are_named),
		cmocka_unit_test(the_default_file_is_below_xdg_config_home),
		cmocka_unit_test(a_value_has_any_length),
		cmocka_unit_test(keys_are_known_with_either_hyphen),
		cmocka_unit_test(sizes_and_durations_read_as_written),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
