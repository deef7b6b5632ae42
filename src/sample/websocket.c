#include "sample/websocket.h"

#include <string.h>

#include "sample/sha1.h"

/* RFC 6455 1.3. */
#define MAGIC "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* A key: base64 of 16 bytes. */
#define KEY_BYTES 24

#define FINAL    0x80
#define RESERVED 0x70
#define MASKED   0x80

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void to_base64(const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (i + 1 < size)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size)
            group |= bytes[i + 2];
        *text++ = base64_digits[group >> 18];
        *text++ = base64_digits[group >> 12 & 63];
        *text++ = i + 1 < size ? base64_digits[group >> 6 & 63] : '=';
        *text++ = i + 2 < size ? base64_digits[group & 63] : '=';
    }
    *text = '\0';
}

static bool is_key(struct view key)
{
    if (key.size != KEY_BYTES || key.data[22] != '=' || key.data[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (!memchr(base64_digits, key.data[i], 64))
            return false;
    }
    return true;
}

bool websocket_accept(struct view key, char accept[WEBSOCKET_ACCEPT_BYTES])
{
    char text[KEY_BYTES + sizeof(MAGIC)];
    uint8_t digest[SHA1_BYTES];

    if (!is_key(key))
        return false;
    memcpy(text, key.data, KEY_BYTES);
    memcpy(text + KEY_BYTES, MAGIC, sizeof(MAGIC));
    sha1_of((struct view){text, KEY_BYTES + sizeof(MAGIC) - 1}, digest);
    to_base64(digest, sizeof(digest), accept);
    return true;
}

/* How many bytes the header has, as far as can be said from those that are here. */
static size_t header_bytes(const struct websocket *socket)
{
    uint8_t length;

    if (socket->header_size < 2)
        return 2;
    length = socket->header[1] & 0x7f;
    return 2 + (length == 127 ? 8 : length == 126 ? 2 : 0) + 4;
}

static uint64_t read_length(const struct websocket *socket)
{
    uint64_t length = socket->header[1] & 0x7f;
    unsigned bytes = length == 127 ? 8 : length == 126 ? 2 : 0;

    if (bytes == 0)
        return length;
    length = 0;
    for (unsigned i = 0; i < bytes; i++)
        length = length << 8 | socket->header[2 + i];
    return length;
}

static bool is_opcode_legal(const struct websocket *socket)
{
    switch (socket->opcode) {
    case WEBSOCKET_CONTINUATION:
        return socket->is_in_message;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return !socket->is_in_message;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return socket->is_final && socket->length <= WEBSOCKET_CONTROL_BYTES;
    }
    return false;
}

/* RFC 6455 5.2; the length in its shortest form, every frame of a client masked. */
static bool take_header(struct websocket *socket)
{
    uint8_t length = socket->header[1] & 0x7f;

    socket->is_final = socket->header[0] & FINAL;
    socket->opcode = (enum websocket_opcode)(socket->header[0] & 0x0f);
    socket->length = read_length(socket);
    socket->left = socket->length;
    memcpy(socket->mask, socket->header + socket->header_size - 4, 4);
    socket->mask_at = 0;
    if (socket->header[0] & RESERVED || !(socket->header[1] & MASKED))
        return false;
    if ((length == 126 && socket->length < 126) || (length == 127 && socket->length <= UINT16_MAX))
        return false;
    if (socket->length >> 63 || !is_opcode_legal(socket))
        return false;
    if (!(socket->opcode & WEBSOCKET_CLOSE))
        socket->is_in_message = !socket->is_final;
    return true;
}

static struct view unmask(struct websocket *socket, char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= (char)socket->mask[socket->mask_at++ & 3];
    return (struct view){bytes, size};
}

enum websocket_result websocket_read(struct websocket *socket, char **bytes, size_t *size,
                                     struct view *payload)
{
    size_t piece = socket->left < *size ? (size_t)socket->left : *size;

    if (piece) {
        *payload = unmask(socket, *bytes, piece);
        socket->left -= piece;
        *bytes += piece;
        *size -= piece;
        return WEBSOCKET_PAYLOAD;
    }
    while (*size) {
        socket->header[socket->header_size++] = (uint8_t) * (*bytes)++;
        (*size)--;
        if (socket->header_size < header_bytes(socket))
            continue;
        if (!take_header(socket))
            return WEBSOCKET_BAD;
        socket->header_size = 0;
        return WEBSOCKET_HEADER;
    }
    return WEBSOCKET_MORE;
}

size_t websocket_write_header(bool is_final, enum websocket_opcode opcode, uint64_t length,
                              char header[WEBSOCKET_HEADER_BYTES])
{
    unsigned bytes = length > UINT16_MAX ? 8 : length > 125 ? 2 : 0;

    header[0] = (char)((is_final ? FINAL : 0) | opcode);
    header[1] = (char)(bytes == 8 ? 127 : bytes == 2 ? 126 : length);
    for (unsigned i = 0; i < bytes; i++)
        header[2 + i] = (char)(length >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}
