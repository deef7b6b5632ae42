#include "base/escape.h"

#include <errno.h>
#include <string.h>

/* The bytes of the well-formed UTF-8 sequence at `text` (RFC 3629 4), or 0. */
static size_t utf8_size(struct view text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t size;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    size = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (text.size < size)
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    if (at[0] == 0xed)
        high = 0x9f;
    if (at[0] == 0xf0)
        low = 0x90;
    if (at[0] == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    }
    return size;
}

/* The letter that stands for `byte` behind a backslash, or 0. */
static char short_escape(unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        return (char)byte;
    return byte == '\n' ? 'n' : byte == '\t' ? 't' : byte == '\r' ? 'r' : 0;
}

/* Writes what the first byte or sequence of `text` becomes; says how many bytes of `text` that was.
 */
static size_t escape_one(struct view text, char out[ESCAPE_GROWTH_MAX], size_t *written)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)text.data[0];
    size_t size = utf8_size(text);
    char letter = short_escape(byte);

    if (letter) {
        out[0] = '\\';
        out[1] = letter;
        *written = 2;
        return 1;
    }
    if (byte < 0x20 || byte == 0x7f) {
        memcpy(out, "\\u00", 4);
        out[4] = hex[byte >> 4];
        out[5] = hex[byte & 15];
        *written = 6;
        return 1;
    }
    if (size == 0) {
        memcpy(out, "\xef\xbf\xbd", 3);
        *written = 3;
        return 1;
    }
    memcpy(out, text.data, size);
    *written = size;
    return size;
}

size_t escape_json(struct view text, char *out, size_t capacity)
{
    size_t total = 0;

    while (text.size) {
        char one[ESCAPE_GROWTH_MAX];
        size_t written;
        size_t taken = escape_one(text, one, &written);

        if (written > capacity - total)
            break;
        memcpy(out + total, one, written);
        total += written;
        text = view_after(text, taken);
    }
    return total;
}

int escape_json_append(struct view text, struct buffer *out)
{
    size_t most = text.size * ESCAPE_GROWTH_MAX;
    size_t room = out->limit - buffer_size(out);
    size_t capacity = most < room ? most : room;
    size_t before = buffer_size(out);

    while (text.size) {
        char one[ESCAPE_GROWTH_MAX];
        size_t written;
        size_t taken = escape_one(text, one, &written);

        if (written > capacity || buffer_append(out, (struct view){one, written}) < 0) {
            out->end = out->start + (uint32_t)before;
            return -ENOBUFS;
        }
        capacity -= written;
        text = view_after(text, taken);
    }
    return 0;
}

int escape_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

void escape_print_csv(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}
