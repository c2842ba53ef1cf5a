# Sources and unit tests of src/backend.
noinst_LIBRARIES += src/libbackend.a
src_libbackend_a_SOURCES =
