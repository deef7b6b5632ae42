/*
 * Parses a head whole, cut in two at every byte, and byte by byte, each time from memory of
 * exactly its size, and insists on one verdict and one model. Shared by unit tests and fuzz
 * targets.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "http/h1_parse.h"

/* Longer inputs are not cut at every byte but at about so many places. */
#define ANY_CUT_PLACES 1024

typedef struct h1_verdict (*any_cut_fn)(struct view bytes, const struct h1_limits *limits,
                                        size_t *scanned, struct head *head);

struct any_cut {
    struct h1_verdict verdict;
    struct head head;
    struct field fields[HEAD_FIELDS_MAX];
    char *bytes;
    size_t scanned;
};

/* Feeds the first `size` bytes, which stand somewhere else each time. Frees what was fed before. */
static inline void any_cut_feed(struct any_cut *at, any_cut_fn parse,
                                const struct h1_limits *limits, struct view input, size_t size)
{
    char *bytes = malloc(size ? size : 1);

    memcpy(bytes, input.data ? input.data : "", size);
    free(at->bytes);
    at->bytes = bytes;
    memset(&at->head, 0xa5, sizeof(at->head));
    memset(at->fields, 0xa5, sizeof(at->fields));
    at->head.fields = at->fields;
    at->verdict = parse((struct view){bytes, size}, limits, &at->scanned, &at->head);
}

static inline bool any_cut_same_view(struct view a, struct view b)
{
    return !a.data == !b.data && view_equals(a, b);
}

static inline bool any_cut_same_start(const struct head *a, const struct head *b)
{
    return a->method == b->method && any_cut_same_view(a->method_text, b->method_text) &&
           any_cut_same_view(a->target, b->target) && any_cut_same_view(a->path, b->path) &&
           any_cut_same_view(a->query, b->query) && any_cut_same_view(a->host, b->host) &&
           a->status == b->status && any_cut_same_view(a->reason, b->reason) &&
           a->minor_version == b->minor_version;
}

static inline bool any_cut_same_meaning(const struct head *a, const struct head *b)
{
    return a->asks_upgrade == b->asks_upgrade && a->expects_continue == b->expects_continue &&
           a->accepts_trailers == b->accepts_trailers && a->says_close == b->says_close &&
           a->has_upgrade == b->has_upgrade &&
           a->has_transfer_encoding == b->has_transfer_encoding &&
           a->has_content_length == b->has_content_length &&
           a->content_length == b->content_length && a->body.kind == b->body.kind &&
           a->body.length == b->body.length;
}

static inline bool any_cut_same_fields(const struct head *a, const struct head *b)
{
    if (a->field_count != b->field_count)
        return false;
    for (uint16_t i = 0; i < a->field_count; i++) {
        const struct field *x = &a->fields[i], *y = &b->fields[i];

        if (!view_equals(x->name, y->name) || !view_equals(x->value, y->value) || x->id != y->id ||
            x->is_dropped != y->is_dropped)
            return false;
    }
    return true;
}

static inline bool any_cut_same(const struct any_cut *a, const struct any_cut *b)
{
    if (a->verdict.result != b->verdict.result)
        return false;
    if (a->verdict.result == H1_MORE)
        return true;
    if (a->verdict.result == H1_BAD)
        return a->verdict.status == b->verdict.status &&
               strcmp(a->verdict.reason, b->verdict.reason) == 0;
    return a->verdict.size == b->verdict.size && any_cut_same_start(&a->head, &b->head) &&
           any_cut_same_meaning(&a->head, &b->head) && any_cut_same_fields(&a->head, &b->head);
}

static inline void any_cut_insist(const struct any_cut *whole, const struct any_cut *cut,
                                  struct view input, const char *how, size_t place)
{
    if (any_cut_same(whole, cut))
        return;
    fprintf(stderr, "%s at %zu: result %d status %d %s, but whole: result %d status %d %s\n%.*s\n",
            how, place, (int)cut->verdict.result, cut->verdict.status,
            cut->verdict.reason ? cut->verdict.reason : "", (int)whole->verdict.result,
            whole->verdict.status, whole->verdict.reason ? whole->verdict.reason : "",
            VIEW_ARGUMENTS(input));
    abort();
}

/* Cut in two at `place`. */
static inline void any_cut_at(const struct any_cut *whole, any_cut_fn parse,
                              const struct h1_limits *limits, struct view input, size_t place)
{
    static struct any_cut cut;

    cut.scanned = 0;
    any_cut_feed(&cut, parse, limits, input, place);
    if (cut.verdict.result == H1_MORE)
        any_cut_feed(&cut, parse, limits, input, input.size);
    any_cut_insist(whole, &cut, input, "cut", place);
}

/* In steps of `step` bytes; the last may be shorter. */
static inline void any_cut_by(const struct any_cut *whole, any_cut_fn parse,
                              const struct h1_limits *limits, struct view input, size_t step)
{
    static struct any_cut cut;
    size_t size = 0;

    cut.scanned = 0;
    cut.verdict.result = H1_MORE;
    while (size < input.size && cut.verdict.result == H1_MORE) {
        size = input.size - size < step ? input.size : size + step;
        any_cut_feed(&cut, parse, limits, input, size);
    }
    any_cut_insist(whole, &cut, input, "steps", step);
}

/* The head whole, checked against every cut. Owner: this file; valid until the next call. */
static inline struct any_cut *any_cut_parse(any_cut_fn parse, const struct h1_limits *limits,
                                            struct view input)
{
    static struct any_cut whole;

    whole.scanned = 0;
    any_cut_feed(&whole, parse, limits, input, input.size);
    for (size_t place = 0; place < input.size; place += 1 + input.size / ANY_CUT_PLACES)
        any_cut_at(&whole, parse, limits, input, place);
    any_cut_by(&whole, parse, limits, input, 1);
    any_cut_by(&whole, parse, limits, input, 2);
    any_cut_by(&whole, parse, limits, input, 7);
    return &whole;
}
