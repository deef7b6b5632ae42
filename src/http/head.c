#include "http/head.h"

#include <stddef.h>

/* The longest name with an id: x-roost-previous-owner. */
#define KNOWN_NAME_BYTES_MAX 22

struct known_name {
    const char *text; /* in small letters */
    enum field_id id;
};

/* Found by length and last letter: no two of a length end alike. */
static const struct known_name *candidate(size_t size, char last)
{
    static const struct known_name names[KNOWN_NAME_BYTES_MAX + 1][2] = {
        [2] = {{"te", FIELD_TE}},
        [3] = {{"via", FIELD_VIA}},
        [4] = {{"host", FIELD_HOST}},
        [6] = {{"cookie", FIELD_COOKIE}, {"expect", FIELD_EXPECT}},
        [7] = {{"upgrade", FIELD_UPGRADE}, {"trailer", FIELD_TRAILER}},
        [10] = {{"connection", FIELD_CONNECTION}, {"keep-alive", FIELD_KEEP_ALIVE}},
        [12] = {{"x-request-id", FIELD_X_REQUEST_ID}},
        [14] = {{"content-length", FIELD_CONTENT_LENGTH}, {"http2-settings", FIELD_HTTP2_SETTINGS}},
        [15] = {{"x-forwarded-for", FIELD_X_FORWARDED_FOR},
                {"x-roost-replica", FIELD_X_ROOST_REPLICA}},
        [16] = {{"x-forwarded-host", FIELD_X_FORWARDED_HOST},
                {"proxy-connection", FIELD_PROXY_CONNECTION}},
        [17] = {{"transfer-encoding", FIELD_TRANSFER_ENCODING},
                {"x-forwarded-proto", FIELD_X_FORWARDED_PROTO}},
        [22] = {{"x-roost-previous-owner", FIELD_X_ROOST_PREVIOUS_OWNER}},
    };

    if (size > KNOWN_NAME_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct known_name *name = &names[size][i];

        if (name->text && name->text[size - 1] == (last | 0x20))
            return name;
    }
    return NULL;
}

/* `size` is at most 8. */
static uint64_t load(const char *bytes, size_t size)
{
    uint64_t word = 0;

    memcpy(&word, bytes, size);
    return word;
}

/* Equal but for the case of letters? `text` holds small letters (bit 0x40 is set), digits and '-'
 * (it is not), so only where a letter is wanted may bit 0x20 differ. */
static bool is_same_word(uint64_t name, uint64_t text)
{
    uint64_t letters = text & UINT64_C(0x4040404040404040);

    return ((name ^ text) & ~(letters >> 1)) == 0;
}

/* Names of known length: words that overlap cover any length without a loop over bytes. */
static bool is_name(const char *name, const char *text, size_t size)
{
    if (size < 4)
        return is_same_word(load(name, 2), load(text, 2)) &&
               is_same_word(load(name + size - 2, 2), load(text + size - 2, 2));
    if (size < 8)
        return is_same_word(load(name, 4), load(text, 4)) &&
               is_same_word(load(name + size - 4, 4), load(text + size - 4, 4));
    for (size_t at = 0; at + 8 < size; at += 8) {
        if (!is_same_word(load(name + at, 8), load(text + at, 8)))
            return false;
    }
    return is_same_word(load(name + size - 8, 8), load(text + size - 8, 8));
}

enum field_id head_field_id(struct view name)
{
    const struct known_name *known;

    if (!name.size)
        return FIELD_OTHER;
    known = candidate(name.size, name.data[name.size - 1]);
    if (!known || !is_name(name.data, known->text, name.size))
        return FIELD_OTHER;
    return known->id;
}

static const struct {
    struct view text;
    enum method method;
} methods[] = {
    {VIEW("GET"), METHOD_GET},       {VIEW("HEAD"), METHOD_HEAD},
    {VIEW("POST"), METHOD_POST},     {VIEW("PUT"), METHOD_PUT},
    {VIEW("DELETE"), METHOD_DELETE}, {VIEW("OPTIONS"), METHOD_OPTIONS},
    {VIEW("PATCH"), METHOD_PATCH},   {VIEW("CONNECT"), METHOD_CONNECT},
    {VIEW("TRACE"), METHOD_TRACE},
};

enum method head_method(struct view text)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (view_equals(text, methods[i].text))
            return methods[i].method;
    }
    return METHOD_OTHER;
}

const char *head_method_text(enum method method)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (methods[i].method == method)
            return methods[i].text.data;
    }
    return NULL;
}

const struct field *head_find(const struct head *head, enum field_id id)
{
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == id)
            return &head->fields[i];
    }
    return NULL;
}

const struct field *head_find_named(const struct head *head, struct view name)
{
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (view_equals_nocase(head->fields[i].name, name))
            return &head->fields[i];
    }
    return NULL;
}

bool head_is_idempotent(enum method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
           method == METHOD_PUT || method == METHOD_DELETE;
}

struct body_framing head_answer_framing(const struct head *head, enum method method,
                                        bool asked_upgrade)
{
    struct body_framing none = {.kind = FRAMING_NONE};

    if (head->status == 101 && asked_upgrade)
        return (struct body_framing){.kind = FRAMING_TUNNEL};
    if (method == METHOD_HEAD || head->status < 200 || head->status == 204 || head->status == 304)
        return none;
    if (head->has_transfer_encoding)
        return (struct body_framing){.kind = FRAMING_CHUNKED};
    if (head->has_content_length)
        return (struct body_framing){.kind = FRAMING_LENGTH, .length = head->content_length};
    return (struct body_framing){.kind = FRAMING_CLOSE};
}
