/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a message may be sent, judged when its writer closes it. On the thread that commits; may ask the sent folder.
 */
#ifndef MAILFS_OUTBOX_GUARD_H
#define MAILFS_OUTBOX_GUARD_H

#include "outbox/queue.h"

/*
 * Judges the bytes of a claimed entry and fills its record's envelope; changes nothing on disk. -EINVAL, -EFBIG, -EPERM, -EEXIST with `why`, or another -errno. `may_ask`: the sent
 * folder may be asked now; else the sender does it. `is_retry`: out of failed/, where the user wants it sent again.
 */
int guard_judge(struct outbox *o, struct entry *e, bool may_ask, bool is_retry, struct buf *why);

#endif
