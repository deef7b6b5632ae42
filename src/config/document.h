/*
 * A document somebody wrote, YAML or JSON, as a tree that still knows where everything stood.
 * Depth, nodes and bytes are bounded; anchors, aliases and tags are refused.
 *
 * Owner: the caller of a read; document_finish() ends the whole tree.
 */
#pragma once

#include <stdbool.h>

#include "base/attribute.h"
#include "base/error.h"
#include "base/view.h"

#include "base/arena.h"

#define DOCUMENT_DEPTH_MAX 16
#define DOCUMENT_NODES_MAX 16384
#define DOCUMENT_BYTES_MAX (1u << 20)

enum document_kind { DOCUMENT_NOTHING, DOCUMENT_TEXT, DOCUMENT_LIST, DOCUMENT_MAP };

struct document_node {
    enum document_kind kind;
    struct view text; /* of DOCUMENT_TEXT: numbers and words too */
    unsigned line;    /* from 1; 0 where the format does not say */
    unsigned column;
    struct view key; /* in a map: its name there */
    unsigned key_line;
    unsigned key_column;
    unsigned count; /* of children */
    struct document_node *first;
    struct document_node *last;
    struct document_node *next;
};

struct document {
    struct document_node *root; /* NULL: an empty document */
    unsigned nodes;
    struct arena memory;
};

/*
 * One YAML document out of `text`. -EINVAL where it is none or is beyond a limit, the sentence
 * begins with LINE:COLUMN; the document is empty then.
 */
MUST_USE int document_yaml_read(struct document *document, struct view text, struct error *why);

/* The same of JSON (RFC 8259). Its nodes have no line, only a syntax error does. */
MUST_USE int document_json_read(struct document *document, struct view text, struct error *why);

/* Harmless on one that is empty. */
void document_finish(struct document *document);

/* A new node that is the last child of `parent` (NULL: the root), or NULL at the limit. The key
 * and text of `like` are copied. */
struct document_node *document_add(struct document *document, struct document_node *parent,
                                   const struct document_node *like);

/* The child of a map or NULL; of repeated ones the first. `map` may be NULL. */
const struct document_node *document_get(const struct document_node *map, struct view key);

/* What stands at "services[0].balance.slots", or NULL. */
const struct document_node *document_find(const struct document_node *root, const char *path);
