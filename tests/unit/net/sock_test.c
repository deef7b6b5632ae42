#include "any_sock.h"

#include <sys/resource.h>

#include "base/memory.h"

/* ---- reading ---- */

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

/* ---- connecting ---- */

static int accept_other(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    assert_true(fd >= 0);
    return fd;
}

static void what_is_written_before_the_connection_stands_follows_it(void **state)
{
    struct address address;
    int listener = listen_somewhere(&address);
    struct end end = {.other = -1};
    char text[16];

    (void)state;
    assert_int_equal(sock_connect(&end.sock, &group, &address, 0, &end_events), 0);
    sock_write(&end.sock, VIEW("early "));
    sock_write(&end.sock, VIEW("bird"));
    assert_int_equal(sock_queued(&end.sock), 10);
    assert_int_equal(sock_sent(&end.sock), 0);
    TURN_UNTIL(sock_sent(&end.sock) == 10);
    assert_string_equal(end.story, "cd");
    assert_int_equal(group.sends, 1);
    end.other = accept_other(listener);
    assert_int_equal(read(end.other, text, sizeof(text)), 10);
    close_end(&end);
    close(listener);
}

static void a_fin_wanted_before_the_connection_stands_follows_it(void **state)
{
    struct address address;
    int listener = listen_somewhere(&address);
    struct end end = {.other = -1};
    char text[16];

    (void)state;
    assert_int_equal(sock_connect(&end.sock, &group, &address, 0, &end_events), 0);
    sock_shut(&end.sock);
    TURN_UNTIL(strchr(end.story, 'c'));
    end.other = accept_other(listener);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    close_end(&end);
    close(listener);
}

static void a_refused_connection_is_told_once(void **state)
{
    for (int writes = 0; writes < 2; writes++) {
        struct address address;
        int listener = listen_somewhere(&address);
        struct end end = {.other = -1};

        (void)state;
        close(listener);
        assert_int_equal(sock_connect(&end.sock, &group, &address, 0, &end_events), 0);
        if (writes)
            sock_write(&end.sock, VIEW("hello?"));
        TURN_UNTIL(strchr(end.story, 'r'));
        loop_turn(&loop, 0);
        assert_string_equal(end.story, "r");
        assert_int_equal(end.error, -ECONNREFUSED);
        assert_int_equal(sock_sent(&end.sock), 0);
        close_end(&end);
    }
}

static void a_connection_that_fails_at_once_may_be_closed_like_any(void **state)
{
    struct address address;
    struct end end = {.other = -1};
    struct rlimit limit;
    struct rlimit none;

    (void)state;
    memset(&end.sock, 0xee, sizeof(end.sock));
    assert_int_equal(address_from_text(VIEW("127.0.0.1:1"), &address, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(sock_connect(&end.sock, &group, &address, 0, &end_events), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close_end(&end);
    memset(&end, 0, sizeof(end));
    end.other = -1;
    assert_int_equal(address_from_text(VIEW("unix:/nowhere/at/all"), &address, NULL), 0);
    assert_int_equal(sock_connect(&end.sock, &group, &address, 0, &end_events), -ENOENT);
    sock_close(&end.sock, true, on_destroy);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
}

/* ---- adopting ---- */

static void act_close(struct end *end, char what, struct view bytes)
{
    (void)bytes;
    if (what != 'x')
        sock_close(&end->sock, false, on_destroy);
}

static void what_is_there_is_read_before_adopting_returns(void **state)
{
    struct end end = {0};
    int ends[2];

    (void)state;
    connect_tcp(ends);
    end.other = ends[1];
    say(&end, "request");
    shutdown(end.other, SHUT_WR);
    sock_adopt(&end.sock, &group, ends[0], &end_events);
    assert_int_equal(end.received, 7);
    TURN_UNTIL(strchr(end.story, 'f'));
    assert_string_equal(end.story, "bf");
    close_end(&end);
}

static void an_owner_may_close_while_adopting(void **state)
{
    struct end end = {.act = act_close};
    int ends[2];

    (void)state;
    connect_tcp(ends);
    end.other = ends[1];
    say(&end, "request");
    sock_adopt(&end.sock, &group, ends[0], &end_events);
    assert_null(end.sock.watch.on_events);
    assert_int_equal(end.sock.watch.fd, -1);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bx");
    close(end.other);
}

static void a_sock_may_be_closed_in_each_of_its_callbacks(void **state)
{
    struct end end;

    (void)state;
    open_pair(&end); /* on_bytes */
    end.act = act_close;
    say(&end, "x");
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "bx");
    close(end.other);

    open_pair(&end); /* on_fin */
    end.act = act_close;
    shutdown(end.other, SHUT_WR);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "fx");
    close(end.other);

    open_tcp(&end); /* on_reset */
    end.act = act_close;
    reset_by_other(&end);
    TURN_UNTIL(strchr(end.story, 'x'));
    assert_string_equal(end.story, "rx");

    open_pair(&end); /* on_drained */
    end.act = act_close;
    sock_write(&end.sock, stream(MEBIBYTE));
    loop_turn(&loop, 0);
    for (uint64_t at = 0; !strchr(end.story, 'x');) {
        drain_other(end.other, &at, MEBIBYTE);
        loop_turn(&loop, 0);
    }
    assert_string_equal(end.story, "dx");
    close(end.other);
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
        TEST(what_is_written_before_the_connection_stands_follows_it),
        TEST(a_fin_wanted_before_the_connection_stands_follows_it),
        TEST(a_refused_connection_is_told_once),
        TEST(a_connection_that_fails_at_once_may_be_closed_like_any),
        TEST(what_is_there_is_read_before_adopting_returns),
        TEST(an_owner_may_close_while_adopting),
        TEST(a_sock_may_be_closed_in_each_of_its_callbacks),
    };

    return cmocka_run_group_tests_name("net/sock", tests, NULL, NULL);
}
