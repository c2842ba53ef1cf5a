noinst_LIBRARIES += src/libmailbox.a
src_libmailbox_a_SOURCES = \
	src/mailbox/answers.c src/mailbox/answers.h \
	src/mailbox/change.h \
	src/mailbox/fetch.c src/mailbox/fetch.h \
	src/mailbox/fetch_arrival.c \
	src/mailbox/fetch_range.c \
	src/mailbox/fetch_whole.c \
	src/mailbox/filing.c \
	src/mailbox/folder_list.c \
	src/mailbox/gmail.c \
	src/mailbox/jobs.c src/mailbox/jobs.h \
	src/mailbox/look.c \
	src/mailbox/mailbox.c src/mailbox/mailbox.h src/mailbox/mailbox_private.h \
	src/mailbox/read_ahead.c \
	src/mailbox/reading.c \
	src/mailbox/status.c \
	src/mailbox/sync.c src/mailbox/sync.h \
	src/mailbox/sync_write.c \
	src/mailbox/tree.c \
	src/mailbox/workers.c src/mailbox/workers.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_mailbox
TESTS += tests/unit/test_mailbox
tests_unit_test_mailbox_SOURCES = tests/unit/test_mailbox.c tests/support/memory_backend.c tests/support/memory_backend.h
tests_unit_test_mailbox_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_mailbox_LDADD = $(LINK_mailbox) $(CMOCKA_LIBS)
endif
