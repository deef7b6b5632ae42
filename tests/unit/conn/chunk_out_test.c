#include "conn/chunk_out.h"

#include "rig.h"

#define DATA_BYTES 70000

struct out {
    struct rig rig;
    struct sock sock;
    int reader;
};

static void on_bytes(struct sock *sock, struct view bytes)
{
    (void)sock;
    (void)bytes;
}

static void on_reset(struct sock *sock, int error)
{
    (void)sock;
    fail_msg("the connection broke: %s", strerror(-error));
}

static const struct sock_events events = {.on_bytes = on_bytes, .on_reset = on_reset};

static void on_destroy(struct sock *sock)
{
    (void)sock;
}

static void start(struct out *out)
{
    int ends[2];

    memset(out, 0, sizeof(*out));
    rig_init(&out->rig);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    out->reader = ends[0];
    sock_adopt(&out->sock, &out->rig.socks, ends[1], &events);
}

static void stop(struct out *out)
{
    sock_close(&out->sock, false, on_destroy);
    rig_turns(&out->rig, 2);
    close(out->reader);
    rig_finish(&out->rig);
}

static void chunks_and_their_end_leave_in_one_send(void **state)
{
    struct out out;
    uint64_t sends;

    (void)state;
    start(&out);
    sends = out.rig.socks.sends;
    chunk_out_write(&out.sock, VIEW("a"));
    chunk_out_write(&out.sock, VIEW("0123456789abcdefg"));
    chunk_out_end(&out.sock, (struct view){NULL, 0});
    rig_expect(&out.rig, out.reader, "1\r\na\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n");
    assert_int_equal(out.rig.socks.sends - sends, 1);
    stop(&out);
}

static void trailers_stand_between_the_last_chunk_and_the_empty_line(void **state)
{
    struct out out;

    (void)state;
    start(&out);
    chunk_out_end(&out.sock, VIEW("X-Sum: 1\r\nX-Two: 2\r\n"));
    rig_expect(&out.rig, out.reader, "0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n");
    stop(&out);
}

/* The line before a chunk must still be there when the kernel takes it: many at once. */
static void a_thousand_chunks_in_one_callback_are_whole(void **state)
{
    static char expected[RIG_TEXT_BYTES];
    struct out out;
    size_t size = 0;

    (void)state;
    start(&out);
    for (unsigned i = 0; i < 1000; i++) {
        chunk_out_write(&out.sock, VIEW("xyz"));
        size += (size_t)snprintf(expected + size, sizeof(expected) - size, "3\r\nxyz\r\n");
    }
    chunk_out_end(&out.sock, (struct view){NULL, 0});
    snprintf(expected + size, sizeof(expected) - size, "0\r\n\r\n");
    rig_expect(&out.rig, out.reader, expected);
    stop(&out);
}

static void a_chunk_says_its_size_in_hexadecimal_digits(void **state)
{
    static char data[DATA_BYTES];
    static char expected[DATA_BYTES + 32];
    struct out out;

    (void)state;
    memset(data, 'd', sizeof(data));
    start(&out);
    chunk_out_write(&out.sock, (struct view){data, sizeof(data)});
    /* 70,000 = 0x11170 */
    snprintf(expected, sizeof(expected), "11170\r\n%.*s\r\n", DATA_BYTES, data);
    rig_expect(&out.rig, out.reader, expected);
    stop(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_and_their_end_leave_in_one_send),
        cmocka_unit_test(trailers_stand_between_the_last_chunk_and_the_empty_line),
        cmocka_unit_test(a_thousand_chunks_in_one_callback_are_whole),
        cmocka_unit_test(a_chunk_says_its_size_in_hexadecimal_digits),
    };

    return cmocka_run_group_tests_name("conn/chunk_out", tests, NULL, NULL);
}
