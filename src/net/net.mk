noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES = \
	src/net/dial.c src/net/dial.h \
	src/net/secret.c src/net/secret.h \
	src/net/secret_command.c src/net/secret_source.h src/net/secret_terminal.c \
	src/net/smtp.c src/net/smtp.h \
	src/net/smtp_data.c src/net/smtp_data.h \
	src/net/smtp_dialogue.c src/net/smtp_dialogue.h \
	src/net/smtp_greeting.c src/net/smtp_greeting.h \
	src/net/smtp_reply.c src/net/smtp_reply.h \
	src/net/smtp_wire.c src/net/smtp_wire.h \
	src/net/stream.c src/net/stream.h \
	src/net/tls.c src/net/tls.h \
	src/net/tls_certificate.c src/net/tls_certificate.h \
	src/net/tls_socket.c src/net/tls_socket.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_secret tests/unit/test_smtp_dialogue tests/unit/test_smtp_open tests/unit/test_stream tests/unit/test_tls
TESTS += tests/unit/test_secret tests/unit/test_smtp_dialogue tests/unit/test_smtp_open tests/unit/test_stream tests/unit/test_tls
tests_unit_test_secret_SOURCES = tests/unit/test_secret.c
tests_unit_test_secret_LDADD = $(LINK_net) $(CMOCKA_LIBS)
tests_unit_test_smtp_dialogue_SOURCES = tests/unit/test_smtp_dialogue.c tests/unit/smtp_server.c tests/unit/smtp_server.h \
	tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_smtp_dialogue_LDADD = $(LINK_net) $(CMOCKA_LIBS)
tests_unit_test_smtp_open_SOURCES = tests/unit/test_smtp_open.c tests/unit/smtp_server.c tests/unit/smtp_server.h \
	tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_smtp_open_LDADD = $(LINK_net) $(CMOCKA_LIBS)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_stream_LDADD = $(LINK_net) $(CMOCKA_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_tls_LDADD = $(LINK_net) $(CMOCKA_LIBS)
endif
