/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "fs/inode.h"

static void the_root_of_the_mailbox_is_the_kernel_s_root(void **state)
{
	(void)state;
	assert_int_equal(inode_make(INODE_FOLDER, 0, 1), 1);
}

static void kind_part_and_row_come_back(void **state)
{
	static const int64_t rows[] = { 0, 1, 1000000, (INT64_C(1) << INODE_ROW_BITS) - 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ino = inode_make(INODE_FLAGS, 0x2ffff, rows[i]);

		assert_int_equal(inode_kind(ino), INODE_FLAGS);
		assert_int_equal(inode_part(ino), 0x2ffff);
		assert_int_equal(inode_row(ino), rows[i]);
	}
}

static void every_number_is_a_positive_offset(void **state)
{
	(void)state;
	assert_true((int64_t)inode_make(INODE_POSITION, (1U << INODE_PART_BITS) - 1, (INT64_C(1) << INODE_ROW_BITS) - 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_of_the_mailbox_is_the_kernel_s_root),
		cmocka_unit_test(kind_part_and_row_come_back),
		cmocka_unit_test(every_number_is_a_positive_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
