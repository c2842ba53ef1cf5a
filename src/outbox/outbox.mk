noinst_LIBRARIES += src/liboutbox.a
src_liboutbox_a_SOURCES = \
	src/outbox/attempt.c \
	src/outbox/attribute.c \
	src/outbox/bounce.c src/outbox/bounce.h \
	src/outbox/commit.c src/outbox/commit.h \
	src/outbox/dsn.c src/outbox/dsn.h \
	src/outbox/entry.c src/outbox/entry.h \
	src/outbox/envelope.c src/outbox/envelope.h \
	src/outbox/guard.c src/outbox/guard.h \
	src/outbox/lines.c src/outbox/lines.h \
	src/outbox/name.c src/outbox/name.h \
	src/outbox/outbox.c src/outbox/outbox.h \
	src/outbox/parts.c src/outbox/parts.h \
	src/outbox/prepare.c src/outbox/prepare.h \
	src/outbox/prepare_body.c \
	src/outbox/prepare_field.c \
	src/outbox/prepare_header.c \
	src/outbox/queue.c src/outbox/queue.h \
	src/outbox/record.c src/outbox/record.h \
	src/outbox/recover.c \
	src/outbox/rename.c \
	src/outbox/sender.c src/outbox/sender.h \
	src/outbox/sent.c \
	src/outbox/session.c \
	src/outbox/string_list.c src/outbox/string_list.h \
	src/outbox/submission.c src/outbox/submission.h \
	src/outbox/survey.c src/outbox/survey.h \
	src/outbox/uncertain.c src/outbox/uncertain.h \
	src/outbox/verdict.c src/outbox/verdict.h

EXTRA_DIST += tests/unit/outbox_fixture.h

if HAVE_CMOCKA
OUTBOX_TESTS = tests/unit/test_outbox_commit tests/unit/test_outbox_prepare tests/unit/test_outbox_sender \
	tests/unit/test_outbox_files tests/unit/test_outbox_crash tests/unit/test_outbox_bounce
check_PROGRAMS += $(OUTBOX_TESTS)
TESTS += $(OUTBOX_TESTS)
OUTBOX_TEST_LIBS = $(LINK_outbox) $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_outbox_commit_SOURCES = tests/unit/test_outbox_commit.c tests/unit/outbox_fixture.c
tests_unit_test_outbox_bounce_SOURCES = tests/unit/test_outbox_bounce.c tests/unit/outbox_fixture.c
tests_unit_test_outbox_bounce_LDADD = $(OUTBOX_TEST_LIBS)
tests_unit_test_outbox_commit_LDADD = $(OUTBOX_TEST_LIBS)
tests_unit_test_outbox_prepare_LDADD = $(OUTBOX_TEST_LIBS)
tests_unit_test_outbox_files_SOURCES = tests/unit/test_outbox_files.c tests/unit/outbox_fixture.c
tests_unit_test_outbox_files_LDADD = $(OUTBOX_TEST_LIBS)
tests_unit_test_outbox_crash_SOURCES = tests/unit/test_outbox_crash.c tests/unit/outbox_fixture.c
tests_unit_test_outbox_crash_LDADD = $(OUTBOX_TEST_LIBS)
tests_unit_test_outbox_sender_SOURCES = tests/unit/test_outbox_sender.c tests/unit/outbox_fixture.c
tests_unit_test_outbox_sender_LDADD = $(OUTBOX_TEST_LIBS)
endif

check_PROGRAMS += tests/fuzz/replay_outbox
TESTS += tests/fuzz/replay_outbox
tests_fuzz_replay_outbox_SOURCES = tests/fuzz/fuzz_outbox.c tests/fuzz/replay.c
tests_fuzz_replay_outbox_LDADD = $(LINK_outbox)

if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_outbox
tests_fuzz_fuzz_outbox_SOURCES = tests/fuzz/fuzz_outbox.c
tests_fuzz_fuzz_outbox_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_outbox_LDADD = $(LINK_outbox)
endif

# The outbox against real and scripted submission servers.
check_PROGRAMS += tests/protocol/outbox_client
tests_protocol_outbox_client_LDADD = $(LINK_outbox) $(JANSSON_LIBS)
dist_check_SCRIPTS += tests/protocol/test_outbox.py tests/protocol/test_outbox_faults.py
TESTS += tests/protocol/test_outbox.py tests/protocol/test_outbox_faults.py
EXTRA_DIST += tests/protocol/outbox_program.py
