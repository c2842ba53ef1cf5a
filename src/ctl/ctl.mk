noinst_LIBRARIES += src/libctl.a
src_libctl_a_SOURCES = \
	src/ctl/amount.c src/ctl/amount.h \
	src/ctl/deposit.c src/ctl/deposit.h \
	src/ctl/interrupt.c src/ctl/interrupt.h \
	src/ctl/letter.c src/ctl/letter.h \
	src/ctl/mounts.c src/ctl/mounts.h \
	src/ctl/outbox_items.c src/ctl/outbox_items.h src/ctl/outbox_items_print.c \
	src/ctl/outboxes.c src/ctl/outboxes.h \
	src/ctl/progress.c src/ctl/progress.h \
	src/ctl/sendmail_arguments.c src/ctl/sendmail_arguments.h \
	src/ctl/status_file.c src/ctl/status_file.h \
	src/ctl/status_text.c src/ctl/status_text.h \
	src/ctl/warm_list.c src/ctl/warm_list.h \
	src/ctl/words.c src/ctl/words.h
LINK_ctl = src/libctl.a src/libbackend.a $(LINK_net) $(JANSSON_LIBS)

bin_PROGRAMS += mailfsctl
mailfsctl_SOURCES = src/ctl/mailfsctl.c src/ctl/command.h src/ctl/check.c src/ctl/events.c src/ctl/flag.c \
	src/ctl/outbox.c src/ctl/sendmail.c src/ctl/status.c src/ctl/warm.c
mailfsctl_LDADD = src/libctl.a $(LINK_mailbox)

if HAVE_CMOCKA
CTL_TESTS = tests/unit/test_amount tests/unit/test_letter tests/unit/test_mounts tests/unit/test_progress \
	tests/unit/test_sendmail_arguments tests/unit/test_status_text tests/unit/test_words
check_PROGRAMS += $(CTL_TESTS)
TESTS += $(CTL_TESTS)
tests_unit_test_amount_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
tests_unit_test_letter_LDADD = src/libctl.a $(LINK_outbox) $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mounts_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
tests_unit_test_progress_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
tests_unit_test_sendmail_arguments_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
tests_unit_test_status_text_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
tests_unit_test_words_LDADD = $(LINK_ctl) $(CMOCKA_LIBS)
endif
