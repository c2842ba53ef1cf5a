/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "message/calendar.h"
#include "message/date.h"

DEFINE_CLEANUP(date_zone, struct date_zone *, date_zone_free)

static void internal_dates_are_read_strictly(void **state)
{
	static const char *const refused[] = {
		"",
		"17-Jul-1996 02:44:25",
		"17-Jul-1996",
		"32-Jul-1996 02:44:25 -0700",
		"00-Jul-1996 02:44:25 -0700",
		"17-Foo-1996 02:44:25 -0700",
		"17-Jul-1996 24:44:25 -0700",
		"17-Jul-1996 02:60:25 -0700",
		"17-Jul-1996 02:44:25 -0799",
		"17-Jul-1996 02:44:25 -0700x",
		"17-Jul-96 02:44:25 -0700",
		"17-Jul-1996 02:44:25 -07",
	};
	int64_t s = 0;

	(void)state;
	assert_int_equal(date_parse_internal("17-Jul-1996 02:44:25 -0700", 26, &s), 0);
	assert_int_equal(s, 837596665);
	assert_int_equal(date_parse_internal(" 7-JUL-1996 02:44:25 +0000", 26, &s), 0);
	assert_int_equal(s, 836707465);
	assert_int_equal(date_parse_internal("01-Jan-1970 00:00:00 +0000garbage", 26, &s), 0);
	assert_int_equal(s, 0);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_int_equal(date_parse_internal(refused[i], strlen(refused[i]), &s), -EINVAL);
	assert_int_equal(s, 0);
}

static const struct {
	const char *text;
	int64_t s;
} rfc5322[] = {
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706 },
	{ "21 Nov 97 09:55:06 GMT", 880106106 },
	{ "Fri, 21 Nov 1997 09(comment (nested)):   55  :  06 -0600", 880127706 },
	{ "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
	  -27723480 },
	{ "Fri 21 November 1997 09:55 EST", 880124100 },
	{ "21 Nov 1997 09:55:06", 880106106 },
	{ "21 Nov 2026 09:55:06 Z", 1795254906 },
	{ "21 Nov 126 09:55:06 +0000", 1795254906 },
	{ "21 Nov 1997 09:55:06 CEST", 880106106 },
};

static void rfc5322_dates_are_read_with_their_obsolete_forms(void **state)
{
	static const char *const refused[] = {
		"",    "yesterday", "Fri, 21 Nov", "Fri, 1997-11-21 09:55:06", "40 Nov 1997 09:55:06 +0000", "21 Nov 1997 09 55",
		"(((("
	};
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof rfc5322 / sizeof rfc5322[0]; i++) {
		assert_int_equal(date_parse_rfc5322(rfc5322[i].text, strlen(rfc5322[i].text), &s), 0);
		assert_int_equal(s, rfc5322[i].s);
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_int_equal(date_parse_rfc5322(refused[i], strlen(refused[i]), &s), -EINVAL);
}

static void what_is_written_reads_back(void **state)
{
	static const int64_t seconds[] = { 0, 1, -1, 951782399, 951782400, 4107542399, -62167219200, 253402300799, 1776159000 };
	char internal[DATE_INTERNAL_SIZE], text[DATE_RFC5322_SIZE];
	int64_t s;

	(void)state;
	setenv("TZ", "America/St_Johns", 1);
	tzset();
	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		date_format_internal(seconds[i], internal);
		assert_int_equal(strlen(internal), 26);
		assert_int_equal(date_parse_internal(internal, 26, &s), 0);
		assert_int_equal(s, seconds[i]);
	}
	date_format_rfc5322(1776159000, text);
	assert_string_equal(text, "Tue, 14 Apr 2026 07:00:00 -0230");
	date_format_rfc5322(INT64_MAX, text);
	date_format_rfc5322(INT64_MIN, text);
	date_format_internal(INT64_MAX, internal);
	assert_string_equal(internal, "31-Dec-9999 23:59:59 +0000");
}

static void every_day_of_the_calendar_goes_back(void **state)
{
	(void)state;
	for (int64_t day = -719528; day <= 2932896; day += 1) {
		struct calendar_time t = calendar_from_seconds(day * 86400 + 86399);

		assert_true(t.day >= 1 && t.day <= calendar_days_in_month(t.year, t.month));
		assert_true(calendar_to_seconds(&t) == day * 86400 + 86399);
		assert_true(t.weekday == ((day + 4) % 7 + 7) % 7);
	}
}

