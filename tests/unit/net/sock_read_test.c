#include "any_sock.h"

#include "base/memory.h"

/* ---- what comes ---- */

static void a_pause_holds_bytes_and_end_and_loses_nothing(void **state)
{
    struct end end;
    uint64_t sent = 0;

    (void)state;
    open_pair(&end);
    for (int round = 0; round < 50; round++) {
        uint64_t before = end.received;

        sock_pause(&end.sock);
        assert_int_equal(write(end.other, stream(1000).data, 1000), 1000);
        sent += 1000;
        loop_turn(&loop, 0);
        loop_turn(&loop, 0);
        assert_int_equal(end.received, before);
        sock_resume(&end.sock);
        sock_resume(&end.sock);
        loop_turn(&loop, 0);
        assert_int_equal(end.received, sent);
    }
    sock_pause(&end.sock);
    say(&end, "end");
    shutdown(end.other, SHUT_WR);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "b");
    sock_resume(&end.sock);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bf");
    assert_int_equal(end.received, sent + 3);
    close_end(&end);
}

static void act_pause(struct end *end, char what, struct view bytes)
{
    (void)what;
    (void)bytes;
    sock_pause(&end->sock);
}

static void a_pause_from_inside_on_bytes_holds_the_rest(void **state)
{
    struct end end;

    (void)state;
    open_pair(&end);
    end.act = act_pause;
    sock_limit_receive(&end.sock, 10);
    assert_int_equal(write(end.other, stream(25).data, 25), 25);
    shutdown(end.other, SHUT_WR);
    for (unsigned part = 1; part <= 3; part++) {
        loop_turn(&loop, 0);
        loop_turn(&loop, 0);
        assert_int_equal(end.received, part < 3 ? part * 10 : 25);
        sock_resume(&end.sock);
    }
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bf");
    close_end(&end);
}

static void a_receive_never_asks_for_more_than_the_buffer_holds(void **state)
{
    struct end end;
    uint64_t sent = 0;

    (void)state;
    open_tcp(&end);
    sock_limit_receive(&end.sock, (size_t)1 << 32);
    assert_true(end.sock.receive_max <= SOCK_RECEIVE_BYTES && end.sock.receive_max > 0);
    sock_limit_receive(&end.sock, 4 * SOCK_RECEIVE_BYTES);
    for (int i = 0; i < 40; i++) {
        ssize_t size = write(end.other, stream(MEBIBYTE).data, MEBIBYTE);

        sent += size > 0 ? (uint64_t)size : 0;
    }
    assert_true(sent > SOCK_RECEIVE_BYTES);
    TURN_UNTIL(end.received == sent);
    close_end(&end);
}

static void an_idle_sock_and_steady_traffic_allocate_nothing(void **state)
{
    struct end end;
    uint64_t before;

    (void)state;
    open_pair(&end);
    before = memory_allocations();
    for (unsigned i = 0; i < 100; i++) {
        char byte;

        say(&end, "?");
        loop_turn(&loop, 0);
        sock_write(&end.sock, VIEW("!"));
        loop_turn(&loop, 0);
        assert_int_equal(read(end.other, &byte, 1), 1);
    }
    assert_int_equal(memory_allocations(), before);
    assert_null(end.sock.queue.data);
    close_end(&end);
}

static void somebody_with_much_to_say_does_not_keep_others_waiting(void **state)
{
    struct end loud;
    struct end quiet;
    size_t sent = 0;

    (void)state;
    open_tcp(&loud);
    open_tcp(&quiet);
    sock_pause(&loud.sock);
    for (int i = 0; i < 200; i++) {
        ssize_t size = write(loud.other, stream(MEBIBYTE).data, MEBIBYTE);

        sent += size > 0 ? (size_t)size : 0;
        loop_turn(&loop, 0);
    }
    sock_resume(&loud.sock);
    sock_limit_receive(&loud.sock, 4096);
    say(&quiet, "hello");
    loop_turn(&loop, 0);
    assert_int_equal(quiet.received, 5);
    assert_true(loud.received <= 2 * (SOCK_TURN_BYTES + 4096));
    TURN_UNTIL(loud.received == sent);
    close_end(&loud);
    close_end(&quiet);
}

