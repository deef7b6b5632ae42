#include "proxy/json_pointer.h"

#include "base/escape.h"

/* Room for a name of an object or a token of the pointer, decoded; longer ones match nothing. */
#define NAME_BYTES_MAX 256

/* Where reading is. A step that needs bytes that are not there says so by `is_cut`. */
struct reader {
    const char *at;
    const char *end;
    bool is_cut;
};

static bool fail_cut(struct reader *reader)
{
    reader->is_cut = true;
    return false;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* Takes `byte`; false where another one stands there. */
static bool take(struct reader *reader, char byte)
{
    skip_space(reader);
    if (reader->at == reader->end)
        return fail_cut(reader);
    if (*reader->at != byte)
        return false;
    reader->at++;
    return true;
}

/* What stands next, 0 at the end of the text. */
static char peek(struct reader *reader)
{
    skip_space(reader);
    if (reader->at < reader->end)
        return *reader->at;
    reader->is_cut = true;
    return 0;
}

/* The inside of a string; the opening quote is next. */
static bool take_string(struct reader *reader, struct view *inside)
{
    const char *start;

    if (!take(reader, '"'))
        return false;
    start = reader->at;
    for (; reader->at < reader->end; reader->at++) {
        if ((unsigned char)*reader->at < 0x20)
            return false;
        if (*reader->at == '\\') {
            reader->at++;
            continue;
        }
        if (*reader->at != '"')
            continue;
        *inside = view_between(start, reader->at++);
        return true;
    }
    reader->at = reader->end;
    return fail_cut(reader);
}

static bool is_literal_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte == 'E' ||
           byte == '+' || byte == '-' || byte == '.';
}

/* A number, true, false or null; only when a byte behind it is there is it known to be whole. */
static bool take_literal(struct reader *reader, struct view *literal)
{
    const char *start = reader->at;

    while (reader->at < reader->end && is_literal_byte(*reader->at))
        reader->at++;
    *literal = view_between(start, reader->at);
    if (reader->at == reader->end)
        return fail_cut(reader);
    return literal->size > 0;
}

static bool take_scalar(struct reader *reader, struct view *value)
{
    char next = peek(reader);

    if (next == '"')
        return take_string(reader, value);
    return next && next != '{' && next != '[' && take_literal(reader, value);
}

/* Passes over a value of any kind without recursion: brackets are only counted. */
static bool skip_value(struct reader *reader)
{
    unsigned depth = 0;
    struct view ignored;

    do {
        char next = peek(reader);

        if (next == '{' || next == '[') {
            if (++depth > JSON_POINTER_DEPTH_MAX)
                return false;
            reader->at++;
        } else if (next == '}' || next == ']') {
            if (depth-- == 0)
                return false;
            reader->at++;
        } else if (depth && (next == ',' || next == ':')) {
            reader->at++;
        } else if (!next || !take_scalar(reader, &ignored)) {
            return false;
        }
    } while (depth);
    return true;
}

/* ---- names ---- */

static bool take_hex(struct view *rest, unsigned *code)
{
    *code = 0;
    if (rest->size < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = escape_hex_value(rest->data[i]);

        if (digit < 0)
            return false;
        *code = *code * 16 + (unsigned)digit;
    }
    *rest = view_after(*rest, 4);
    return true;
}

static size_t put_utf8(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* What an escape stands for (RFC 8259 7), behind its backslash; 0 bytes for none. */
static size_t decode_escape(struct view *rest, char out[4])
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *place = rest->size ? memchr(from, rest->data[0], sizeof(from) - 1) : NULL;
    unsigned code;
    unsigned low;

    if (place) {
        *rest = view_after(*rest, 1);
        out[0] = to[place - from];
        return 1;
    }
    if (!rest->size || rest->data[0] != 'u')
        return 0;
    *rest = view_after(*rest, 1);
    if (!take_hex(rest, &code))
        return 0;
    if (code < 0xd800 || code > 0xdfff)
        return put_utf8(code, out);
    if (code > 0xdbff || !view_starts_with(*rest, VIEW("\\u")))
        return 0;
    *rest = view_after(*rest, 2);
    if (!take_hex(rest, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    return put_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
}

/* Is the name, as it stands in the text, the decoded `wanted`? */
static bool is_name(struct view name, struct view wanted)
{
    while (name.size) {
        char decoded[4];
        size_t size = 1;

        decoded[0] = name.data[0];
        name = view_after(name, 1);
        if (decoded[0] == '\\')
            size = decode_escape(&name, decoded);
        if (size == 0 || !view_starts_with(wanted, (struct view){decoded, size}))
            return false;
        wanted = view_after(wanted, size);
    }
    return wanted.size == 0;
}

/* The next reference token of the pointer, decoded (RFC 6901 4); false at its end or where it is
 * none. */
static bool take_token(struct view *pointer, char memory[NAME_BYTES_MAX], struct view *token)
{
    size_t size = 0;

    if (!pointer->size || pointer->data[0] != '/')
        return false;
    *pointer = view_after(*pointer, 1);
    while (pointer->size && pointer->data[0] != '/') {
        char byte = pointer->data[0];

        *pointer = view_after(*pointer, 1);
        if (byte == '~') {
            if (!pointer->size || (pointer->data[0] != '0' && pointer->data[0] != '1'))
                return false;
            byte = pointer->data[0] == '0' ? '~' : '/';
            *pointer = view_after(*pointer, 1);
        }
        if (size == NAME_BYTES_MAX)
            return false;
        memory[size++] = byte;
    }
    *token = (struct view){memory, size};
    return true;
}

/* ---- walking ---- */

/* To the value of the member `name`. */
static bool enter_object(struct reader *reader, struct view name)
{
    if (!take(reader, '{') || peek(reader) == '}')
        return false;
    for (;;) {
        struct view member;

        if (!take_string(reader, &member) || !take(reader, ':'))
            return false;
        if (is_name(member, name))
            return true;
        if (!skip_value(reader) || !take(reader, ','))
            return false;
    }
}

/* To the element at `index`: digits without a leading zero. */
static bool enter_array(struct reader *reader, struct view index)
{
    uint64_t wanted;

    if (view_to_number(index, JSON_POINTER_BYTES_MAX, &wanted) < 0 ||
        (index.size > 1 && index.data[0] == '0'))
        return false;
    if (!take(reader, '[') || peek(reader) == ']')
        return false;
    for (; wanted > 0; wanted--) {
        if (!skip_value(reader) || !take(reader, ','))
            return false;
    }
    return true;
}

static bool walk(struct reader *reader, struct view pointer, struct view *value)
{
    while (pointer.size) {
        char memory[NAME_BYTES_MAX];
        struct view token;
        char next;

        if (!take_token(&pointer, memory, &token))
            return false;
        next = peek(reader);
        if (next == '{' ? !enter_object(reader, token) : next != '[' || !enter_array(reader, token))
            return false;
    }
    return take_scalar(reader, value);
}

enum json_pointer_result json_pointer_find(struct view text, struct view pointer,
                                           struct view *value)
{
    struct reader reader = {.at = text.data, .end = text.data + text.size};
    struct view found;

    if (!text.size)
        return JSON_POINTER_MORE;
    if (walk(&reader, pointer, &found)) {
        *value = found;
        return JSON_POINTER_FOUND;
    }
    return reader.is_cut ? JSON_POINTER_MORE : JSON_POINTER_ABSENT;
}
