/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At each mount: the index is made to show what the journal and the list of local files hold, whatever a crash, a power cut or a deleted cache did to it.
 */
#ifndef MAILFS_RESTORE_H
#define MAILFS_RESTORE_H

struct mailbox;

/* Before any other thread. */
int restore_changes(struct mailbox *mb);
/* Local files in folders that were not known then, once the server has listed them. Any thread. */
int restore_unplaced(struct mailbox *mb);

#endif
