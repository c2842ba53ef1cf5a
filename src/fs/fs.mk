# Sources and unit tests of src/fs.
noinst_LIBRARIES += src/libfs.a
src_libfs_a_SOURCES =
