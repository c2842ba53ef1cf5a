/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/mounts.h"

static const char mountinfo[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"40 22 0:50 / /home/alice/mail rw,nosuid,nodev,relatime shared:7 master:2 - fuse.mailfs work rw,user_id=1000\n"
	"41 22 0:51 / /home/alice/ssh rw - fuse.sshfs host: rw\n"
	"42 22 0:52 / /home/alice/old\\040mail\\134x rw - fuse.mailfs imaps://a@h rw\n"
	"43 40 0:53 / /home/alice/mail/inner rw - fuse.mailfs other rw\n"
	"44 22 0:54 / /mnt/fuse.mailfs rw - ext4 /dev/sdb rw\n"
	"garbage - fuse.mailfs \n";

static void mounts_of_ours_are_found_and_unescaped(void **state)
{
	CLEANUP(mounts) struct mounts m = { 0 };

	(void)state;
	assert_int_equal(mounts_parse(mountinfo, &m), 0);
	assert_int_equal(m.n, 3);
	assert_string_equal(m.points[0], "/home/alice/mail");
	assert_string_equal(m.points[1], "/home/alice/old mail\\x");
	assert_string_equal(m.points[2], "/home/alice/mail/inner");
	assert_int_equal(m.owners[0], 1000);
	assert_int_equal(m.owners[1], (uid_t)-1);
}

static void a_path_belongs_to_the_innermost_mount(void **state)
{
	CLEANUP(mounts) struct mounts m = { 0 };

	(void)state;
	assert_int_equal(mounts_parse(mountinfo, &m), 0);
	assert_string_equal(mounts_holding(&m, "/home/alice/mail"), "/home/alice/mail");
	assert_string_equal(mounts_holding(&m, "/home/alice/mail/INBOX/x"), "/home/alice/mail");
	assert_string_equal(mounts_holding(&m, "/home/alice/mail/inner/x"), "/home/alice/mail/inner");
	assert_null(mounts_holding(&m, "/home/alice/mailbox"));
	assert_null(mounts_holding(&m, "/home/alice"));
}

static void a_path_elsewhere_is_enodev(void **state)
{
	CLEANUP(buf) struct buf point = BUF_INIT;

	(void)state;
	assert_int_equal(mounts_find("/proc/self", &point), -ENODEV);
	assert_int_equal(mounts_find("/proc/self/there-is-no-such-file", &point), -ENOENT);
	assert_int_equal(point.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_of_ours_are_found_and_unescaped),
		cmocka_unit_test(a_path_belongs_to_the_innermost_mount),
		cmocka_unit_test(a_path_elsewhere_is_enodev),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
