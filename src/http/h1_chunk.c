#include "http/h1_chunk.h"

#include <assert.h>
#include <errno.h>

#include "http/h1_class.h"
#include "http/h1_line.h"

/* Where in the grammar of RFC 9112 7.1 the next byte stands. */
enum state {
    STATE_SIZE_FIRST, /* a digit must come */
    STATE_SIZE,
    STATE_NAME_FIRST, /* behind a ';' */
    STATE_NAME,
    STATE_VALUE_FIRST, /* behind a '=' */
    STATE_VALUE,
    STATE_QUOTED,
    STATE_ESCAPED,
    STATE_QUOTED_END,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_LAST_LF,       /* of the empty line that ends the trailer section */
    STATE_TRAILER_FIRST, /* start of a line of the trailer section */
    STATE_TRAILER_NAME,
    STATE_TRAILER_VALUE,
    STATE_TRAILER_LF,
    STATE_END,
    STATE_BAD,
};

void h1_chunk_init(struct h1_chunk_reader *reader)
{
    *reader = (struct h1_chunk_reader){.state = STATE_SIZE_FIRST};
    buffer_init(&reader->trailer, H1_TRAILER_BYTES_MAX);
}

void h1_chunk_finish(struct h1_chunk_reader *reader)
{
    buffer_finish(&reader->trailer);
}

/* One more digit of the size; a size of 2^63 or more is refused. */
static enum state read_digit(struct h1_chunk_reader *reader, char digit)
{
    if (reader->left > (uint64_t)INT64_MAX >> 4)
        return STATE_BAD;
    reader->left = reader->left << 4 | h1_class_hex_value(digit);
    return STATE_SIZE;
}

/* What may follow a size or a whole extension. */
static enum state read_separator(char byte)
{
    if (byte == ';')
        return STATE_NAME_FIRST;
    return byte == '\r' ? STATE_SIZE_LF : STATE_BAD;
}

/* The end of a chunk-size line. */
static enum state read_size_end(struct h1_chunk_reader *reader, char byte)
{
    reader->line_bytes = 0;
    if (byte != '\n')
        return STATE_BAD;
    return reader->left ? STATE_DATA : STATE_TRAILER_FIRST;
}

/* One byte of a chunk-size line: 1*HEXDIG *( ";" token [ "=" ( token / quoted-string ) ] ) CRLF. */
static enum state read_size_byte(struct h1_chunk_reader *reader, char byte)
{
    bool is_token = h1_class_is(byte, H1_CLASS_TOKEN);

    switch (reader->state) {
    case STATE_SIZE_FIRST:
        return h1_class_is(byte, H1_CLASS_HEX) ? read_digit(reader, byte) : STATE_BAD;
    case STATE_SIZE:
        return h1_class_is(byte, H1_CLASS_HEX) ? read_digit(reader, byte) : read_separator(byte);
    case STATE_NAME_FIRST:
        return is_token ? STATE_NAME : STATE_BAD;
    case STATE_NAME:
        if (byte == '=')
            return STATE_VALUE_FIRST;
        return is_token ? STATE_NAME : read_separator(byte);
    case STATE_VALUE_FIRST:
        if (byte == '"')
            return STATE_QUOTED;
        return is_token ? STATE_VALUE : STATE_BAD;
    case STATE_VALUE:
        return is_token ? STATE_VALUE : read_separator(byte);
    case STATE_QUOTED:
        if (byte == '"')
            return STATE_QUOTED_END;
        if (byte == '\\')
            return STATE_ESCAPED;
        return h1_class_is(byte, H1_CLASS_QUOTED) ? STATE_QUOTED : STATE_BAD;
    case STATE_ESCAPED:
        return h1_class_is(byte, H1_CLASS_VALUE) ? STATE_QUOTED : STATE_BAD;
    case STATE_QUOTED_END:
        return read_separator(byte);
    default:
        assert(reader->state == STATE_SIZE_LF);
        return read_size_end(reader, byte);
    }
}

/* Limits first: a line or a message that never ends must not be read for ever. */
static enum state read_size_line(struct h1_chunk_reader *reader, char byte)
{
    bool is_extension = reader->state >= STATE_NAME_FIRST && reader->state <= STATE_QUOTED_END;

    reader->extension_bytes += is_extension;
    if (++reader->line_bytes > H1_CHUNK_LINE_BYTES_MAX ||
        reader->extension_bytes > H1_CHUNK_EXTENSION_BYTES_MAX)
        return STATE_BAD;
    return read_size_byte(reader, byte);
}

