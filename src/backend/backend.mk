noinst_LIBRARIES += src/libbackend.a
src_libbackend_a_SOURCES = \
	src/backend/backend.h 
