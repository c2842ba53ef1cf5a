/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At each mount: the index is made to show what the journal and the list of local files hold, whatever a crash, a power cut or a deleted cache did to it.
 */
#ifndef MAILFS_RESTORE_H
#define MAILFS_RESTORE_H

#include <stdint.h>

struct index_message;
struct mailbox;

/* Before any other thread. */
int restore_changes(struct mailbox *mb);
/* Local files in folders that were not known then, once the server has listed them. Any thread. */
int restore_unplaced(struct mailbox *mb);

/* In a transaction. 1 for a local file that stands nowhere since its folder went, 0 for one that was removed. */
int restore_is_homeless(struct mailbox *mb, const struct index_message *m);
/* Such a file is shown in the folder that has that name now, or in the root; when it is not known yet, once it is. */
int restore_homeless(struct mailbox *mb, int64_t row);

#endif
