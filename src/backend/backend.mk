noinst_LIBRARIES += src/libbackend.a
src_libbackend_a_SOURCES = \
	src/backend/backend.c src/backend/backend.h \
	src/backend/imap.c src/backend/imap.h \
	src/backend/imap_append.c src/backend/imap_append.h \
	src/backend/imap_auth.c src/backend/imap_auth.h \
	src/backend/imap_capability.c src/backend/imap_capability.h \
	src/backend/imap_change.c src/backend/imap_change.h \
	src/backend/imap_command.c src/backend/imap_command.h \
	src/backend/imap_describe.c src/backend/imap_describe.h \
	src/backend/imap_fetch.c src/backend/imap_fetch.h \
	src/backend/imap_folder.c src/backend/imap_folder.h \
	src/backend/imap_gmail.c src/backend/imap_gmail.h \
	src/backend/imap_guard.c src/backend/imap_guard.h \
	src/backend/imap_items.c src/backend/imap_items.h \
	src/backend/imap_list.c src/backend/imap_list.h \
	src/backend/imap_quota.c src/backend/imap_quota.h \
	src/backend/imap_record.c src/backend/imap_record.h \
	src/backend/imap_reply.c src/backend/imap_reply.h \
	src/backend/imap_response.c src/backend/imap_response.h \
	src/backend/imap_sasl.c src/backend/imap_sasl.h \
	src/backend/imap_search.c src/backend/imap_search.h \
	src/backend/imap_select.c src/backend/imap_select.h \
	src/backend/imap_session.c src/backend/imap_session.h \
	src/backend/imap_sync.c src/backend/imap_sync.h \
	src/backend/imap_uidplus.c src/backend/imap_uidplus.h \
	src/backend/uid_set.c src/backend/uid_set.h

check_PROGRAMS += tests/protocol/imap_client
tests_protocol_imap_client_LDADD = $(LINK_backend)

if HAVE_CMOCKA
BACKEND_TESTS = tests/unit/test_imap_guard tests/unit/test_imap_reply tests/unit/test_memory_backend tests/unit/test_uid_set
check_PROGRAMS += $(BACKEND_TESTS)
TESTS += $(BACKEND_TESTS)
tests_unit_test_imap_guard_LDADD = $(LINK_backend) $(CMOCKA_LIBS)
tests_unit_test_imap_reply_LDADD = $(LINK_backend) $(CMOCKA_LIBS)
tests_unit_test_memory_backend_SOURCES = tests/unit/test_memory_backend.c tests/support/memory_backend.c tests/support/memory_backend.h
tests_unit_test_memory_backend_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_test_memory_backend_LDADD = $(LINK_backend) $(CMOCKA_LIBS)
tests_unit_test_uid_set_LDADD = $(LINK_backend) $(CMOCKA_LIBS)
endif

EXTRA_DIST += tests/protocol/transcript.py
dist_check_SCRIPTS += tests/protocol/test_imap_change.py tests/protocol/test_imap_change_dovecot.py tests/protocol/test_imap_dovecot.py tests/protocol/test_imap_folder.py tests/protocol/test_imap_session.py
TESTS += tests/protocol/test_imap_change.py tests/protocol/test_imap_change_dovecot.py tests/protocol/test_imap_dovecot.py tests/protocol/test_imap_folder.py tests/protocol/test_imap_session.py
