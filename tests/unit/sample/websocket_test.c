#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sample/websocket.h"

#include <string.h>

/* What came out of a sequence of bytes: one letter an event, and the payload. */
struct seen {
    char events[64];
    char payload[1024];
    size_t payload_bytes;
};

static void read_all(struct websocket *socket, const char *bytes, size_t size, struct seen *seen)
{
    char copy[1024];
    char *at = copy;
    struct view payload;

    memcpy(copy, bytes, size);
    for (;;) {
        switch (websocket_read(socket, &at, &size, &payload)) {
        case WEBSOCKET_MORE:
            return;
        case WEBSOCKET_HEADER:
            strcat(seen->events, "h");
            break;
        case WEBSOCKET_PAYLOAD:
            memcpy(seen->payload + seen->payload_bytes, payload.data, payload.size);
            seen->payload_bytes += payload.size;
            break;
        case WEBSOCKET_BAD:
            strcat(seen->events, "B");
            return;
        }
    }
}

/* The same whole and cut at every byte. */
static void expect(const char *bytes, size_t size, const char *events, const char *payload)
{
    for (size_t cut = 0; cut <= size; cut++) {
        struct websocket socket = {0};
        struct seen seen = {0};

        read_all(&socket, bytes, cut, &seen);
        if (!strchr(seen.events, 'B'))
            read_all(&socket, bytes + cut, size - cut, &seen);
        assert_string_equal(events, seen.events);
        assert_string_equal(payload, seen.payload);
    }
}
#define EXPECT(bytes, events, payload) expect(bytes, sizeof(bytes) - 1, events, payload)

/* RFC 6455 1.3. */
static void the_example_of_the_handshake_is_met(void **state)
{
    char accept[WEBSOCKET_ACCEPT_BYTES];

    (void)state;
    assert_true(websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", accept);
}

static void what_is_no_key_is_refused(void **state)
{
    char accept[WEBSOCKET_ACCEPT_BYTES];

    (void)state;
    assert_false(websocket_accept(VIEW(""), accept));
    assert_false(websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQ="), accept));
    assert_false(websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQAA"), accept));
    assert_false(websocket_accept(VIEW("dGhlIHNhbXBs*SBub25jZQ=="), accept));
}

/* RFC 6455 5.7: "Hello", masked. */
static void a_masked_frame_is_unmasked(void **state)
{
    (void)state;
    EXPECT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "h", "Hello");
}

static void frames_follow_each_other(void **state)
{
    (void)state;
    EXPECT("\x01\x81\0\0\0\0a"
           "\x89\x82\0\0\0\0pi"
           "\x00\x81\0\0\0\0b"
           "\x80\x80\0\0\0\0"
           "\x82\xfe\x00\x7e\0\0\0\0"
           "0123456789012345678901234567890123456789012345678901234567890123456789"
           "01234567890123456789012345678901234567890123456789012345",
           "hhhhh",
           "apib"
           "0123456789012345678901234567890123456789012345678901234567890123456789"
           "01234567890123456789012345678901234567890123456789012345");
}

static void what_a_client_may_not_send_is_bad(void **state)
{
    (void)state;
    EXPECT("\x81\x01"
           "a\0\0\0\0",
           "B", "");                                         /* not masked */
    EXPECT("\xc1\x80\0\0\0\0", "B", "");                     /* a reserved bit */
    EXPECT("\x83\x80\0\0\0\0", "B", "");                     /* an unknown opcode */
    EXPECT("\x80\x80\0\0\0\0", "B", "");                     /* continues nothing */
    EXPECT("\x01\x80\0\0\0\0\x01\x80\0\0\0\0", "hB", "");    /* begins inside of a message */
    EXPECT("\x09\x80\0\0\0\0", "B", "");                     /* a ping in pieces */
    EXPECT("\x89\xfe\x00\x7e\0\0\0\0", "B", "");             /* a ping of 126 bytes */
    EXPECT("\x82\xfe\x00\x7d\0\0\0\0", "B", "");             /* a length not in its shortest form */
    EXPECT("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", "B", ""); /* the same in 64 bits */
    EXPECT("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", "B", "");   /* a length of 2^63 */
}

static void our_headers_have_the_shortest_length(void **state)
{
    char header[WEBSOCKET_HEADER_BYTES];

    (void)state;
    assert_int_equal(2, websocket_write_header(true, WEBSOCKET_TEXT, 125, header));
    assert_memory_equal("\x81\x7d", header, 2);
    assert_int_equal(4, websocket_write_header(false, WEBSOCKET_BINARY, 126, header));
    assert_memory_equal("\x02\x7e\x00\x7e", header, 4);
    assert_int_equal(4, websocket_write_header(true, WEBSOCKET_TEXT, 65535, header));
    assert_memory_equal("\x81\x7e\xff\xff", header, 4);
    assert_int_equal(10, websocket_write_header(true, WEBSOCKET_TEXT, 65536, header));
    assert_memory_equal("\x81\x7f\0\0\0\0\0\x01\0\0", header, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_handshake_is_met),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_masked_frame_is_unmasked),
        cmocka_unit_test(frames_follow_each_other),
        cmocka_unit_test(what_a_client_may_not_send_is_bad),
        cmocka_unit_test(our_headers_have_the_shortest_length),
    };

    return cmocka_run_group_tests_name("sample/websocket", tests, NULL, NULL);
}
