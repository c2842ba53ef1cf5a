/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The envelope that a message asks for: from whom, to whom, under which Message-ID. Pure.
 */
#ifndef MAILFS_OUTBOX_ENVELOPE_H
#define MAILFS_OUTBOX_ENVELOPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "message/address.h"
#include "outbox/string_list.h"

struct envelope {
	char *sender;		       /* own; addr-spec */
	struct string_list recipients; /* addr-specs, each once */
	char *message_id;	       /* own; with its angle brackets, NULL when the message has none, or an empty one */
	bool is_resent;		       /* taken from its latest Resent- fields (RFC 5322 3.6.6) */
};

/*
 * Reads `header` (as survey_message() leaves it). `own` is the `from` key, NULL when none is known. Recipients come from the latest block of Resent- fields if it
 * names any, else from To, Cc and Bcc; `rcpt` (user.mail.rcpt), unless NULL, replaces them. The sender is the first address of `own`;
 * where that has only patterns, the message's From (or Resent-From).
 * -EINVAL no recipient, an address that makes no sense, or a Message-ID that is not ASCII; -EPERM a Resent-From (From, where there is none) that is none of `own`, or no From in a
 * message that has been delivered before, unless `is_forced`; with `why`.
 */
int envelope_read(const struct buf *header, const char *own, const char *rcpt, bool is_forced, struct envelope *ret,
		  struct buf *why);
void envelope_release(struct envelope *e);

/* The same recipients alone, and one more, each once: into `list`. -EINVAL with `why`. */
int envelope_recipients(const struct buf *header, struct string_list *list, struct buf *why);
int envelope_add_recipient(const struct address *a, struct string_list *list, struct buf *why);
/* Whom a message is from, by which its sender is judged. -ENOENT: it does not say; -EINVAL: it says nothing that makes sense. */
int envelope_from(const struct buf *header, struct address_list *list);

/* The bytes of the latest block of Resent- fields, if it names recipients. */
bool envelope_resent_block(const struct buf *header, size_t *ret_start, size_t *ret_len);

/* The first address of `own` that is one (`*@example.com` is none): -ENOENT. *ret_list holds it alone; release it. */
int envelope_first_own(const char *own, struct address_list *ret_list);

/* Appends `<random.time@domain>` with the domain of the addr-spec `sender`. */
int envelope_new_message_id(const char *sender, struct buf *out);

/* Appends the text by which a message is known as sent to these recipients. */
int envelope_key(const char *message_id, const struct string_list *recipients, struct buf *out);

static inline void envelope_cleanup(struct envelope *e)
{
	envelope_release(e);
}

#endif
