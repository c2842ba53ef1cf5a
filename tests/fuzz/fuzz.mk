# Each tests/fuzz/fuzz_NAME.c is built twice: for libFuzzer (configure --enable-fuzzers CC=clang; run
# `tests/fuzz/fuzz_NAME NEW_CORPUS_DIRECTORY tests/fuzz/corpus/NAME`), and for make check with replay.c, which runs what was once found.
EXTRA_DIST += tests/fuzz/corpus

REPLAYS = tests/fuzz/replay_imap tests/fuzz/replay_message
check_PROGRAMS += $(REPLAYS)
TESTS += $(REPLAYS)
tests_fuzz_replay_imap_SOURCES = tests/fuzz/fuzz_imap.c tests/fuzz/replay.c
tests_fuzz_replay_imap_LDADD = $(LINK_backend)
tests_fuzz_replay_message_SOURCES = tests/fuzz/fuzz_message.c tests/fuzz/replay.c
tests_fuzz_replay_message_LDADD = $(LINK_message)

if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_imap tests/fuzz/fuzz_message
tests_fuzz_fuzz_imap_SOURCES = tests/fuzz/fuzz_imap.c
tests_fuzz_fuzz_imap_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_imap_LDADD = $(LINK_backend)
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c
tests_fuzz_fuzz_message_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_message_LDADD = $(LINK_message)
endif