static void check_like_libc(const char *name, int64_t s)
{
	CLEANUP(date_zone) struct date_zone *zone = NULL;
	char stamp[DATE_STAMP_SIZE], expected[DATE_STAMP_SIZE];

	setenv("TZ", name, 1);
	tzset();
	assert_int_equal(date_zone_new(name, &zone), 0);
	for (int64_t end = s + (int64_t)200 * 365 * 86400; s < end; s += 1000003) {
		time_t when = (time_t)s;
		struct tm t;

		localtime_r(&when, &t);
		strftime(expected, sizeof expected, "%Y-%m-%d_%H%M", &t);
		date_format_stamp(zone, s, stamp);
		if (strcmp(stamp, expected))
			fail_msg("%s %lld: %s, not %s", name, (long long)s, stamp, expected);
	}
}

static void zones_tell_what_libc_tells(void **state)
{
	static const char *const names[] = { "UTC",
					     "Europe/Berlin",
					     "America/New_York",
					     "Asia/Shanghai",
					     "Asia/Kathmandu",
					     "Australia/Lord_Howe",
					     "America/St_Johns",
					     "Europe/Dublin",
					     "Africa/Casablanca",
					     "Pacific/Apia",
					     "America/Nuuk",
					     "Asia/Gaza",
					     "Antarctica/Troll",
					     "Etc/GMT+12",
					     "EST5EDT" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		check_like_libc(names[i], -3000000000);
	check_like_libc("CET-1CEST,M3.5.0,M10.5.0/3", 0);
	check_like_libc("NZST-12NZDT,M9.5.0,M4.1.0/3", 0);
	check_like_libc("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", 0);
	check_like_libc("AAA4BBB,J60/0,J300", 0);
	check_like_libc("AAA-5:30BBB-7,59,299/1:30:15", 0);
}

static void what_is_no_zone_is_einval(void **state)
{
	static const char *const refused[] = { "",	 "Nowhere/City", "../../../etc/passwd",	      "/etc/localtime",
					       "Europe", "tzdata.zi",	 "CET-1CEST,M13.5.0,M10.5.0", "AB1",
					       "ABC" };
	struct date_zone *zone = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_int_equal(date_zone_new(refused[i], &zone), -EINVAL);
	assert_null(zone);
}

static void a_stamp_ignores_the_process_zone_and_is_clamped(void **state)
{
	CLEANUP(date_zone) struct date_zone *berlin = NULL;
	char stamp[DATE_STAMP_SIZE];

	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	assert_int_equal(date_zone_new("Europe/Berlin", &berlin), 0);
	date_format_stamp(berlin, 1776159000, stamp);
	assert_string_equal(stamp, "2026-04-14_1130");
	date_format_stamp(NULL, 1776159000, stamp);
	assert_string_equal(stamp, "2026-04-14_0930");
	date_format_stamp(berlin, INT64_MIN, stamp);
	assert_string_equal(stamp, "0000-01-01_0053");
	date_format_stamp(berlin, INT64_MAX, stamp);
	assert_string_equal(stamp, "9999-12-31_2359");
}

static void the_local_zone_is_named(void **state)
{
	char name[64];

	(void)state;
	setenv("TZ", ":Europe/Berlin", 1);
	date_zone_local_name(name, sizeof name);
	assert_string_equal(name, "Europe/Berlin");
	setenv("TZ", "/usr/share/zoneinfo/Asia/Tokyo", 1);
	date_zone_local_name(name, sizeof name);
	assert_string_equal(name, "Asia/Tokyo");
	setenv("TZ", "nonsense", 1);
	date_zone_local_name(name, sizeof name);
	assert_string_equal(name, "UTC");
	unsetenv("TZ");
	date_zone_local_name(name, sizeof name);
	assert_true(*name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(internal_dates_are_read_strictly),
		cmocka_unit_test(rfc5322_dates_are_read_with_their_obsolete_forms),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(every_day_of_the_calendar_goes_back),
		cmocka_unit_test(zones_tell_what_libc_tells),
		cmocka_unit_test(what_is_no_zone_is_einval),
		cmocka_unit_test(a_stamp_ignores_the_process_zone_and_is_clamped),
		cmocka_unit_test(the_local_zone_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
