# Sources and unit tests of src/fs.
noinst_LIBRARIES += src/libfs.a
src_libfs_a_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
src_libfs_a_SOURCES = \
	src/fs/again.c src/fs/again.h \
	src/fs/attributes.c src/fs/attributes.h \
	src/fs/control.c src/fs/control.h \
	src/fs/copying.c src/fs/copying.h \
	src/fs/dispatch.c src/fs/dispatch.h \
	src/fs/entry.c src/fs/entry.h \
	src/fs/flag_numbers.c src/fs/flag_numbers.h \
	src/fs/folder.c \
	src/fs/folder_change.c src/fs/folder_change.h \
	src/fs/fs.h \
	src/fs/gmail_attribute.c src/fs/gmail_attribute.h \
	src/fs/handle.c src/fs/handle.h \
	src/fs/header_attribute.c src/fs/header_attribute.h \
	src/fs/holders.c src/fs/holders.h \
	src/fs/inode.h \
	src/fs/kinds.h \
	src/fs/listing.c src/fs/listing.h \
	src/fs/local.c \
	src/fs/looking.c src/fs/looking.h \
	src/fs/loop.c src/fs/loop.h \
	src/fs/message.c \
	src/fs/notify.c src/fs/notify.h \
	src/fs/place.c src/fs/place.h \
	src/fs/reading.c src/fs/reading.h \
	src/fs/requester.c src/fs/requester.h \
	src/fs/session.c src/fs/session.h \
	src/fs/settling.c src/fs/settling.h \
	src/fs/submission.c src/fs/submission.h \
	src/fs/view.c src/fs/view.h \
	src/fs/view_flags.c src/fs/view_flags.h src/fs/view_flags_private.h \
	src/fs/view_flags_message.c \
	src/fs/view_maildir.c src/fs/view_maildir.h src/fs/view_maildir_private.h \
	src/fs/view_maildir_change.c \
	src/fs/wait.c src/fs/wait.h \
	src/fs/writing.c src/fs/writing.h src/fs/writing_private.h \
	src/fs/writing_close.c \
	src/fs/writing_open.c \
	src/fs/written.h \
	src/fs/xattr.c src/fs/xattr.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_again tests/unit/test_holders tests/unit/test_inode tests/unit/test_requester
TESTS += tests/unit/test_again tests/unit/test_holders tests/unit/test_inode tests/unit/test_requester
tests_unit_test_inode_LDADD = $(CMOCKA_LIBS)
tests_unit_test_again_LDADD = $(LINK_fs) $(CMOCKA_LIBS)
tests_unit_test_holders_LDADD = $(LINK_fs) $(CMOCKA_LIBS)
tests_unit_test_requester_LDADD = $(LINK_fs) $(CMOCKA_LIBS)
endif

# Mounts it on a made-up mailbox, without any network.
check_PROGRAMS += tests/mount/fs_on_fake
tests_mount_fs_on_fake_SOURCES = tests/mount/fs_on_fake.c \
	tests/support/fake_changing.c tests/support/fake_mailbox.c tests/support/fake_mailbox.h \
	tests/support/fake_mailbox_private.h tests/support/fake_outbox.c
tests_mount_fs_on_fake_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_mount_fs_on_fake_LDADD = src/libfs.a $(LINK_message) $(FUSE_LIBS)

FS_TESTS = tests/mount/test_fs_changes.py tests/mount/test_fs_outbox.py tests/mount/test_fs_reading.py tests/mount/test_fs_tree.py
dist_check_SCRIPTS += $(FS_TESTS)
TESTS += $(FS_TESTS)
EXTRA_DIST += tests/support/fakefs.py
