noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES = \
	src/net/secret.h src/net/smtp.h src/net/stream.h src/net/tls.h 
