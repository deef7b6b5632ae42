#include "config/document.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_BYTES 40

static int add_value(struct document *document, struct document_node *parent, struct view key,
                     const json_t *value, unsigned depth, struct error *why);

static int add_children(struct document *document, struct document_node *node, const json_t *value,
                        unsigned depth, struct error *why)
{
    /* The iterator's interface takes no const; it changes nothing. */
    json_t *container = (json_t *)value;
    const char *key;
    size_t key_size;
    size_t index;
    json_t *child;
    int error = 0;

    json_object_keylen_foreach(container, key, key_size, child)
    {
        error = add_value(document, node, (struct view){key, key_size}, child, depth + 1, why);
        if (error < 0)
            return error;
    }
    json_array_foreach(container, index, child)
    {
        error = add_value(document, node, (struct view){"", 0}, child, depth + 1, why);
        if (error < 0)
            return error;
    }
    return error;
}

/* The shortest notation that says the number exactly to 15 places: 0.1 stays "0.1". */
static struct view number_text(const json_t *value, char text[NUMBER_BYTES])
{
    if (json_is_integer(value))
        snprintf(text, NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, NUMBER_BYTES, "%.15g", json_real_value(value));
    return view_of(text);
}

static int add_value(struct document *document, struct document_node *parent, struct view key,
                     const json_t *value, unsigned depth, struct error *why)
{
    struct document_node node = {.kind = DOCUMENT_TEXT, .key = key, .text = {"", 0}};
    struct document_node *added;
    char number[NUMBER_BYTES];

    if (depth > DOCUMENT_DEPTH_MAX)
        return error_set(why, -EINVAL, " the document is nested too deeply");
    if (json_is_object(value))
        node.kind = DOCUMENT_MAP;
    else if (json_is_array(value))
        node.kind = DOCUMENT_LIST;
    else if (json_is_null(value))
        node.kind = DOCUMENT_NOTHING;
    else if (json_is_boolean(value))
        node.text = json_is_true(value) ? VIEW("true") : VIEW("false");
    else if (json_is_number(value))
        node.text = number_text(value, number);
    else
        node.text = (struct view){json_string_value(value), json_string_length(value)};
    added = document_add(document, parent, &node);
    if (!added)
        return error_set(why, -EINVAL, " the document has too many values");
    return add_children(document, added, value, depth, why);
}

int document_json_read(struct document *document, struct view text, struct error *why)
{
    json_error_t fault;
    json_t *value;
    int error;

    *document = (struct document){0};
    if (text.size > DOCUMENT_BYTES_MAX)
        return error_set(why, -EINVAL, "1:1: the document is longer than %u bytes",
                         DOCUMENT_BYTES_MAX);
    value = json_loadb(text.size ? text.data : "", text.size,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    if (!value)
        return error_set(why, -EINVAL, "%d:%d: %s", fault.line > 0 ? fault.line : 1,
                         fault.column > 0 ? fault.column : 1, fault.text);
    error = add_value(document, NULL, (struct view){"", 0}, value, 1, why);
    json_decref(value);
    if (error < 0)
        document_finish(document);
    return error;
}