static enum state read_trailer_byte(enum state state, char byte)
{
    switch (state) {
    case STATE_TRAILER_FIRST:
        return h1_class_is(byte, H1_CLASS_TOKEN) ? STATE_TRAILER_NAME : STATE_BAD;
    case STATE_TRAILER_NAME:
        if (byte == ':')
            return STATE_TRAILER_VALUE;
        return h1_class_is(byte, H1_CLASS_TOKEN) ? STATE_TRAILER_NAME : STATE_BAD;
    case STATE_TRAILER_VALUE:
        if (byte == '\r')
            return STATE_TRAILER_LF;
        return h1_class_is(byte, H1_CLASS_VALUE) ? STATE_TRAILER_VALUE : STATE_BAD;
    default:
        assert(state == STATE_TRAILER_LF);
        return byte == '\n' ? STATE_TRAILER_FIRST : STATE_BAD;
    }
}

/* Checks a field line byte by byte, as far as it is there, and keeps it. */
static enum state read_trailer_line(struct h1_chunk_reader *reader, struct view *bytes)
{
    enum state state = (enum state)reader->state;
    size_t size = 0;

    do {
        state = read_trailer_byte(state, bytes->data[size++]);
    } while (size < bytes->size && state > STATE_TRAILER_FIRST && state < STATE_END);
    if (buffer_append(&reader->trailer, view_first(*bytes, size)) < 0)
        state = STATE_BAD;
    *bytes = view_after(*bytes, size);
    return state;
}

/* As much of the present chunk as is there. */
static void read_data(struct h1_chunk_reader *reader, struct view *bytes, struct view *data)
{
    size_t size = bytes->size < reader->left ? bytes->size : (size_t)reader->left;

    *data = view_first(*bytes, size);
    *bytes = view_after(*bytes, size);
    reader->left -= size;
    if (!reader->left)
        reader->state = STATE_DATA_CR;
}

static enum state read_byte(struct h1_chunk_reader *reader, char byte)
{
    if (reader->state == STATE_DATA_CR)
        return byte == '\r' ? STATE_DATA_LF : STATE_BAD;
    if (reader->state == STATE_DATA_LF)
        return byte == '\n' ? STATE_SIZE_FIRST : STATE_BAD;
    if (reader->state == STATE_TRAILER_FIRST)
        return STATE_LAST_LF;
    if (reader->state == STATE_LAST_LF)
        return byte == '\n' ? STATE_END : STATE_BAD;
    return read_size_line(reader, byte);
}

enum h1_chunk_result h1_chunk_read(struct h1_chunk_reader *reader, struct view *bytes,
                                   struct view *data)
{
    while (bytes->size && reader->state < STATE_END) {
        if (reader->state == STATE_DATA) {
            read_data(reader, bytes, data);
            return H1_CHUNK_DATA;
        }
        /* The empty line is not kept, so a body without trailer fields needs no memory. */
        if (reader->state > STATE_TRAILER_FIRST ||
            (reader->state == STATE_TRAILER_FIRST && *bytes->data != '\r')) {
            reader->state = read_trailer_line(reader, bytes);
            continue;
        }
        reader->state = read_byte(reader, *bytes->data);
        *bytes = view_after(*bytes, 1);
    }
    if (reader->state == STATE_BAD)
        return H1_CHUNK_BAD;
    return reader->state == STATE_END ? H1_CHUNK_END : H1_CHUNK_MORE;
}

/* Fields that frame, route, authorize or describe a message mean nothing behind it and could be
 * taken for ones of its head (RFC 9110 6.5.1). All that have an id are of that kind. */
static bool is_barred(const struct field *field)
{
    static const struct view names[] = {
        VIEW("authorization"), VIEW("cache-control"),       VIEW("content-encoding"),
        VIEW("content-range"), VIEW("content-type"),        VIEW("max-forwards"),
        VIEW("range"),         VIEW("proxy-authorization"), VIEW("set-cookie"),
    };

    if (field->id != FIELD_OTHER)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (view_equals_nocase(field->name, names[i]))
            return true;
    }
    return false;
}

int h1_chunk_trailers(const struct h1_chunk_reader *reader, struct field *fields)
{
    struct view bytes;
    struct h1_reader lines;
    struct field field;
    int count = 0;

    if (!buffer_size(&reader->trailer))
        return 0;
    bytes = buffer_view(&reader->trailer);
    lines =
        (struct h1_reader){.at = bytes.data, .known = bytes.data, .end = bytes.data + bytes.size};
    while (lines.at < lines.end) {
        if (h1_line_field(&lines, &field) != H1_STEP_LINE || count == HEAD_FIELDS_MAX)
            return -EBADMSG;
        field.is_dropped = is_barred(&field);
        fields[count++] = field;
    }
    return count;
}

size_t h1_chunk_prefix(size_t size, char text[H1_CHUNK_PREFIX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *end = text + H1_CHUNK_PREFIX_BYTES;
    char *at = end - 2;

    assert(size > 0);
    memcpy(at, "\r\n", 2);
    for (; size; size >>= 4)
        *--at = digits[size & 0xf];
    memmove(text, at, (size_t)(end - at));
    return (size_t)(end - at);
}
