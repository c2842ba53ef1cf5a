noinst_LIBRARIES += src/libmailbox.a
src_libmailbox_a_SOURCES = \
	src/mailbox/apply.c src/mailbox/apply.h src/mailbox/apply_name.c \
	src/mailbox/news.c src/mailbox/news.h \
	src/mailbox/changing_flags.c src/mailbox/changing_folder.c src/mailbox/changing_rename.c src/mailbox/changing_private.h \
	src/mailbox/replay.c src/mailbox/replay.h src/mailbox/replay_answers.c src/mailbox/replay_private.h \
	src/mailbox/replay_find.c src/mailbox/replay_find.h src/mailbox/replay_moved.c \
	src/mailbox/replay_batch.c src/mailbox/replay_folder.c src/mailbox/replay_refuse.c \
	src/mailbox/replay_later.c src/mailbox/replay_later.h src/mailbox/replay_remove.c \
	src/mailbox/replay_append.c src/mailbox/replay_send.c src/mailbox/replay_settle.c \
	src/mailbox/replay_span.c src/mailbox/replay_span.h src/mailbox/replay_transfer.c \
	src/mailbox/restore.c src/mailbox/restore.h \
	src/mailbox/draft.c src/mailbox/edit.c src/mailbox/upload.c \
	src/mailbox/local_bytes.c src/mailbox/local_bytes.h \
	src/mailbox/answers.c src/mailbox/answers.h \
	src/mailbox/change.h \
	src/mailbox/changing.c src/mailbox/changing.h \
	src/mailbox/check.c \
	src/mailbox/events.c src/mailbox/events.h \
	src/mailbox/fetch.c src/mailbox/fetch.h \
	src/mailbox/fetch_arrival.c \
	src/mailbox/fetch_range.c \
	src/mailbox/fetch_whole.c \
	src/mailbox/filing.c src/mailbox/filing.h \
	src/mailbox/folder_list.c src/mailbox/folder_list_update.c \
	src/mailbox/gmail.c \
	src/mailbox/jobs.c src/mailbox/jobs.h \
	src/mailbox/keyword.c \
	src/mailbox/look.c \
	src/mailbox/mailbox.c src/mailbox/mailbox.h src/mailbox/mailbox_private.h \
	src/mailbox/read_ahead.c \
	src/mailbox/reading.c \
	src/mailbox/status.c \
	src/mailbox/sync.c src/mailbox/sync.h \
	src/mailbox/sync_write.c \
	src/mailbox/tell.c \
	src/mailbox/tree.c src/mailbox/tree_attributes.c \
	src/mailbox/workers.c src/mailbox/workers.h

if HAVE_CMOCKA
MAILBOX_TESTS = tests/unit/test_events tests/unit/test_mailbox tests/unit/test_changing tests/unit/test_replay tests/unit/test_drafts
check_PROGRAMS += $(MAILBOX_TESTS)
TESTS += $(MAILBOX_TESTS)
changing_fixture = tests/unit/changing_fixture.c tests/unit/changing_fixture.h tests/support/memory_backend.c tests/support/memory_backend.h
tests_unit_test_changing_SOURCES = tests/unit/test_changing.c $(changing_fixture)
tests_unit_test_changing_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_changing_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c $(changing_fixture)
tests_unit_test_replay_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_replay_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
tests_unit_test_drafts_SOURCES = tests/unit/test_drafts.c $(changing_fixture)
tests_unit_test_drafts_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_drafts_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
tests_unit_test_events_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
tests_unit_test_mailbox_SOURCES = tests/unit/test_mailbox.c tests/support/memory_backend.c tests/support/memory_backend.h
tests_unit_test_mailbox_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_mailbox_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
endif
