/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/scratch_name.h"

static void what_programs_write_before_they_rename_it_is_scratch(void **state)
{
	static const char *const names[] = { ".x",     ".letter.eml.AbCdEf", ".",     "..",	"x~",  "~",  "x.swp",
					     "x.part", "x.eml.partial",	     "x.tmp", "x.lock", "#x#", "##", "sedAbC123" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_true(scratch_name(names[i]));
}

static void names_that_only_look_like_it_are_not(void **state)
{
	static const char *const names[] = { "",	  "x",	       "x.eml",	    "tmp",	   "lock",   "x.tmp.eml",
					     "x.swpx",	  "a#",	       "#",	    "#x",	   "x~.eml", "x.Tmp",
					     "sed",	  "sedan",     "sed12345",  "sed1234567",  "4913",   "xsed123456",
					     "sedan.eml", "sed.12345", "SedAbC123", "\xc3\xa9.eml" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_false(scratch_name(names[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_programs_write_before_they_rename_it_is_scratch),
		cmocka_unit_test(names_that_only_look_like_it_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
