#include "http/h1_parse.h"

#include <assert.h>

#include "http/authority.h"
#include "http/h1_class.h"
#include "http/h1_line.h"
#include "http/h1_rules.h"

typedef enum h1_step (*line_fn)(struct h1_reader *reader, struct head *head);

static struct h1_verdict more(void)
{
    return (struct h1_verdict){.result = H1_MORE};
}

static struct h1_verdict bad(uint16_t status, const char *reason)
{
    return (struct h1_verdict){.result = H1_BAD, .status = status, .reason = reason};
}

/* Reads lines from reader->at to the end of the head. Fields there is no room for are read and
 * counted, not kept. */
static enum h1_step read_fields(struct h1_reader *reader, struct field *fields, size_t room,
                                size_t *count)
{
    struct field scratch;
    enum h1_step step;

    do {
        step = h1_line_field(reader, *count < room ? &fields[*count] : &scratch);
        *count += step == H1_STEP_LINE;
    } while (step == H1_STEP_LINE);
    return step;
}

/*
 * A head that came in pieces: looks at what is new only, from the last line start on. At its end
 * all bytes are known to be good, and reading it once more fills the model.
 */
static enum h1_step read_new(struct h1_reader *reader, line_fn read_start, struct head *head)
{
    const char *start = reader->at;
    const char *line = memrchr(start, '\n', (size_t)(reader->known - start));
    size_t count = 0;
    enum h1_step step;

    reader->at = line ? line + 1 : start;
    if (!line) {
        step = read_start(reader, head);
        if (step != H1_STEP_LINE)
            return step;
    }
    step = read_fields(reader, NULL, 0, &count);
    if (step != H1_STEP_END)
        return step;
    reader->known = reader->at;
    reader->at = start;
    return H1_STEP_END;
}

/* No end within the limit (RFC 9110 15.5.15, RFC 6585 5). */
static struct h1_verdict too_large(const char *start, const char *end)
{
    if (memchr(start, '\n', (size_t)(end - start)))
        return bad(431, "the head is too large");
    return bad(414, "the request line is too long");
}

/* Reads a head from reader->at on. DONE: the lines are read into the model, nothing is judged. */
static struct h1_verdict read_head(struct h1_reader *reader, line_fn read_start,
                                   const struct h1_limits *limits, struct head *head)
{
    const char *start = reader->at;
    size_t count = 0;
    enum h1_step step = H1_STEP_END;

    assert(limits->fields <= HEAD_FIELDS_MAX && limits->head_bytes <= HEAD_BYTES_MAX);
    if (reader->known > start)
        step = read_new(reader, read_start, head);
    if (step == H1_STEP_END)
        step = read_start(reader, head);
    if (step == H1_STEP_LINE)
        step = read_fields(reader, head->fields, limits->fields, &count);
    if (step == H1_STEP_MORE)
        return more();
    if (step == H1_STEP_BAD)
        return bad(reader->status, reader->reason);
    if (count > limits->fields)
        return bad(431, "there are too many fields");
    head->field_count = (uint16_t)count;
    return (struct h1_verdict){.result = H1_DONE};
}

/* Bytes of "http://" or "https://" in any case of letters (RFC 9110 4.2), 0 for anything else. */
static size_t scheme_size(struct view target)
{
    if (target.size > 7 && view_equals_nocase(view_first(target, 7), VIEW("http://")))
        return 7;
    if (target.size > 8 && view_equals_nocase(view_first(target, 8), VIEW("https://")))
        return 8;
    return 0;
}

/* An absolute-form (RFC 9112 3.2.2) becomes an authority and an origin-form. */
static const char *split_absolute(struct head *head)
{
    size_t scheme = scheme_size(head->target);
    struct view rest = view_after(head->target, scheme);
    size_t size = 0;

    if (!scheme)
        return "the target is of no known form";
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?')
        size++;
    head->host = view_first(rest, size);
    if (!authority_is_valid(head->host))
        return "the target's authority is malformed";
    head->target = view_after(rest, size);
    if (!head->target.size)
        head->target = head->method == METHOD_OPTIONS ? VIEW("*") : VIEW("/");
    return NULL;
}

/* RFC 9112 3.2. */
static const char *split_target(struct head *head)
{
    const char *reason = NULL;
    size_t mark;

    head->host = (struct view){.data = NULL};
    if (head->target.data[0] != '/') {
        if (!view_equals(head->target, VIEW("*")))
            reason = split_absolute(head);
        else if (head->method != METHOD_OPTIONS)
            reason = "the target * is for OPTIONS only";
    }
    if (reason)
        return reason;
    mark = view_find(head->target, '?');
    head->path = mark ? view_first(head->target, mark) : VIEW("/");
    head->query = (struct view){.data = NULL};
    if (mark < head->target.size)
        head->query = view_after(head->target, mark + 1);
    return NULL;
}

/* The request line with its meaning: refused at its end, without waiting for the fields. */
static enum h1_step read_request_line(struct h1_reader *reader, struct head *head)
{
    enum h1_step step = h1_line_request(reader, head);
    const char *reason;

    if (step != H1_STEP_LINE)
        return step;
    reader->status = 400;
    head->method = head_method(head->method_text);
    if (head->method == METHOD_CONNECT)
        reason = "CONNECT is not served here";
    else if (head->method == METHOD_TRACE)
        reason = "TRACE is not served here";
    else
        reason = split_target(head);
    if (!reason)
        return H1_STEP_LINE;
    if (head->method == METHOD_TRACE)
        reader->status = 405;
    reader->reason = reason;
    return H1_STEP_BAD;
}

struct h1_verdict h1_parse_request(struct view bytes, const struct h1_limits *limits,
                                   size_t *scanned, struct head *head)
{
    struct view held = view_first(bytes, limits->head_bytes);
    struct h1_reader reader = {.at = held.data,
                               .known = held.data + *scanned,
                               .end = held.data + held.size,
                               .target_bytes_max = limits->target_bytes};
    struct h1_verdict verdict;
    const char *start, *reason;

    if (!held.size || view_equals(held, VIEW("\r")))
        return more();
    /* RFC 9112 2.2: one empty line before the request line is passed over. */
    if (view_starts_with(held, VIEW("\r\n")))
        reader.at += 2;
    start = reader.at;
    verdict = read_head(&reader, read_request_line, limits, head);
    if (verdict.result == H1_MORE) {
        *scanned = held.size;
        return held.size < limits->head_bytes ? verdict : too_large(start, reader.end);
    }
    if (verdict.result == H1_BAD)
        return verdict;
    reason = h1_rules_request(head);
    if (reason)
        return bad(400, reason);
    verdict.size = (size_t)(reader.at - bytes.data);
    return verdict;
}

struct h1_verdict h1_parse_answer(struct view bytes, const struct h1_limits *limits,
                                  size_t *scanned, struct head *head)
{
    struct view held = view_first(bytes, limits->head_bytes);
    struct h1_reader reader = {
        .at = held.data, .known = held.data + *scanned, .end = held.data + held.size};
    struct h1_verdict verdict;
    const char *reason;

    if (!held.size)
        return more();
    verdict = read_head(&reader, h1_line_status, limits, head);
    if (verdict.result == H1_BAD)
        return bad(502, verdict.reason);
    if (verdict.result == H1_MORE) {
        *scanned = held.size;
        return held.size < limits->head_bytes ? verdict : bad(502, "the head is too large");
    }
    reason = h1_rules_answer(head);
    if (reason)
        return bad(502, reason);
    verdict.size = (size_t)(reader.at - bytes.data);
    return verdict;
}
