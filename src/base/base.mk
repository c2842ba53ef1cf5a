noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/buf.c src/base/buf.h \
	src/base/cleanup.h \
	src/base/clock.c src/base/clock.h \
	src/base/log.c src/base/log.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_buf
TESTS += tests/unit/test_buf
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = $(LINK_base) $(CMOCKA_LIBS)
endif
