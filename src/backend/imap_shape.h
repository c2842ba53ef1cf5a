/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a FETCH response is one that libetpan's parser takes without harm: the items mailfs asks for, each in its plain form. Pure.
 */
#ifndef MAILFS_IMAP_SHAPE_H
#define MAILFS_IMAP_SHAPE_H

#include "backend/imap_reply.h"

/* `items` is the response's text behind "FETCH ". */
bool imap_shape_is_plain(struct imap_text items);

#endif
