/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap.h"

#include "backend/imap_append.h"
#include "backend/imap_change.h"
#include "backend/imap_fetch.h"
#include "backend/imap_folder.h"
#include "backend/imap_gmail.h"
#include "backend/imap_list.h"
#include "backend/imap_quota.h"
#include "backend/imap_search.h"
#include "backend/imap_select.h"
#include "backend/imap_session.h"
#include "backend/imap_sync.h"

const struct backend_ops imap_backend = {
	.name = "imap",
	.open = imap_session_open,
	.close = imap_session_close,
	.reopen = imap_session_reopen,
	.list = imap_list,
	.status = imap_status,
	.sync = imap_sync,
	.fetch = imap_fetch,
	.store = imap_store,
	.copy = imap_copy,
	.move = imap_move,
	.expunge = imap_expunge,
	.uids_from = imap_uids_from,
	.append = imap_append,
	.append_many = imap_append_many,
	.create = imap_create,
	.remove = imap_remove,
	.rename = imap_rename,
	.subscribe = imap_subscribe,
	.search_message_id = imap_search_message_id,
	.quota = imap_quota,
	.gmail = imap_gmail,
	.rights = imap_rights,
	.noop = imap_session_noop,
	.describe = imap_session_describe,
};
