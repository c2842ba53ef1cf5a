noinst_LIBRARIES += src/libstore.a
src_libstore_a_SOURCES = \
	src/store/body.h src/store/durable.h src/store/index.h src/store/lock.h src/store/state.h
