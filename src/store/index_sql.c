/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every statement of the index. Column orders are those that index_folder.c and index_message.c read.
 */
#include "store/index_private.h"

#define FOLDER_COLUMNS                                                                                                     \
	"row, parent, name, wire, wire_is_utf8, delimiter, attributes, special_use, uidvalidity, uidnext, highestmodseq, " \
	"messages, "                                                                                                       \
	"unseen, complete, rights, mtime_ns"

#define MESSAGE_COLUMNS                                                                                           \
	"row, folder, uid, name, size, size_proven, internaldate_s, ctime_ns, given, server_folder, server_uid, " \
	"local, marked, mtime_ns, mode, arrived_s, flags"

#define FILE_COLUMNS "row, directory, wire, name, mode, mtime_ns, flags, size"

#define CHANGE_COLUMNS "seq, kind, row, source, folder, detail, depends, sent, uidnext, uidvalidity, unanswered"

/* The clock may stand or go back: two changes never show the same time. */
#define LATER(column, parameter) #column " = max(" #column " + 1, " parameter ")"

/* As above, unless no sync has been complete: nobody can have listed it, so nobody's listing is out of date. A backup's second run then finds the times
 * that its first one saw before it opened the folder. */
#define LATER_ONCE_COMPLETE(column, parameter) \
#column " = CASE WHEN complete THEN max(" #column " + 1, " parameter ") ELSE " #column " END"

/* One of the words of the canonical flags; lower() is ASCII's, as the words are. */
#define HAS_FLAG(parameter) "(instr(' ' || lower(flags) || ' ', ' ' || lower(" parameter ") || ' ') > 0)"

