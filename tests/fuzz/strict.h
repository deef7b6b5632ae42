/*
 * A reader of HTTP/1.1 that takes nothing but the grammar (RFC 9112), written without the program's
 * own: whatever the program sends to a replica or to a client must be readable here.
 */
#pragma once

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/view.h"
#include "insist.h"

/* Most bytes of what a run's requests mean, as text. */
#define STRICT_TEXT_BYTES (512 * 1024)

/* What was read, in one form for all ways it can be cut and framed. */
struct strict {
    char text[STRICT_TEXT_BYTES];
    size_t size;
    unsigned requests;
};

static inline void strict_note(struct strict *strict, struct view bytes)
{
    INSIST(strict->size + bytes.size <= sizeof(strict->text));
    if (bytes.size)
        memcpy(strict->text + strict->size, bytes.data, bytes.size);
    strict->size += bytes.size;
}

static inline bool strict_is_token_byte(char byte)
{
    return byte > ' ' && byte < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", byte);
}

/* A line without its CRLF, taken off `rest`; false where it is not whole. */
static inline bool strict_line(struct view *rest, struct view *line)
{
    for (size_t i = 0; i < rest->size; i++) {
        char byte = rest->data[i];

        INSIST(byte != '\n' && byte != '\0');
        if (byte != '\r')
            continue;
        if (i + 1 == rest->size)
            return false;
        INSIST(rest->data[i + 1] == '\n');
        *line = view_first(*rest, i);
        *rest = view_after(*rest, i + 2);
        return true;
    }
    return false;
}

static inline void strict_start_line(struct view line)
{
    struct view rest = line;
    size_t method = view_find(line, ' ');
    size_t target;

    INSIST(method > 0 && method < line.size);
    for (size_t i = 0; i < method; i++)
        INSIST(strict_is_token_byte(line.data[i]));
    rest = view_after(line, method + 1);
    target = view_find(rest, ' ');
    INSIST(target > 0 && (rest.data[0] == '/' || (rest.data[0] == '*' && target == 1)));
    for (size_t i = 0; i < target; i++)
        INSIST(rest.data[i] > ' ' && rest.data[i] < 0x7f && rest.data[i] != '#');
    INSIST(view_equals(view_after(rest, target), VIEW(" HTTP/1.1")));
}

struct strict_framing {
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    uint64_t length;
};

static inline void strict_field(struct strict *strict, struct view line,
                                struct strict_framing *framing)
{
    size_t colon = view_find(line, ':');
    struct view name = view_first(line, colon);
    struct view value = view_after(line, colon + 1);

