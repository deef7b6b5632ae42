#include "config/document.h"

#include <stdlib.h>

struct document_node *document_add(struct document *document, struct document_node *parent,
                                   const struct document_node *like)
{
    struct document_node *node;

    if (document->nodes == DOCUMENT_NODES_MAX)
        return NULL;
    document->nodes++;
    node = arena_take(&document->memory, sizeof(*node));
    *node = *like;
    node->text.data = arena_copy(&document->memory, like->text);
    node->key.data = arena_copy(&document->memory, like->key);
    if (!parent) {
        document->root = node;
        return node;
    }
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return node;
}

void document_finish(struct document *document)
{
    arena_finish(&document->memory);
    document->root = NULL;
    document->nodes = 0;
}

const struct document_node *document_get(const struct document_node *map, struct view key)
{
    if (!map || map->kind != DOCUMENT_MAP)
        return NULL;
    for (const struct document_node *node = map->first; node; node = node->next) {
        if (view_equals(node->key, key))
            return node;
    }
    return NULL;
}

static const struct document_node *element(const struct document_node *list, unsigned long index)
{
    const struct document_node *node = list && list->kind == DOCUMENT_LIST ? list->first : NULL;

    while (node && index--)
        node = node->next;
    return node;
}

const struct document_node *document_find(const struct document_node *root, const char *path)
{
    const struct document_node *node = root;

    while (node && *path) {
        size_t size = strcspn(path, ".[");

        if (size) {
            node = document_get(node, (struct view){path, size});
            path += size;
        } else if (*path == '.') {
            path++;
        } else {
            char *end;

            node = element(node, strtoul(path + 1, &end, 10));
            path = end + (*end == ']');
        }
    }
    return node;
}
