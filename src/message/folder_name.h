/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folder names between the wire (modified UTF-7, RFC 3501 5.1.3, or UTF-8 with UTF8=ACCEPT / IMAP4rev2) and the tree (one UTF-8
 * component a level). Reversible: a component decodes to exactly the wire bytes it came from. Pure.
 *
 * Percent-escaped (%XX of each byte) in a component: `/`, `%` itself where two hex digits follow, control characters and DEL, bytes that are not
 * valid UTF-8 or modified UTF-7 that would not encode back to the same bytes, a leading dot (so `.`, `..`, `.text`), at the top level a name that is
 * `outbox` in any case, a dot that begins a final `.eml`, and what would make the component longer than 255 bytes is refused.
 */
#ifndef MAILFS_FOLDER_NAME_H
#define MAILFS_FOLDER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* One component of a wire name (already split at the delimiter). `top`: it stands in the mount's root. -ENAMETOOLONG when the
 * component would be over 255 bytes; -EINVAL for an empty one. */
int folder_name_to_component(const char *wire, size_t len, bool wire_is_utf8, bool top, struct buf *out);

/* The way back. -EINVAL when no wire name gives this component. */
int folder_name_from_component(const char *component, bool wire_is_utf8, bool top, struct buf *out);

/* The `folders` key: whether the path ("Projects/2026", decoded, / between components) is shown. Patterns are space-separated, quotes
 * allowed, `*` matches anything, `%` anything but `/`, `!` before a pattern excludes; the last one that matches decides; none: not shown,
 * or shown if all patterns exclude. Only `*` and `%` are special. */
bool folder_name_selected(const char *patterns, const char *path);

#endif
