/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every statement of the index. Column orders are those that index_folder.c and index_message.c read.
 */
#include "store/index_private.h"

#define FOLDER_COLUMNS                                                                                                     \
	"row, parent, name, wire, wire_is_utf8, delimiter, attributes, special_use, uidvalidity, uidnext, highestmodseq, " \
	"messages, "                                                                                                       \
	"unseen, complete, rights, mtime_ns"

#define MESSAGE_COLUMNS "row, folder, uid, name, size, size_proven, internaldate_s, ctime_ns"

/* The clock may stand or go back: two changes never show the same time. */
#define LATER(column, parameter) #column " = max(" #column " + 1, " parameter ")"

/* As above, unless no sync has been complete: nobody can have listed it, so nobody's listing is out of date. A backup's second run then finds the times
 * that its first one saw before it opened the folder. */
#define LATER_ONCE_COMPLETE(column, parameter) \
#column " = CASE WHEN complete THEN max(" #column " + 1, " parameter ") ELSE " #column " END"

const char *const index_sql[N_INDEX_STATEMENTS] = {
	[FOLDER_GET] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE row = ?1",
	[FOLDER_CHILD] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE parent = ?1 AND name = ?2",
	[FOLDER_BY_WIRE] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE wire = ?1",
	[FOLDER_EACH_BELOW] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE parent = ?1 AND row > ?2 ORDER BY row",
	[FOLDER_EACH] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE row > ?1 ORDER BY row",
	[FOLDER_INSERT] =
		"INSERT INTO folder (parent, name, wire, wire_is_utf8, delimiter, attributes, special_use, rights, mtime_ns)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[FOLDER_UPDATE] = "UPDATE folder SET parent = ?1, name = ?2, wire = ?3, wire_is_utf8 = ?4, delimiter = ?5, attributes = ?6,"
			  " special_use = ?7, rights = ?8 WHERE row = ?9",
	[FOLDER_DELETE] = "DELETE FROM folder WHERE row = ?1",
	[FOLDER_RESET] = "UPDATE folder SET uidvalidity = ?2, uidnext = 1, highestmodseq = 0, messages = 0, unseen = 0, complete = "
			 "0, " LATER_ONCE_COMPLETE(mtime_ns, "?3") " WHERE row = ?1",
	[FOLDER_PROGRESS] = "UPDATE folder SET uidnext = ?2 WHERE row = ?1",
	[FOLDER_COMPLETE] = "UPDATE folder SET complete = 1, highestmodseq = ?2 WHERE row = ?1",
	[FOLDER_TOUCH] = "UPDATE folder SET " LATER(mtime_ns, "?2") " WHERE row = ?1",
	[FOLDER_COUNT] = "UPDATE folder SET messages = messages + ?2, unseen = unseen + ?3, " LATER_ONCE_COMPLETE(
		mtime_ns, "?4") " WHERE row = ?1",

	[MESSAGE_GET] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE row = ?1",
	[MESSAGE_BY_UID] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid = ?2",
	[MESSAGE_FLAGS] = "SELECT flags FROM message WHERE row = ?1",
	[MESSAGE_EACH] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid > ?2 ORDER BY uid",
	[MESSAGE_UIDS] = "SELECT uid FROM message WHERE folder = ?1 AND uid < ?2 ORDER BY uid",
	[MESSAGE_INSERT] = "INSERT INTO message (folder, uid, name, size, size_proven, internaldate_s, ctime_ns, flags)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[MESSAGE_SET_FLAGS] = "UPDATE message SET flags = ?2, " LATER(ctime_ns, "?3") " WHERE row = ?1",
	[MESSAGE_PROVE_SIZE] = "UPDATE message SET size = ?2, size_proven = 1 WHERE row = ?1",
	[MESSAGE_BURY] = "UPDATE message SET folder = -row WHERE row = ?1",
	[MESSAGE_BURY_ALL] = "UPDATE message SET folder = -row WHERE folder = ?1",
	[MESSAGE_PLACE] = "SELECT folder, uid, flags FROM message WHERE row = ?1",

	[READING_BEGIN] = "BEGIN",
	[READING_END] = "COMMIT",
};
