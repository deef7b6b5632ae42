/*
 * Memory for text that is about to be written by a sock: one piece of memory of the group, given
 * out from its beginning on, and free again once the callback that wrote has returned.
 *
 * Owner: the group of socks.
 */
#pragma once

#include <stddef.h>

#define SOCK_TEXT_BYTES (256 * 1024) /* of a group, for all texts of one callback */

struct sock_group;

/*
 * `size` bytes that stay until they have left, if they are given to sock_write() before the next
 * text is got. NULL above SOCK_TEXT_BYTES. What is not used is given back with sock_text_trim().
 */
char *sock_text(struct sock_group *group, size_t size);

/* Of the text got last, `unused` bytes at its end were not needed. */
void sock_text_trim(struct sock_group *group, size_t unused);

/* Texts of `size` bytes together can be got from here on and all stay until they have left: for
 * whoever needs several before the first is written. */
static inline void sock_text_reserve(struct sock_group *group, size_t size)
{
    if (sock_text(group, size))
        sock_text_trim(group, size);
}
