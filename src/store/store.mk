noinst_LIBRARIES += src/libstore.a
src_libstore_a_SOURCES = \
	src/store/checkpoint.c src/store/body.c src/store/body.h src/store/body_private.h src/store/body_sweep.c \
	src/store/database.c src/store/database.h \
	src/store/durable.c src/store/durable.h \
	src/store/index.c src/store/index_open.c src/store/index.h src/store/index_private.h \
	src/store/index_folder.c src/store/index_message.c src/store/index_message_write.c src/store/index_sql.c \
	src/store/journal.c src/store/journal.h \
	src/store/local.c src/store/local.h \
	src/store/lock.c src/store/lock.h \
	src/store/state.c src/store/state.h \
	src/store/wal_vfs.c src/store/wal_vfs.h

EXTRA_DIST += tests/unit/scratch.h

if HAVE_CMOCKA
STORE_TESTS = tests/unit/test_index tests/unit/test_body tests/unit/test_state tests/unit/test_durable tests/unit/test_lock \
	tests/unit/test_wal_vfs
check_PROGRAMS += $(STORE_TESTS)
TESTS += $(STORE_TESTS)
tests_unit_test_index_LDADD = $(LINK_store) $(CMOCKA_LIBS)
tests_unit_test_body_LDADD = $(LINK_store) $(CMOCKA_LIBS)
tests_unit_test_body_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=openat
tests_unit_test_state_LDADD = $(LINK_store) $(CMOCKA_LIBS)
tests_unit_test_durable_LDADD = $(LINK_store) $(CMOCKA_LIBS)
tests_unit_test_lock_LDADD = $(LINK_store) $(CMOCKA_LIBS)
tests_unit_test_wal_vfs_LDADD = $(LINK_store) $(CMOCKA_LIBS)
endif
