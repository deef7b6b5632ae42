/*
 * A doubly linked list through its elements: a `struct list` embedded in each, one more as the
 * head. An element that is in no list points at itself, so removing it twice is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attribute.h"

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *element)
{
    element->next = list;
    element->previous = list->previous;
    list->previous->next = element;
    list->previous = element;
}

static inline void list_prepend(struct list *list, struct list *element)
{
    list_append(list->next, element);
}

static inline void list_remove(struct list *element)
{
    element->previous->next = element->next;
    element->next->previous = element->previous;
    list_init(element);
}

/* Moves every element of `from` to the end of `list`; `from` is empty then. */
static inline void list_take_all(struct list *list, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->previous = list->previous;
    list->previous->next = from->next;
    from->previous->next = list;
    list->previous = from->previous;
    list_init(from);
}

/* The first or last element, or NULL. */
#define LIST_FIRST(list, type, member)                                                             \
    (list_is_empty(list) ? NULL : CONTAINER_OF((list)->next, type, member))
#define LIST_LAST(list, type, member)                                                              \
    (list_is_empty(list) ? NULL : CONTAINER_OF((list)->previous, type, member))

/* Each element in order; the current one, `at` (a struct list), may be removed and no other. */
#define LIST_FOR_EACH(at, head)                                                                    \
    for (struct list *at = (head)->next, *at##_next = at->next; at != (head);                      \
         at = at##_next, at##_next = at->next)
