noinst_LIBRARIES += src/liboutbox.a
src_liboutbox_a_SOURCES = \
	src/outbox/envelope.c src/outbox/envelope.h \
	src/outbox/lines.c src/outbox/lines.h \
	src/outbox/outbox.h \
	src/outbox/prepare.c src/outbox/prepare.h \
	src/outbox/prepare_field.c \
	src/outbox/prepare_header.c \
	src/outbox/string_list.c src/outbox/string_list.h \
	src/outbox/survey.c src/outbox/survey.h
