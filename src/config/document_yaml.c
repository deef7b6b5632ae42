#include "config/document.h"

#include <errno.h>
#include <yaml.h>

/* What stands around the current event, outermost first. */
struct reader {
    struct document *document;
    struct document_node *open[DOCUMENT_DEPTH_MAX];
    unsigned depth;
    unsigned documents;
    bool has_key;    /* a map waits for the value of `key` */
    struct view key; /* in the document's memory */
    yaml_mark_t key_mark;
    struct error *why;
};

/* People count from 1, libyaml from 0. */
static int refuse(struct reader *reader, yaml_mark_t mark, const char *sentence)
{
    return error_set(reader->why, -EINVAL, "%zu:%zu: %s", mark.line + 1, mark.column + 1, sentence);
}

static struct document_node *innermost(const struct reader *reader)
{
    return reader->depth ? reader->open[reader->depth - 1] : NULL;
}

static bool waits_for_key(const struct reader *reader)
{
    const struct document_node *parent = innermost(reader);

    return parent && parent->kind == DOCUMENT_MAP && !reader->has_key;
}

/* Adds a node where the reader is; opens it if it has children. */
static int add(struct reader *reader, enum document_kind kind, struct view text, yaml_mark_t mark)
{
    struct document_node node = {.kind = kind,
                                 .text = text,
                                 .line = (unsigned)mark.line + 1,
                                 .column = (unsigned)mark.column + 1};
    struct document_node *added;

    if (waits_for_key(reader))
        return refuse(reader, mark, "expected a single value as the key");
    if (reader->has_key) {
        node.key = reader->key;
        node.key_line = (unsigned)reader->key_mark.line + 1;
        node.key_column = (unsigned)reader->key_mark.column + 1;
    }
    reader->has_key = false;
    added = document_add(reader->document, innermost(reader), &node);
    if (!added)
        return refuse(reader, mark, "the document has too many values");
    if (kind != DOCUMENT_LIST && kind != DOCUMENT_MAP)
        return 0;
    if (reader->depth == DOCUMENT_DEPTH_MAX)
        return refuse(reader, mark, "the document is nested too deeply");
    reader->open[reader->depth++] = added;
    return 0;
}

/* A plain scalar that stands for nothing (YAML 1.2 10.3.2). */
static bool is_nothing(struct view text)
{
    return text.size == 0 || view_equals(text, VIEW("~")) || view_equals(text, VIEW("null"));
}

static int on_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct view text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (event->data.scalar.anchor)
        return refuse(reader, event->start_mark, "anchors are not supported");
    if (event->data.scalar.tag)
        return refuse(reader, event->start_mark, "tags are not supported");
    if (waits_for_key(reader)) {
        reader->key = (struct view){arena_copy(&reader->document->memory, text), text.size};
        reader->key_mark = event->start_mark;
        reader->has_key = true;
        return 0;
    }
    return add(reader, is_plain && is_nothing(text) ? DOCUMENT_NOTHING : DOCUMENT_TEXT, text,
               event->start_mark);
}

static int on_open(struct reader *reader, const yaml_event_t *event, enum document_kind kind,
                   const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return refuse(reader, event->start_mark, "anchors are not supported");
    if (tag)
        return refuse(reader, event->start_mark, "tags are not supported");
    return add(reader, kind, (struct view){"", 0}, event->start_mark);
}

static int on_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->documents++)
            return refuse(reader, event->start_mark, "expected one document, here begins another");
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(reader, event->start_mark, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(reader, event, DOCUMENT_LIST, event->data.sequence_start.anchor,
                       event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_open(reader, event, DOCUMENT_MAP, event->data.mapping_start.anchor,
                       event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    default:
        return 0;
    }
}

static int refuse_syntax(struct reader *reader, const yaml_parser_t *parser)
{
    if (parser->error == YAML_READER_ERROR)
        return error_set(reader->why, -EINVAL, "%zu:%zu: %s at byte %zu", parser->mark.line + 1,
                         parser->mark.column + 1, parser->problem, parser->problem_offset);
    return refuse(reader, parser->problem_mark, parser->problem ? parser->problem : "no YAML");
}

static int read_events(struct reader *reader, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        bool is_end;
        int error;

        if (!yaml_parser_parse(parser, &event))
            return refuse_syntax(reader, parser);
        is_end = event.type == YAML_STREAM_END_EVENT;
        error = on_event(reader, &event);
        yaml_event_delete(&event);
        if (error < 0 || is_end)
            return error;
    }
}

int document_yaml_read(struct document *document, struct view text, struct error *why)
{
    struct reader reader = {.document = document, .why = why};
    yaml_parser_t parser;
    int error;

    *document = (struct document){0};
    if (text.size > DOCUMENT_BYTES_MAX)
        return error_set(why, -EINVAL, "1:1: the document is longer than %u bytes",
                         DOCUMENT_BYTES_MAX);
    if (!yaml_parser_initialize(&parser))
        return error_set(why, -ENOMEM, "1:1: no memory for the YAML parser");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.size);
    error = read_events(&reader, &parser);
    yaml_parser_delete(&parser);
    if (error < 0)
        document_finish(document);
    return error;
}
