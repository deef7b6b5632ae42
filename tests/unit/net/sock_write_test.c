#include "any_sock.h"

/* ---- writing ---- */

static void act_write_three(struct end *end, char what, struct view bytes)
{
    char *text;

    if (what != 'b')
        return;
    text = sock_text(&group, 100);
    memcpy(text, "head ", 5);
    sock_text_trim(&group, 95);
    sock_write(&end->sock, (struct view){text, 5});
    sock_write(&end->sock, bytes);
    sock_write(&end->sock, VIEW(" tail"));
}

static void what_one_callback_writes_leaves_in_one_send(void **state)
{
    char text[32] = "";
    struct end end;

    (void)state;
    open_pair(&end);
    end.act = act_write_three;
    say(&end, "body");
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(group.sends, 1);
    assert_int_equal(read(end.other, text, sizeof(text)), 14);
    assert_string_equal(text, "head body tail");
    assert_int_equal(sock_sent(&end.sock), 14);
    assert_int_equal(sock_queued(&end.sock), 0);
    close_end(&end);
}

static void small_requests_cost_one_receive_and_one_send(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    end.act = act_write_three;
    loop_turn(&loop, 0);
    group.receives = group.sends = 0;
    for (unsigned i = 0; i < 10; i++) {
        say(&end, "?");
        TURN_UNTIL(end.received == i + 1);
        loop_turn(&loop, 0);
        assert_int_equal(read(end.other, text, sizeof(text)), 11);
    }
    assert_int_equal(group.receives, 10);
    assert_int_equal(group.sends, 10);
    close_end(&end);
}

static void act_pass_on(struct end *end, char what, struct view bytes)
{
    if (what == 'b')
        sock_write(&end->to->sock, bytes);
}

/* Without a flush of the owner's own: the receive buffer is used again in the same callback. */
static void what_was_received_leaves_before_the_next_receive(void **state)
{
    struct end in;
    struct end out;
    uint64_t at = 0;

    (void)state;
    open_pair(&in);
    open_pair(&out);
    in.act = act_pass_on;
    in.to = &out;
    sock_limit_receive(&in.sock, 10);
    assert_int_equal(write(in.other, stream(95).data, 95), 95);
    loop_turn(&loop, 0);
    assert_int_equal(drain_other(out.other, &at, 100), 95);
    in.to = NULL;
    close_end(&in);
    close_end(&out);
}

static void more_pieces_than_a_send_takes_stay_in_order(void **state)
{
    enum { PIECES = 3 * SOCK_GATHER_MAX + 5 };
    char copies[2][PIECES];
    struct end end;
    uint64_t at = 0;

    (void)state;
    open_pair(&end);
    for (size_t i = 0; i < PIECES; i++) {
        char *piece = &copies[i % 2][i];

        *piece = stream(PIECES).data[i];
        sock_write(&end.sock, (struct view){piece, 1});
    }
    loop_turn(&loop, 0);
    assert_int_equal(group.sends, 4);
    assert_int_equal(drain_other(end.other, &at, PIECES + 1), PIECES);
    close_end(&end);
}

static void pieces_that_lie_side_by_side_are_one(void **state)
{
    struct end end;
    uint64_t at = 0;

    (void)state;
    open_pair(&end);
    for (size_t i = 0; i < 3 * SOCK_GATHER_MAX; i++)
        sock_write(&end.sock, (struct view){stream(1000).data + i, 1});
    assert_int_equal(group.piece_count, 1);
    loop_turn(&loop, 0);
    assert_int_equal(group.sends, 1);
    assert_int_equal(drain_other(end.other, &at, 1000), 3 * SOCK_GATHER_MAX);
    close_end(&end);
}

static void two_socks_written_in_turns_keep_their_order(void **state)
{
    struct end a;
    struct end b;
    char text[32] = "";

    (void)state;
    open_pair(&a);
    open_pair(&b);
    sock_write(&a.sock, VIEW("1"));
    sock_write(&b.sock, VIEW("x"));
    sock_write(&a.sock, VIEW("2"));
    sock_write(&b.sock, VIEW("y"));
    sock_flush(&a.sock); /* not the one that is gathering */
    sock_flush(&b.sock);
    assert_int_equal(read(a.other, text, sizeof(text)), 2);
    assert_memory_equal(text, "12", 2);
    assert_int_equal(read(b.other, text, sizeof(text)), 2);
    assert_memory_equal(text, "xy", 2);
    close_end(&a);
    close_end(&b);
}

static void what_the_kernel_does_not_take_is_queued_and_drains_once(void **state)
{
    struct end end;
    uint64_t at = 0;
    int turns = 0;

    (void)state;
    open_tcp(&end);
    /* More than the kernel takes for somebody who does not read. */
    while (!sock_queued(&end.sock)) {
        sock_write(&end.sock, (struct view){stream(2 * MEBIBYTE).data + end.received % 256, 0});
        sock_write(&end.sock, stream(65536));
        sock_flush(&end.sock);
        turns++;
    }
    sock_write(&end.sock, stream(65536));
    assert_true(sock_queued(&end.sock) > 65536);
    assert_int_equal(group.queued_bytes, sock_queued(&end.sock));
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "");
    for (uint64_t total = (uint64_t)(turns + 1) * 65536; at < total;) {
        uint64_t here = at % 65536;

        drain_other(end.other, &here, 65536 - (at % 65536));
        at += here - at % 65536;
        loop_turn(&loop, 0);
    }
    TURN_UNTIL(end.story[0]);
    assert_string_equal(end.story, "d");
    assert_int_equal(sock_sent(&end.sock), at);
    assert_int_equal(group.queued_bytes, 0);
    close_end(&end);
}

