/*
 * The server's side of the WebSocket protocol (RFC 6455), as far as an echo needs it: bytes ->
 * frames, without I/O and without memory; the payload comes in pieces as it arrives.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/* Base64 of a SHA-1, with a zero. */
#define WEBSOCKET_ACCEPT_BYTES 29

/* Of one frame's header in either direction. */
#define WEBSOCKET_HEADER_BYTES 14

/* Of a ping, pong or close (RFC 6455 5.5). */
#define WEBSOCKET_CONTROL_BYTES 125

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

enum websocket_result {
    WEBSOCKET_MORE,    /* all bytes were taken */
    WEBSOCKET_HEADER,  /* a frame begins: is_final, opcode and length are set */
    WEBSOCKET_PAYLOAD, /* a piece of it, unmasked in place */
    WEBSOCKET_BAD,     /* not what a client may send: close with 1002 */
};

struct websocket {
    uint8_t header[WEBSOCKET_HEADER_BYTES];
    uint8_t header_size; /* bytes of it that are here */
    uint8_t mask[4];
    uint8_t mask_at;
    bool is_in_message; /* a continuation may follow */
    bool is_final;
    enum websocket_opcode opcode;
    uint64_t length; /* bytes of the frame */
    uint64_t left;   /* bytes of it to come */
};

/* The Sec-WebSocket-Accept to a Sec-WebSocket-Key (RFC 6455 4.2.2), zero-ended. False where the key
 * is no base64 of 16 bytes. */
bool websocket_accept(struct view key, char accept[WEBSOCKET_ACCEPT_BYTES]);

/*
 * The next thing in `bytes`, which moves on. A frame without payload is WEBSOCKET_HEADER alone.
 * *payload is a part of `bytes`, whose memory is written to.
 */
enum websocket_result websocket_read(struct websocket *socket, char **bytes, size_t *size,
                                     struct view *payload);

/* Writes the header of a frame of ours (never masked); returns its size. */
size_t websocket_write_header(bool is_final, enum websocket_opcode opcode, uint64_t length,
                              char header[WEBSOCKET_HEADER_BYTES]);
