# Sources and unit tests of src/mailbox.
noinst_LIBRARIES += src/libmailbox.a
src_libmailbox_a_SOURCES =
