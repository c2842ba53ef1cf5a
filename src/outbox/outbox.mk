# Sources and unit tests of src/outbox.
noinst_LIBRARIES += src/liboutbox.a
src_liboutbox_a_SOURCES =
