noinst_LIBRARIES += src/libmessage.a
src_libmessage_a_SOURCES = \
	src/message/address.h src/message/date.h src/message/encoded_word.h src/message/flags.h src/message/folder_name.h \
	src/message/header.h src/message/mime.h src/message/name.h
