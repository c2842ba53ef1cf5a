noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/buf.c src/base/buf.h \
	src/base/cancel.c src/base/cancel.h \
	src/base/cleanup.h \
	src/base/clock.c src/base/clock.h \
	src/base/configuration.c src/base/configuration.h \
	src/base/configuration_complete.c src/base/configuration_complete.h \
	src/base/configuration_file.c src/base/configuration_file.h \
	src/base/configuration_key.c src/base/configuration_key.h \
	src/base/configuration_value.c src/base/configuration_value.h \
	src/base/fault.c src/base/fault.h \
	src/base/log.c src/base/log.h \
	src/base/table.c src/base/table.h \
	src/base/waiter.c src/base/waiter.h \
	src/base/url.c src/base/url.h

if HAVE_CMOCKA
BASE_TESTS = tests/unit/test_buf tests/unit/test_table tests/unit/test_configuration tests/unit/test_url
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)
tests_unit_test_buf_LDADD = $(LINK_base) $(CMOCKA_LIBS)
tests_unit_test_configuration_LDADD = $(LINK_base) $(CMOCKA_LIBS)
tests_unit_test_url_LDADD = $(LINK_base) $(CMOCKA_LIBS)
tests_unit_test_table_LDADD = $(LINK_base) $(CMOCKA_LIBS)
endif