const char *const index_sql[N_INDEX_STATEMENTS] = {
	[FOLDER_GET] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE row = ?1",
	[FOLDER_CHILD] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE parent = ?1 AND name = ?2",
	[FOLDER_BY_WIRE] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE wire = ?1",
	[FOLDER_BY_USE] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE special_use = ?1 AND special_use <> 0 AND attributes & ?2 = "
			  "0 AND wire IS NOT NULL ORDER BY row",
	[FOLDER_EACH_BELOW] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE parent = ?1 AND row > ?2 ORDER BY row",
	[FOLDER_EACH] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE row > ?1 ORDER BY row",
	[FOLDER_COUNT_BELOW] = "SELECT count(*) FROM folder WHERE parent = ?1 AND attributes & ?2 = 0",
	[FOLDER_INSERT] =
		"INSERT INTO folder (parent, name, wire, wire_is_utf8, delimiter, attributes, special_use, rights, mtime_ns)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[FOLDER_INSERT_AS] =
		"INSERT INTO folder (row, parent, name, wire_is_utf8, delimiter, attributes, special_use, complete, mtime_ns)"
		" VALUES (?1, ?2, ?3, 0, 0, ?4, 0, ?5, ?6)",
	[ROWS_RESERVE] = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
	[FOLDER_UPDATE] = "UPDATE folder SET parent = ?1, name = ?2, wire = ?3, wire_is_utf8 = ?4, delimiter = ?5, attributes = ?6,"
			  " special_use = ?7, rights = ?8 WHERE row = ?9",
	[FOLDER_DELETE] = "DELETE FROM folder WHERE row = ?1",
	[FOLDER_RESET] = "UPDATE folder SET uidvalidity = ?2, uidnext = 1, highestmodseq = 0, complete = "
			 "0, " LATER_ONCE_COMPLETE(mtime_ns, "?3") " WHERE row = ?1",
	[FOLDER_COUNT_ANEW] =
		"UPDATE folder SET"
		" messages = (SELECT count(*) FROM message WHERE folder = ?1 AND local = 0),"
		" unseen = (SELECT count(*) FROM message WHERE folder = ?1 AND local = 0 AND flags NOT LIKE '\\Seen%')"
		" WHERE row = ?1",
	[FOLDER_PROGRESS] = "UPDATE folder SET uidnext = ?2 WHERE row = ?1",
	[FOLDER_COMPLETE] = "UPDATE folder SET complete = 1, highestmodseq = ?2 WHERE row = ?1",
	[FOLDER_TOUCH] = "UPDATE folder SET " LATER(mtime_ns, "?2") " WHERE row = ?1",
	[FOLDER_COUNT] = "UPDATE folder SET messages = messages + ?2, unseen = unseen + ?3, " LATER_ONCE_COMPLETE(
		mtime_ns, "?4") " WHERE row = ?1",

	/* of folders that show messages which the server has in ?1, as if these were gone */
	[FOLDER_COUNT_WITHOUT_AWAY] =
		"UPDATE folder SET"
		" messages = (SELECT count(*) FROM message m WHERE m.folder = folder.row AND local = 0 AND server_folder IS NOT "
		"?1),"
		" unseen = (SELECT count(*) FROM message m WHERE m.folder = folder.row AND local = 0 AND server_folder IS NOT ?1"
		" AND flags NOT LIKE '\\Seen%')"
		" WHERE row IN (SELECT folder FROM message WHERE server_folder = ?1 AND folder > 0)",
	[MESSAGE_GET] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE row = ?1",
	[MESSAGE_BY_UID] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid = ?2",
	[MESSAGE_BY_GIVEN_NAME] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND name = ?2 AND given = 1",
	[MESSAGE_AWAY] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE server_folder = ?1 AND server_uid = ?2",
	[MESSAGE_FLAGS] = "SELECT flags FROM message WHERE row = ?1",
	[MESSAGE_SERVER_FLAGS] = "SELECT server_flags FROM message WHERE row = ?1",
	[MESSAGE_EACH] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid > ?2 ORDER BY uid",
	[MESSAGE_EACH_WITHOUT_UID] =
		"SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid IS NULL AND row > ?2 ORDER BY row",
	[MESSAGE_EACH_NAME] = "SELECT row, folder, uid, name FROM message WHERE folder = ?1 AND uid > ?2 ORDER BY uid",
	[MESSAGE_EACH_NAME_WITHOUT_UID] =
		"SELECT row, folder, uid, name FROM message WHERE folder = ?1 AND uid IS NULL AND row > ?2 ORDER BY row",
	[MESSAGE_EACH_BY_FLAG] =
		"SELECT " MESSAGE_COLUMNS " FROM message WHERE folder = ?1 AND uid > ?2 AND " HAS_FLAG("?3") " = ?4 ORDER BY uid",
	[MESSAGE_EACH_BY_FLAG_WITHOUT_UID] =
		"SELECT " MESSAGE_COLUMNS
		" FROM message WHERE folder = ?1 AND uid IS NULL AND row > ?2 AND " HAS_FLAG("?3") " = ?4 ORDER BY row",
	[MESSAGE_EACH_FLAGS] = "SELECT DISTINCT flags FROM message WHERE folder = ?1",
	[MESSAGE_EACH_FLAGS_OF_ALL] = "SELECT DISTINCT flags FROM message WHERE +folder > 0",
	[MESSAGE_EACH_CHANGED] = "SELECT " MESSAGE_COLUMNS " FROM message INDEXED BY message_away"
				 " WHERE server_folder IS NOT NULL AND marked = 0 AND row > ?1 UNION"
				 " SELECT " MESSAGE_COLUMNS
				 " FROM message INDEXED BY message_flagged WHERE server_flags IS NOT NULL AND row > ?1 UNION"
				 " SELECT " MESSAGE_COLUMNS
				 " FROM message INDEXED BY message_without_uid WHERE uid IS NULL AND marked = 0 AND row > ?1"
				 " ORDER BY 1",
	[MESSAGE_UIDS] = "SELECT uid FROM message WHERE folder = ?1 AND uid < ?2 UNION ALL"
			 " SELECT server_uid FROM message WHERE server_folder = ?1 AND server_uid < ?2 ORDER BY 1",
	[MESSAGE_COUNT] = "SELECT (SELECT count(*) FROM message WHERE folder = ?1 AND uid < ?2) +"
			  " (SELECT count(*) FROM message WHERE server_folder = ?1 AND server_uid < ?2)",
	[MESSAGE_ANY_FROM] = "SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND uid >= ?2) OR"
			     " EXISTS (SELECT 1 FROM message WHERE server_folder = ?1)",
	[MESSAGE_COUNT_MARKED] = "SELECT count(*) FROM message WHERE server_folder = ?1 AND marked = 1",
	[MESSAGE_ANY_GIVEN_NAME] = "SELECT 1 FROM message WHERE folder = ?1 AND given = 1 LIMIT 1",
	[MESSAGE_INSERT] =
		"INSERT INTO message (folder, uid, name, size, size_proven, internaldate_s, ctime_ns, given, server_folder,"
		" server_uid, local, marked, mtime_ns, mode, arrived_s, row, flags)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	[MESSAGE_PUT] =
		"UPDATE message SET folder = ?1, uid = ?2, name = ?3, size = ?4, size_proven = ?5, internaldate_s = ?6,"
		" ctime_ns = ?7, given = ?8, server_folder = ?9, server_uid = ?10, local = ?11, marked = ?12, mtime_ns = ?13,"
		" mode = ?14, arrived_s = ?15 WHERE row = ?16",
	[MESSAGE_SET_SERVER_FLAGS] = "UPDATE message SET server_flags = ?2 WHERE row = ?1",
	[MESSAGE_SET_FLAGS] = "UPDATE message SET flags = ?2, " LATER(ctime_ns, "?3") " WHERE row = ?1",
	[MESSAGE_PROVE_SIZE] = "UPDATE message SET size = ?2, size_proven = 1 WHERE row = ?1",
	[MESSAGE_BURY] =
		"UPDATE message SET folder = -row, server_folder = NULL, server_uid = NULL, server_flags = NULL, local = 0,"
		" marked = 0 WHERE row = ?1",
	[MESSAGE_BURY_ALL] = "UPDATE message SET folder = -row WHERE folder = ?1",
	[MESSAGE_BURY_RESET] = "UPDATE message SET folder = -row WHERE folder = ?1 AND uid IS NOT NULL",
	[MESSAGE_BURY_AWAY] = "UPDATE message SET folder = -row, server_folder = NULL, server_uid = NULL WHERE server_folder = ?1",
	[MESSAGE_PLACE] = "SELECT folder, local, flags, server_folder FROM message WHERE row = ?1",

	[BEGIN_READING] = "BEGIN",
	[BEGIN_WRITING] = "BEGIN IMMEDIATE",
	[END_TRANSACTION] = "COMMIT",

	[CHANGE_APPEND] = "INSERT INTO journal.change (seq, kind, row, source, folder, detail, depends)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[CHANGE_EACH] = "SELECT " CHANGE_COLUMNS " FROM journal.change WHERE seq > ?1 ORDER BY seq",
	[CHANGE_EACH_OF] = "SELECT " CHANGE_COLUMNS " FROM journal.change WHERE row = ?1 ORDER BY seq",
	[CHANGE_EACH_DEPENDING] = "SELECT " CHANGE_COLUMNS " FROM journal.change WHERE depends = ?1 AND depends <> 0 ORDER BY seq",
	/* JOURNAL_DELETE, JOURNAL_RENAME */
	[CHANGE_EACH_FOLDER] = "SELECT " CHANGE_COLUMNS " FROM journal.change WHERE seq > ?1 AND kind IN (8, 9) ORDER BY seq",
	[CHANGE_REPLACE] = "UPDATE journal.change SET kind = ?1, row = ?2, source = ?3, folder = ?4, detail = ?5, depends = ?6,"
			   " sent = 0, uidnext = 0, uidvalidity = 0, unanswered = 0 WHERE seq = ?7",
	[CHANGE_REMOVE] = "DELETE FROM journal.change WHERE seq = ?1",
	[CHANGE_MARK_SENT] = "UPDATE journal.change SET sent = 1, uidvalidity = ?2, uidnext = ?3, unanswered = 0 WHERE seq = ?1",
	[CHANGE_NOTE_UNANSWERED] = "UPDATE journal.change SET unanswered = ?2 WHERE seq = ?1",
	[CHANGE_FORGET_SENT] = "UPDATE journal.change SET sent = 0, uidvalidity = 0, uidnext = 0, unanswered = 0 WHERE seq = ?1",
	[CHANGE_NOTE_BOUND] = "UPDATE journal.change SET uidnext = ?2 WHERE seq = ?1",
	/* JOURNAL_MOVE, JOURNAL_COPY */
	[CHANGE_RENAME] = "UPDATE journal.change SET detail = ?2 WHERE seq ="
			  " (SELECT max(seq) FROM journal.change WHERE row = ?1 AND kind IN (2, 6))",
	[CHANGE_HAS] = "SELECT EXISTS (SELECT 1 FROM journal.change WHERE row = ?1 AND kind = ?2)",
	[CHANGE_HAND_OVER] = "UPDATE journal.change SET row = ?2 WHERE row = ?1",
	[CHANGE_HAND_OVER_SOURCE] = "UPDATE journal.change SET source = ?2 WHERE source = ?1 AND source <> 0",
	[CHANGE_LAST_OF] = "SELECT max(seq) FROM journal.change WHERE row = ?1 OR (source = ?1 AND source <> 0)",
	[CHANGE_LAST_IN] = "SELECT max(seq) FROM journal.change WHERE folder = ?1 OR substr(folder, 1, length(?2)) = ?2 OR"
			   " row IN (SELECT row FROM journal.place WHERE wire = ?1)",
	[PLACE_GET] = "SELECT wire, uidvalidity, uid, name, given FROM journal.place WHERE row = ?1",
	[PLACE_AT] = "SELECT row FROM journal.place WHERE wire = ?1 AND uidvalidity = ?2 AND uid = ?3",
	[PLACE_PUT] = "INSERT OR REPLACE INTO journal.place (row, wire, uidvalidity, uid, name, given)"
		      " VALUES (?1, ?2, ?3, nullif(?4, 0), ?5, ?6)",
	[PLACE_HAND_OVER] = "UPDATE journal.place SET row = ?2 WHERE row = ?1",
	[PLACE_SWEEP] = "DELETE FROM journal.place WHERE row = ?1 AND NOT EXISTS"
			" (SELECT 1 FROM journal.change WHERE row = ?1 OR (source = ?1 AND source <> 0))",
	[PLACE_LAST_ROW] = "SELECT max((SELECT coalesce(max(row), 0) FROM journal.place), (SELECT coalesce(max(row), 0) FROM"
			   " journal.file), (SELECT coalesce(max(row), 0) FROM journal.change))",
	[KEPT_GET] = "SELECT name, mtime_ns, mode, arrived_s, marked FROM journal.kept WHERE wire = ?1 AND uidvalidity = ?2 AND "
		     "uid = ?3",
	[KEPT_PUT] = "INSERT OR REPLACE INTO journal.kept (wire, uidvalidity, uid, name, mtime_ns, mode, arrived_s, marked)"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[KEPT_REMOVE] = "DELETE FROM journal.kept WHERE wire = ?1 AND uidvalidity = ?2 AND uid = ?3",
	[KEPT_LAST] = "SELECT max(uid) FROM journal.kept WHERE wire = ?1 AND uidvalidity = ?2",
	[KEPT_ANY] = "SELECT 1 FROM journal.kept WHERE wire = ?1 LIMIT 1",
	[KEPT_FORGET_OTHERS] = "DELETE FROM journal.kept WHERE wire = ?1 AND uidvalidity <> ?2",
	[FILE_PUT] = "INSERT OR REPLACE INTO journal.file (" FILE_COLUMNS ")"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[FILE_GET] = "SELECT " FILE_COLUMNS " FROM journal.file WHERE row = ?1",
	[FILE_EACH] = "SELECT " FILE_COLUMNS " FROM journal.file WHERE row > ?1 ORDER BY row",
	[FILE_REMOVE] = "DELETE FROM journal.file WHERE row = ?1",
	[DIRECTORY_PUT] = "INSERT OR REPLACE INTO journal.directory (row, directory, wire, name) VALUES (?1, ?2, ?3, ?4)",
	[DIRECTORY_EACH] = "SELECT row, directory, wire, name FROM journal.directory WHERE row > ?1 ORDER BY row",
	[DIRECTORY_REMOVE] = "DELETE FROM journal.directory WHERE row = ?1",
};