/* ---- the other side's end ---- */

static void a_fin_is_told_once_behind_the_bytes(void **state)
{
    struct end end;
    char text[8];

    (void)state;
    open_tcp(&end);
    say(&end, "bye");
    shutdown(end.other, SHUT_WR);
    TURN_UNTIL(strchr(end.story, 'f'));
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bf");
    sock_write(&end.sock, VIEW("answer"));
    loop_turn(&loop, 0);
    assert_int_equal(read(end.other, text, sizeof(text)), 6);
    close_end(&end);
}

static void a_reset_behind_a_fin_is_told(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    say(&end, "bye");
    shutdown(end.other, SHUT_WR);
    TURN_UNTIL(strchr(end.story, 'f'));
    reset_by_other(&end);
    TURN_UNTIL(strchr(end.story, 'r'));
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bfr");
    assert_true(end.error < 0);
    close_end(&end);
}

static void bytes_before_a_reset_are_delivered(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    say(&end, "the answer");
    reset_by_other(&end);
    TURN_UNTIL(strchr(end.story, 'r'));
    assert_string_equal(end.story, "br");
    assert_int_equal(end.received, 10);
    assert_int_equal(end.error, -ECONNRESET);
    close_end(&end);
}

/* A replica that answers 413 and closes while the body is still on its way. */
static void bytes_before_a_reset_are_delivered_though_a_write_meets_it(void **state)
{
    for (int queued = 0; queued < 2; queued++) {
        struct end end;

        (void)state;
        open_tcp(&end);
        do {
            sock_write(&end.sock, stream(65536));
            sock_flush(&end.sock);
        } while (queued && !sock_queued(&end.sock));
        say(&end, "too large");
        reset_by_other(&end);
        sock_write(&end.sock, VIEW("more body"));
        sock_flush(&end.sock);
        assert_string_equal(end.story, "");
        TURN_UNTIL(strchr(end.story, 'r'));
        assert_string_equal(end.story, "br");
        assert_memory_equal(end.first, "too large", 9);
        loop_turn(&loop, 0);
        assert_string_equal(end.story, "br");
        close_end(&end);
    }
}

static void a_reset_is_told_to_a_paused_sock_with_nothing_to_read(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    sock_pause(&end.sock);
    loop_turn(&loop, 0);
    reset_by_other(&end);
    TURN_UNTIL(strchr(end.story, 'r'));
    assert_int_equal(end.error, -ECONNRESET);
    sock_resume(&end.sock);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "r");
    close_end(&end);
}

static void bytes_behind_a_pause_survive_a_reset(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    sock_pause(&end.sock);
    say(&end, "the answer");
    loop_turn(&loop, 0);
    reset_by_other(&end);
    for (int i = 0; i < 5; i++)
        loop_turn(&loop, CLOCK_US_PER_MS);
    assert_string_equal(end.story, "");
    sock_resume(&end.sock);
    TURN_UNTIL(strchr(end.story, 'r'));
    assert_string_equal(end.story, "br");
    assert_int_equal(end.received, 10);
    close_end(&end);
}

static void a_write_tells_a_paused_sock_of_the_reset_at_once(void **state)
{
    struct end end;

    (void)state;
    open_tcp(&end);
    sock_pause(&end.sock);
    say(&end, "pipelined");
    reset_by_other(&end);
    loop_turn(&loop, CLOCK_US_PER_MS);
    sock_write(&end.sock, VIEW("answer"));
    loop_turn(&loop, 0);
    sock_write(&end.sock, VIEW("answer"));
    TURN_UNTIL(strchr(end.story, 'r'));
    assert_string_equal(end.story, "r");
    close_end(&end);
}

/* ---- while memory is full ---- */