    INSIST(colon > 0 && colon < line.size);
    for (size_t i = 0; i < name.size; i++)
        INSIST(strict_is_token_byte(name.data[i]));
    INSIST(value.size && value.data[0] == ' ');
    value = view_after(value, 1);
    INSIST(!value.size || (value.data[0] != ' ' && value.data[0] != '\t'));
    INSIST(!value.size ||
           (value.data[value.size - 1] != ' ' && value.data[value.size - 1] != '\t'));
    for (size_t i = 0; i < value.size; i++) {
        unsigned char byte = (unsigned char)value.data[i];

        INSIST(byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
    framing->hosts += view_equals_nocase(name, VIEW("Host"));
    if (view_equals_nocase(name, VIEW("Transfer-Encoding"))) {
        INSIST(view_equals(value, VIEW("chunked")));
        framing->codings++;
        return;
    }
    if (view_equals_nocase(name, VIEW("Content-Length"))) {
        INSIST(view_to_number(value, INT64_MAX, &framing->length) == 0);
        framing->lengths++;
    }
    strict_note(strict, line);
    strict_note(strict, VIEW("\n"));
}

/* Lines up to the empty one; false where it is not there. */
static inline bool strict_fields(struct strict *strict, struct view *rest,
                                 struct strict_framing *framing)
{
    struct view line;

    while (strict_line(rest, &line)) {
        if (!line.size)
            return true;
        strict_field(strict, line, framing);
    }
    return false;
}

static inline bool strict_bytes(struct strict *strict, struct view *rest, uint64_t size)
{
    if (rest->size < size)
        return false;
    strict_note(strict, view_first(*rest, (size_t)size));
    *rest = view_after(*rest, (size_t)size);
    return true;
}

static inline uint64_t strict_chunk_size(struct view line)
{
    uint64_t size = 0;

    INSIST(line.size > 0 && line.size <= 15);
    for (size_t i = 0; i < line.size; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, line.data[i]);

        INSIST(line.data[i] && digit);
        size = size * 16 + (uint64_t)(digit - digits);
    }
    return size;
}

static inline bool strict_chunks(struct strict *strict, struct view *rest)
{
    struct strict_framing trailing = {.hosts = 0};
    struct view line;

    while (strict_line(rest, &line)) {
        uint64_t size = strict_chunk_size(line);

        if (!size) {
            strict_note(strict, VIEW("\n--\n"));
            if (!strict_fields(strict, rest, &trailing))
                return false;
            INSIST(!trailing.hosts && !trailing.lengths && !trailing.codings);
            return true;
        }
        if (!strict_bytes(strict, rest, size) || rest->size < 2)
            return false;
        INSIST(rest->data[0] == '\r' && rest->data[1] == '\n');
        *rest = view_after(*rest, 2);
    }
    return false;
}

/* One request off the front of `rest`; false, and nothing noted, where it is not whole. */
static inline bool strict_request(struct strict *strict, struct view *rest)
{
    struct strict_framing framing = {.hosts = 0};
    struct view left = *rest;
    size_t before = strict->size;
    struct view line;
    bool is_whole = false;

    if (strict_line(&left, &line)) {
        strict_start_line(line);
        strict_note(strict, line);
        strict_note(strict, VIEW("\n"));
        is_whole = strict_fields(strict, &left, &framing);
    }
    if (is_whole) {
        INSIST(framing.hosts == 1);
        INSIST(framing.lengths + framing.codings <= 1);
        is_whole = framing.codings ? strict_chunks(strict, &left)
                                   : strict_bytes(strict, &left, framing.length);
    }
    if (!is_whole) {
        strict->size = before;
        return false;
    }
    strict_note(strict, VIEW("\n====\n"));
    strict->requests++;
    *rest = left;
    return true;
}

/* A status line; says the status. */
static inline unsigned strict_status_line(struct view line)
{
    unsigned status;

    INSIST(view_starts_with(line, VIEW("HTTP/1.1 ")) && line.size >= 13 && line.data[12] == ' ');
    for (size_t i = 9; i < 12; i++)
        INSIST(line.data[i] >= '0' && line.data[i] <= '9');
    for (size_t i = 13; i < line.size; i++) {
        unsigned char byte = (unsigned char)line.data[i];

        INSIST(byte == '\t' || (byte >= ' ' && byte != 0x7f));
    }
    status = (unsigned)(line.data[9] - '0') * 100 + (unsigned)(line.data[10] - '0') * 10 +
             (unsigned)(line.data[11] - '0');
    INSIST(status >= 100 && status <= 599);
    return status;
}

/* One answer off the front of `rest`, interim ones before it too; false where it is not whole. */
static inline bool strict_answer(struct strict *strict, struct view *rest, bool is_to_head)
{
    struct strict_framing framing;
    struct view line;
    unsigned status;

    do {
        framing = (struct strict_framing){.hosts = 0};
        if (!strict_line(rest, &line))
            return false;
        status = strict_status_line(line);
        strict_note(strict, line);
        strict_note(strict, VIEW("\n"));
        if (!strict_fields(strict, rest, &framing))
            return false;
        INSIST(framing.lengths + framing.codings <= 1);
        INSIST(status >= 200 || !(framing.lengths + framing.codings));
    } while (status < 200);
    if (is_to_head || status == 204 || status == 304)
        return true;
    INSIST(framing.lengths + framing.codings == 1);
    return framing.codings ? strict_chunks(strict, rest)
                           : strict_bytes(strict, rest, framing.length);
}
