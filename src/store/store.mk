noinst_LIBRARIES += src/libstore.a
src_libstore_a_SOURCES = \
	src/store/body.c src/store/body.h src/store/body_private.h src/store/body_sweep.c \
	src/store/database.c src/store/database.h \
	src/store/durable.c src/store/durable.h \
	src/store/index.c src/store/index.h src/store/index_private.h \
	src/store/index_folder.c src/store/index_message.c src/store/index_sql.c \
	src/store/lock.c src/store/lock.h \
	src/store/state.c src/store/state.h