static void receiving_starves_while_queues_are_full_and_wakes_when_they_empty(void **state)
{
    struct end slow;
    struct end ends[3];

    (void)state;
    group.queued_limit = 512 * 1024;
    open_pair(&slow);
    for (int i = 0; i < 3; i++) {
        open_pair(&ends[i]);
        sock_limit_receive(&ends[i].sock, SOCK_RECEIVE_TIGHT_BYTES);
        say(&ends[i], "hello");
    }
    fill_queue(&slow, group.queued_limit - 1000);
    for (int i = 0; i < 5; i++)
        loop_turn(&loop, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ends[i].received, 0);
    /* One is paused and resumed, one closed, while they starve. */
    sock_pause(&ends[0].sock);
    sock_resume(&ends[0].sock);
    close_end(&ends[1]);
    loop_turn(&loop, 0);
    assert_int_equal(ends[0].received, 0);
    while (sock_queued(&slow.sock)) {
        char bytes[65536];

        assert_true(read(slow.other, bytes, sizeof(bytes)) != 0);
        loop_turn(&loop, 0);
    }
    TURN_UNTIL(ends[0].received && ends[2].received);
    close_end(&slow);
    close_end(&ends[0]);
    close_end(&ends[2]);
}

static void who_feeds_nobody_slow_is_heard_in_small_steps_though_memory_is_full(void **state)
{
    static char bytes[SOCK_RECEIVE_SPARE_BYTES + 1];
    struct end slow;
    struct end end;
    uint64_t before;

    (void)state;
    group.queued_limit = 512 * 1024;
    open_pair(&slow);
    open_pair(&end);
    fill_queue(&slow, group.queued_limit);
    assert_true(sock_group_is_full(&group));
    before = group.receives;
    assert_int_equal(send(end.other, bytes, sizeof(bytes), 0), sizeof(bytes));
    TURN_UNTIL(end.received == sizeof(bytes));
    assert_true(group.receives - before >= 2);
    close_end(&slow);
    close_end(&end);
}

static void the_starved_wake_when_the_one_with_the_queue_is_aborted(void **state)
{
    struct end slow;
    struct end end;

    (void)state;
    group.queued_limit = 512 * 1024;
    open_pair(&slow);
    open_pair(&end);
    sock_limit_receive(&end.sock, SOCK_RECEIVE_TIGHT_BYTES);
    fill_queue(&slow, group.queued_limit);
    say(&end, "hello");
    shutdown(end.other, SHUT_WR);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "");
    close_end(&slow);
    TURN_UNTIL(strchr(end.story, 'f'));
    assert_string_equal(end.story, "bf");
    close_end(&end);
}

static void a_reset_is_told_though_receiving_starves(void **state)
{
    struct end slow;
    struct end end;

    (void)state;
    group.queued_limit = 512 * 1024;
    open_pair(&slow);
    open_tcp(&end);
    sock_limit_receive(&end.sock, SOCK_RECEIVE_TIGHT_BYTES);
    fill_queue(&slow, group.queued_limit);
    say(&end, "hello");
    loop_turn(&loop, 0);
    reset_by_other(&end);
    loop_turn(&loop, 0);
    sock_write(&end.sock, VIEW("x"));
    loop_turn(&loop, 0);
    sock_write(&end.sock, VIEW("x"));
    TURN_UNTIL(strchr(end.story, 'r'));
    close_end(&slow);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "r");
    close_end(&end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pause_holds_bytes_and_end_and_loses_nothing),
        TEST(a_pause_from_inside_on_bytes_holds_the_rest),
        TEST(a_receive_never_asks_for_more_than_the_buffer_holds),
        TEST(an_idle_sock_and_steady_traffic_allocate_nothing),
        TEST(somebody_with_much_to_say_does_not_keep_others_waiting),
        TEST(a_fin_is_told_once_behind_the_bytes),
        TEST(a_reset_behind_a_fin_is_told),
        TEST(bytes_before_a_reset_are_delivered),
        TEST(bytes_before_a_reset_are_delivered_though_a_write_meets_it),
        TEST(a_reset_is_told_to_a_paused_sock_with_nothing_to_read),
        TEST(bytes_behind_a_pause_survive_a_reset),
        TEST(a_write_tells_a_paused_sock_of_the_reset_at_once),
        TEST(receiving_starves_while_queues_are_full_and_wakes_when_they_empty),
        TEST(who_feeds_nobody_slow_is_heard_in_small_steps_though_memory_is_full),
        TEST(the_starved_wake_when_the_one_with_the_queue_is_aborted),
        TEST(a_reset_is_told_though_receiving_starves),
    };

    return cmocka_run_group_tests_name("net/sock_read", tests, NULL, NULL);
}