static void a_queue_beyond_its_limit_resets_later_and_once(void **state)
{
    struct end end;

    (void)state;
    open_pair(&end);
    for (int i = 0; i < 3; i++)
        sock_write(&end.sock, stream(MEBIBYTE));
    assert_string_equal(end.story, "");
    assert_true(sock_queued(&end.sock) <= SOCK_QUEUE_BYTES_MAX);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "r");
    assert_int_equal(end.error, -ENOBUFS);
    sock_write(&end.sock, VIEW("more"));
    sock_pause(&end.sock);
    sock_resume(&end.sock);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "r");
    close_end(&end);
}

static void nothing_is_written_after_our_fin(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("last"));
    sock_shut(&end.sock);
    sock_shut(&end.sock);
    sock_write(&end.sock, VIEW("lost"));
    loop_turn(&loop, 0);
    assert_int_equal(read(end.other, text, sizeof(text)), 4);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    say(&end, "still heard");
    TURN_UNTIL(end.received == 11);
    close_end(&end);
}

static void our_fin_waits_for_the_queue(void **state)
{
    struct end end;
    uint64_t at = 0;

    (void)state;
    open_pair(&end);
    sock_write(&end.sock, stream(MEBIBYTE));
    sock_shut(&end.sock);
    loop_turn(&loop, 0);
    assert_true(sock_queued(&end.sock) > 0);
    while (drain_other(end.other, &at, MEBIBYTE) != 0)
        loop_turn(&loop, 0);
    assert_int_equal(at, MEBIBYTE);
    assert_string_equal(end.story, "d");
    close_end(&end);
}

/* ---- a relay ---- */

static void act_relay(struct end *end, char what, struct view bytes)
{
    if (what == 'b') {
        sock_write(&end->to->sock, bytes);
        sock_flush(&end->to->sock);
        if (sock_queued(&end->to->sock)) {
            sock_limit_receive(&end->sock, SOCK_RECEIVE_TIGHT_BYTES);
            sock_pause(&end->sock);
        }
    }
    if (what == 'f')
        sock_shut(&end->to->sock);
    if (what == 'd')
        sock_resume(&end->to->sock);
}

static void a_hundred_megabytes_through_a_slow_reader_stay_within_the_limits(void **state)
{
    const uint64_t total = UINT64_C(100) * 1024 * 1024;
    struct end in;
    struct end out;
    uint64_t sent = 0;
    uint64_t got = 0;
    size_t most = 0;
    ssize_t size;

    (void)state;
    open_tcp(&in);
    open_tcp(&out);
    in.act = out.act = act_relay;
    in.to = &out;
    out.to = &in;
    for (unsigned round = 0;; round++) {
        if (sent < total) {
            uint64_t phase = sent % 65536; /* the pattern repeats there */
            size_t left = total - sent < MEBIBYTE ? (size_t)(total - sent) : MEBIBYTE;

            size = write(in.other, stream(2 * MEBIBYTE).data + phase, left);
            sent += size > 0 ? (uint64_t)size : 0;
            if (sent == total)
                shutdown(in.other, SHUT_WR);
        }
        loop_turn(&loop, 0);
        if (sock_queued(&out.sock) > most)
            most = sock_queued(&out.sock);
        /* Slower than the writer by far: seldom, and then not all. */
        if (sent < total && round % 3)
            continue;
        size = drain_other(out.other, &got, 200000);
        if (size == 0)
            break;
        assert_true(round < 1000000);
    }
    assert_int_equal(got, total);
    assert_true(most > 0);
    assert_true(most <= SOCK_RECEIVE_BYTES);
    assert_int_equal(in.received, total);
    in.to = out.to = NULL;
    close_end(&in);
    close_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_callback_writes_leaves_in_one_send),
        TEST(small_requests_cost_one_receive_and_one_send),
        TEST(what_was_received_leaves_before_the_next_receive),
        TEST(more_pieces_than_a_send_takes_stay_in_order),
        TEST(pieces_that_lie_side_by_side_are_one),
        TEST(two_socks_written_in_turns_keep_their_order),
        TEST(what_the_kernel_does_not_take_is_queued_and_drains_once),
        TEST(a_queue_beyond_its_limit_resets_later_and_once),
        TEST(nothing_is_written_after_our_fin),
        TEST(our_fin_waits_for_the_queue),
        TEST(a_hundred_megabytes_through_a_slow_reader_stay_within_the_limits),
    };

    return cmocka_run_group_tests_name("net/sock_write", tests, NULL, NULL);
}
