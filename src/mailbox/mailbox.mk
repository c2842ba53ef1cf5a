noinst_LIBRARIES += src/libmailbox.a
src_libmailbox_a_SOURCES = \
	src/mailbox/change.h src/mailbox/mailbox.h
