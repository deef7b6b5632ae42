#include "http/h1_line.h"

#include <endian.h>

#include "http/h1_class.h"

#define VERSION_BYTES 8 /* "HTTP/1.1" */
#define STATUS_BYTES  3

static enum h1_step refuse(struct h1_reader *reader, uint16_t status, const char *reason)
{
    reader->status = status;
    reader->reason = reason;
    return H1_STEP_BAD;
}

/*
 * The first byte from `from` on that is not of `class`, or the end. `stop` is the byte that ends
 * such a stretch in a good line: among bytes known to be good only that one is looked for.
 */
static inline const char *skip(const struct h1_reader *reader, const char *from, uint8_t class,
                               char stop)
{
    if (UNLIKELY(from < reader->known)) {
        const char *place = memchr(from, stop, (size_t)(reader->known - from));

        if (place)
            return place;
        from = reader->known;
    }
    while (reader->end - from >= 4) {
        if (!h1_class_is(from[0], class))
            return from;
        if (!h1_class_is(from[1], class))
            return from + 1;
        if (!h1_class_is(from[2], class))
            return from + 2;
        if (!h1_class_is(from[3], class))
            return from + 3;
        from += 4;
    }
    while (from < reader->end && h1_class_is(*from, class))
        from++;
    return from;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Of eight bytes the first that is a control byte or DEL, all looked at at once; 8: none is. The
 * lowest mark is right; those above it may be there because of it. */
static inline size_t first_control(const char *eight)
{
    uint64_t bytes, low, del, marks;

    memcpy(&bytes, eight, sizeof(bytes));
    bytes = le64toh(bytes);
    low = (bytes - EACH_BYTE * 0x20) & ~bytes;
    bytes ^= EACH_BYTE * 0x7f;
    del = (bytes - EACH_BYTE) & ~bytes;
    marks = (low | del) & EACH_BYTE * 0x80;
    return marks ? (size_t)__builtin_ctzll(marks) / 8 : sizeof(bytes);
}

/* The end of a field value: most bytes of a head are in values. */
static inline const char *skip_value(const struct h1_reader *reader, const char *from)
{
    while (LIKELY(from >= reader->known && reader->end - from >= 8)) {
        size_t good = first_control(from);

        from += good;
        if (good < 8 && *from != '\t')
            return from;
        from += good < 8;
    }
    return skip(reader, from, H1_CLASS_VALUE, '\r');
}

/* CRLF at `at` and nothing else. */
static inline enum h1_step read_end(struct h1_reader *reader, const char *at, const char *reason)
{
    if (at == reader->end)
        return H1_STEP_MORE;
    if (*at != '\r')
        return refuse(reader, 400, *at == '\n' ? "a line ends without CR" : reason);
    if (at + 1 == reader->end)
        return H1_STEP_MORE;
    if (at[1] != '\n')
        return refuse(reader, 400, "a CR is not followed by LF");
    reader->at = at + 2;
    return H1_STEP_LINE;
}

/* HTTP/D.D at `at`, as far as it is there. Majors other than 1 are found here, judged at the end
 * of the line. */
static enum h1_step read_version(struct h1_reader *reader, const char *at)
{
    static const char shape[VERSION_BYTES + 1] = "HTTP/0.0";
    static const char usual[] = "HTTP/1.1";
    size_t size = (size_t)(reader->end - at);

    if (LIKELY(size >= VERSION_BYTES && memcmp(at, usual, VERSION_BYTES) == 0))
        return H1_STEP_LINE;
    for (size_t i = 0; i < VERSION_BYTES; i++) {
        if (i == size)
            return H1_STEP_MORE;
        if (shape[i] == '0' ? !h1_class_is(at[i], H1_CLASS_DIGIT) : at[i] != shape[i])
            return refuse(reader, 400, "the HTTP version is malformed");
    }
    return H1_STEP_LINE;
}

/* RFC 9110 2.5: a higher minor version is read as the highest we know. */
static uint8_t minor_of(const char *version)
{
    return version[7] == '0' ? 0 : 1;
}

enum h1_step h1_line_request(struct h1_reader *reader, struct head *head)
{
    const char *method = reader->at;
    const char *method_end = skip(reader, method, H1_CLASS_TOKEN, ' ');
    const char *target, *target_end, *version;
    enum h1_step step;

    if (method_end - method > H1_METHOD_BYTES_MAX)
        return refuse(reader, 501, "the method is too long");
    if (method_end == reader->end)
        return H1_STEP_MORE;
    if (*method_end != ' ' || method_end == method)
        return refuse(reader, 400, "the method is not a token");
    target = method_end + 1;
    target_end = skip(reader, target, H1_CLASS_TARGET, ' ');
    if (reader->target_bytes_max && (size_t)(target_end - target) > reader->target_bytes_max)
        return refuse(reader, 414, "the target is longer than limits.target-bytes");
    if (target_end == reader->end)
        return H1_STEP_MORE;
    if (*target_end == '#')
        return refuse(reader, 400, "the target has a fragment");
    if (*target_end != ' ' || target_end == target)
        return refuse(reader, 400, "the request line is malformed");
    version = target_end + 1;
    step = read_version(reader, version);
    if (step != H1_STEP_LINE)
        return step;
    step = read_end(reader, version + VERSION_BYTES, "there are bytes behind the HTTP version");
    if (step != H1_STEP_LINE)
        return step;
    if (version[5] != '1')
        return refuse(reader, 505, "this HTTP version is not supported");
    head->method_text = view_between(method, method_end);
    head->target = view_between(target, target_end);
    head->minor_version = minor_of(version);
    return H1_STEP_LINE;
}

/* "SP STATUS" at `at`, then SP or CR. */
static enum h1_step read_status(struct h1_reader *reader, const char *at, struct head *head)
{
    unsigned status = 0;

    if (at == reader->end)
        return H1_STEP_MORE;
    if (*at != ' ')
        return refuse(reader, 502, "the status line is malformed");
    for (int i = 1; i <= STATUS_BYTES; i++) {
        if (at + i == reader->end)
            return H1_STEP_MORE;
        if (!h1_class_is(at[i], H1_CLASS_DIGIT))
            return refuse(reader, 502, "the status is no number of three digits");
        status = status * 10 + (unsigned)(at[i] - '0');
        if (i == 1 && (status < 1 || status > 5))
            return refuse(reader, 502, "the status is not between 100 and 599");
    }
    at += STATUS_BYTES + 1;
    if (at == reader->end)
        return H1_STEP_MORE;
    if (*at != ' ' && *at != '\r')
        return refuse(reader, 502, "the status line is malformed");
    head->status = (uint16_t)status;
    return H1_STEP_LINE;
}

enum h1_step h1_line_status(struct h1_reader *reader, struct head *head)
{
    const char *version = reader->at;
    const char *reason, *reason_end;
    enum h1_step step = read_version(reader, version);

    if (step != H1_STEP_LINE)
        return step;
    if (version[5] != '1')
        return refuse(reader, 502, "this HTTP version is not supported");
    step = read_status(reader, version + VERSION_BYTES, head);
    if (step != H1_STEP_LINE)
        return step;
    /* The SP before an absent reason is required by the grammar and often left out. */
    reason = version + VERSION_BYTES + STATUS_BYTES + 1;
    if (*reason == ' ')
        reason++;
    reason_end = skip(reader, reason, H1_CLASS_VALUE, '\r');
    step = read_end(reader, reason_end, "the reason phrase has a control byte");
    if (step != H1_STEP_LINE)
        return step;
    head->reason = view_between(reason, reason_end);
    head->minor_version = minor_of(version);
    return H1_STEP_LINE;
}

static enum h1_step refuse_name(struct h1_reader *reader, const char *name, const char *end)
{
    if (*end == ' ' || *end == '\t') {
        if (end == name)
            return refuse(reader, 400, "a field line is folded");
        return refuse(reader, 400, "there is a blank between a field name and its colon");
    }
    if (end == name && *end == ':')
        return refuse(reader, 400, "a field name is empty");
    if (*end == '\n')
        return refuse(reader, 400, "a line ends without CR");
    return refuse(reader, 400, "a field name is not a token");
}

static enum h1_step read_empty_line(struct h1_reader *reader)
{
    enum h1_step step = read_end(reader, reader->at, "");

    return step == H1_STEP_LINE ? H1_STEP_END : step;
}

enum h1_step h1_line_field(struct h1_reader *reader, struct field *field)
{
    const char *name = reader->at;
    const char *name_end, *value, *value_end;
    enum h1_step step;

    if (name == reader->end)
        return H1_STEP_MORE;
    if (*name == '\r')
        return read_empty_line(reader);
    name_end = skip(reader, name, H1_CLASS_TOKEN, ':');
    if (name_end == reader->end)
        return H1_STEP_MORE;
    if (*name_end != ':' || name_end == name)
        return refuse_name(reader, name, name_end);
    value = name_end + 1;
    value_end = skip_value(reader, value);
    step = read_end(reader, value_end, "a field value has a control byte");
    if (step != H1_STEP_LINE)
        return step;
    field->name = view_between(name, name_end);
    field->value = view_trim(view_between(value, value_end));
    field->id = head_field_id(field->name);
    field->is_dropped = false;
    return H1_STEP_LINE;
}
