/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/status_text.h"

static const char full[] =
	"{\"account\":\"work\",\"mountpoint\":\"/m\",\"server\":\"mail.example.com\",\"state\":\"offline\",\"error\":\"Connection "
	"refused\","
	"\"since\":1000,\"folders\":{\"total\":12,\"synced\":11},\"messages\":{\"known\":48213},"
	"\"sync\":[{\"folder\":\"INBOX\",\"done\":1200,\"total\":4800}],\"cache\":{\"bytes\":1048576,\"limit\":2147483648},"
	"\"connections\":{\"open\":1,\"limit\":4},\"quota\":{\"used\":0,\"limit\":0},\"alerts\":[\"Down at\\nnoon\\u001b[2J\"],"
	"\"outbox\":[{\"name\":\"a.eml\",\"state\":\"queued\",\"size\":2048,\"error\":null},"
	"{\"name\":\"b.eml\",\"state\":\"failed\",\"size\":10,\"error\":\"550 no such user\"}]}";

static void a_status_becomes_lines(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(status_text("/m", full, strlen(full), 1130, &b), 0);
	assert_string_equal(buf_str(&b), "/m: work\n"
					 "  server      mail.example.com, offline for 2 min 10 s\n"
					 "              Connection refused\n"
					 "  folders     12, 11 of them compared with the server; 48,213 messages known\n"
					 "  syncing     INBOX: 1,200 of 4,800 (25 %)\n"
					 "  cache       1.0 MiB of 2.0 GiB (0 %)\n"
					 "  connections 1 of 4\n"
					 "  server says Down at noon [2J\n"
					 "  outbox      queued    a.eml, 2.0 KiB\n"
					 "              failed    b.eml, 10 B: 550 no such user\n");
}

static void what_is_not_told_is_left_out(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(status_text("/m", "{\"sync\":7,\"alerts\":[1]}", 23, 0, &b), 0);
	assert_string_equal(buf_str(&b), "/m\n  server      state unknown\n  server says ?\n");
}

static void what_is_no_object_is_einval(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(status_text("/m", "[]", 2, 0, &b), -EINVAL);
	assert_int_equal(status_text("/m", "", 0, 0, &b), -EINVAL);
	assert_int_equal(status_line("{\"state\":", 9, &b), -EINVAL);
	assert_int_equal(b.len, 0);
}

static void json_goes_on_one_line(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(status_line("{ \"state\":\n \"online\" }\n", 22, &b), 0);
	assert_string_equal(buf_str(&b), "{\"state\":\"online\"}\n");
}

static void the_limit_of_the_cache_is_found(void **state)
{
	(void)state;
	assert_int_equal(status_cache_limit(full, strlen(full)), 2147483648);
	assert_int_equal(status_cache_limit("x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_becomes_lines),	   cmocka_unit_test(what_is_not_told_is_left_out),
		cmocka_unit_test(what_is_no_object_is_einval),	   cmocka_unit_test(json_goes_on_one_line),
		cmocka_unit_test(the_limit_of_the_cache_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
