/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folder names between the wire (modified UTF-7, RFC 3501 5.1.3, or UTF-8 with UTF8=ACCEPT / IMAP4rev2) and the tree (one UTF-8
 * component a level). Reversible: a component decodes to exactly the wire bytes it came from. Pure.
 *
 * Percent-escaped (%XX of each byte) in a component: `/`, control characters (C0, DEL, C1), bytes that are not valid UTF-8, `%` itself where
 * two hex digits follow, a leading dot (so `.`, `..`, `.text`), at the top level the first letter of a name that is `outbox` in any case, and
 * the dot that begins a final `.eml`. A wire name that is no canonical modified UTF-7 stands byte for byte, `&` as %26 and 8-bit bytes
 * escaped; %00 goes before it in the rare case (bare control characters) where a proper name would look the same. At the top level INBOX
 * in any case is `INBOX`: it is one mailbox (RFC 9051 5.1), and the one case in which the bytes may differ on the way back.
 */
#ifndef MAILFS_FOLDER_NAME_H
#define MAILFS_FOLDER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* One component of a wire name (already split at the delimiter). `top`: it stands in the mount's root. -ENAMETOOLONG when the
 * component would be over 255 bytes; -EINVAL for an empty one or a NUL; -ENOMEM. */
int folder_name_to_component(const char *wire, size_t len, bool wire_is_utf8, bool top, struct buf *out);

/* The way back. -EINVAL when no wire name gives this component. The caller checks for the server's delimiter in it. */
int folder_name_from_component(const char *component, bool wire_is_utf8, bool top, struct buf *out);

/* The `folders` key: whether the path ("Projects/2026", decoded, / between components) is shown. Patterns are separated by blanks; quotes
 * hold blanks, and \" and \\. `*` matches anything, `%` anything but `/`, nothing else is special; `!` before a pattern, also within its
 * quotes, excludes. The last one that matches decides; none: shown if all exclude, else not. */
bool folder_name_selected(const char *patterns, const char *path);

/* Whether they can mean what their writer meant. -EINVAL with *ret_advice, static, what is wrong and what to write. -ENOMEM. */
int folder_name_check_patterns(const char *patterns, const char **ret_advice);

#endif
