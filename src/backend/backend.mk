noinst_LIBRARIES += src/libbackend.a
src_libbackend_a_SOURCES = \
	src/backend/backend.h \
	src/backend/imap_guard.c src/backend/imap_guard.h \
	src/backend/imap_record.c src/backend/imap_record.h \
	src/backend/imap_reply.c src/backend/imap_reply.h \
	src/backend/imap_shape.c src/backend/imap_shape.h \
	src/backend/uid_set.c src/backend/uid_set.h
