noinst_LIBRARIES += src/libmessage.a
src_libmessage_a_SOURCES = \
	src/message/address.c src/message/address.h \
	src/message/address_format.c \
	src/message/base64.c src/message/base64.h \
	src/message/charset.c src/message/charset.h \
	src/message/calendar.c src/message/calendar.h \
	src/message/date.c src/message/date.h \
	src/message/date_zone.c \
	src/message/encoded_word.c src/message/encoded_word.h \
	src/message/flag_name.c src/message/flag_name.h \
	src/message/flags.c src/message/flags.h \
	src/message/folder_name.c src/message/folder_name.h \
	src/message/folder_pattern.c \
	src/message/header.c src/message/header.h \
	src/message/maildir_name.c src/message/maildir_name.h \
	src/message/mime.c src/message/mime.h \
	src/message/modified_utf7.c src/message/modified_utf7.h \
	src/message/name.c src/message/name.h \
	src/message/posix_zone.c src/message/posix_zone.h \
	src/message/scratch_name.c src/message/scratch_name.h

if HAVE_CMOCKA
MESSAGE_TESTS = tests/unit/test_address tests/unit/test_date tests/unit/test_encoded_word tests/unit/test_flag_name tests/unit/test_flags tests/unit/test_folder_name tests/unit/test_header \
	tests/unit/test_maildir_name tests/unit/test_mime tests/unit/test_name tests/unit/test_scratch_name
check_PROGRAMS += $(MESSAGE_TESTS)
TESTS += $(MESSAGE_TESTS)
tests_unit_test_address_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_date_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_encoded_word_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_flag_name_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_flags_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_folder_name_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_header_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_maildir_name_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_mime_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_name_LDADD = $(LINK_message) $(CMOCKA_LIBS)
tests_unit_test_scratch_name_LDADD = $(LINK_message) $(CMOCKA_LIBS)
endif
