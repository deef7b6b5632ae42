#include "any_sock.h"

/* ---- our end ---- */

static void a_sock_that_is_closed_is_gone_at_the_end_of_the_turn(void **state)
{
    struct end end;
    char text[8];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("bye"));
    sock_close(&end.sock, false, on_destroy);
    assert_string_equal(end.story, "");
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
    assert_int_equal(read(end.other, text, sizeof(text)), 3);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    close(end.other);
}

static void lingering_ends_by_the_other_sides_fin(void **state)
{
    struct end end;
    char text[8];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("413"));
    sock_close(&end.sock, true, on_destroy);
    say(&end, "still sending");
    for (int i = 0; i < 5; i++)
        loop_turn(&loop, 0);
    assert_string_equal(end.story, "");
    assert_int_equal(read(end.other, text, sizeof(text)), 3);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    close(end.other);
    TURN_UNTIL(end.story[0]);
    assert_string_equal(end.story, "x");
}

static void lingering_ends_after_too_many_bytes(void **state)
{
    struct end end;
    size_t sent = 0;

    (void)state;
    open_tcp(&end);
    sock_close(&end.sock, true, on_destroy);
    while (!end.story[0]) {
        ssize_t size = send(end.other, stream(8192).data, 8192, MSG_NOSIGNAL);

        sent += size > 0 ? (size_t)size : 0;
        assert_true(sent < 3 * SOCK_LINGER_BYTES);
        loop_turn(&loop, 0);
    }
    assert_true(sent > SOCK_LINGER_BYTES);
    assert_string_equal(end.story, "x");
    close(end.other);
}

static void lingering_ends_in_time(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    sock_close(&end.sock, true, on_destroy);
    clock_set(NOW_US + SOCK_LINGER_US - TIMER_TICK_US);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "");
    clock_set(NOW_US + SOCK_LINGER_US + TIMER_TICK_US);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
    close(end.other);
}

static void a_paused_sock_lingers_all_the_same(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    sock_pause(&end.sock);
    say(&end, "unread");
    loop_turn(&loop, 0);
    sock_close(&end.sock, true, on_destroy);
    close(end.other);
    TURN_UNTIL(end.story[0]);
    assert_string_equal(end.story, "x");
}

static void a_slow_reader_gets_all_that_was_queued_when_we_closed(void **state)
{
    const size_t total = MEBIBYTE;
    struct end end;
    uint64_t now_us = NOW_US;
    uint64_t at = 0;
    ssize_t size;

    (void)state;
    open_pair(&end);
    sock_write(&end.sock, stream(total));
    sock_close(&end.sock, false, on_destroy);
    /* A little each second and a half: more than SOCK_LINGER_US in all, never as much at once. */
    do {
        size = drain_other(end.other, &at, 100000);
        now_us += SOCK_LINGER_US * 3 / 4;
        clock_set(now_us);
        loop_turn(&loop, 0);
    } while (size != 0);
    assert_int_equal(at, total);
    close(end.other);
    TURN_UNTIL(end.story[0]);
    assert_string_equal(end.story, "x");
}

static void somebody_who_goes_on_sending_gets_all_that_was_queued(void **state)
{
    struct end end;
    uint64_t at = 0;
    size_t sent = 0;
    ssize_t size;

    (void)state;
    open_pair(&end);
    sock_write(&end.sock, stream(MEBIBYTE));
    sock_close(&end.sock, true, on_destroy);
    while (sent < 4 * (size_t)SOCK_LINGER_BYTES) {
        size = send(end.other, stream(8192).data, 8192, MSG_NOSIGNAL);
        assert_true(size != 0);
        sent += size > 0 ? (size_t)size : 0;
        loop_turn(&loop, 0);
        assert_string_equal(end.story, "");
    }
    do {
        size = drain_other(end.other, &at, MEBIBYTE);
        loop_turn(&loop, 0);
    } while (size != 0);
    assert_int_equal(at, MEBIBYTE);
    close(end.other);
    TURN_UNTIL(end.story[0]);
    assert_string_equal(end.story, "x");
}

static void who_takes_nothing_of_the_queue_gets_a_reset_and_no_end(void **state)
{
    struct end end;
    char bytes[65536];
    ssize_t size;

    (void)state;
    open_tcp(&end);
    fill_queue(&end, MEBIBYTE);
    sock_close(&end.sock, true, on_destroy);
    for (uint64_t round = 1; round <= 2; round++) {
        clock_set(NOW_US + round * (SOCK_LINGER_US + TIMER_TICK_US));
        loop_turn(&loop, 0);
    }
    assert_string_equal(end.story, "x");
    do
        size = read(end.other, bytes, sizeof(bytes));
    while (size > 0);
    assert_int_equal(size, -1);
    assert_int_equal(errno, ECONNRESET);
    close(end.other);
}

static void an_abort_is_a_reset_and_drops_what_was_written(void **state)
{
    struct end end;
    char text[8];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("never"));
    sock_abort(&end.sock, on_destroy);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
    assert_int_equal(group.sends, 0);
    assert_int_equal(read(end.other, text, sizeof(text)), -1);
    assert_int_equal(errno, ECONNRESET);
    close(end.other);
}

static void bytes_lost_by_an_overflow_end_in_a_reset_and_no_fin(void **state)
{
    struct end end;
    char bytes[65536];
    ssize_t size;

    (void)state;
    open_tcp(&end);
    fill_queue(&end, MEBIBYTE);
    sock_write(&end.sock, VIEW("too much"));
    sock_close(&end.sock, true, on_destroy);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
    do
        size = read(end.other, bytes, sizeof(bytes));
    while (size > 0);
    assert_int_equal(size, -1);
    close(end.other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sock_that_is_closed_is_gone_at_the_end_of_the_turn),
        TEST(lingering_ends_by_the_other_sides_fin),
        TEST(lingering_ends_after_too_many_bytes),
        TEST(lingering_ends_in_time),
        TEST(a_paused_sock_lingers_all_the_same),
        TEST(a_slow_reader_gets_all_that_was_queued_when_we_closed),
        TEST(somebody_who_goes_on_sending_gets_all_that_was_queued),
        TEST(who_takes_nothing_of_the_queue_gets_a_reset_and_no_end),
        TEST(an_abort_is_a_reset_and_drops_what_was_written),
        TEST(bytes_lost_by_an_overflow_end_in_a_reset_and_no_fin),
    };

    return cmocka_run_group_tests_name("net/sock_close", tests, NULL, NULL);
}
