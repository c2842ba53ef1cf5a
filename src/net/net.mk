# Sources and unit tests of src/net.
noinst_LIBRARIES += src/libnet.a
src_libnet_a_SOURCES =
