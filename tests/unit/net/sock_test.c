#include "any_sock.h"

#include <sys/resource.h>

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
