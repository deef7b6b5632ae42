#include "any_inbound.h"

static void a_connection_that_says_nothing_ends_without_a_word(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    shutdown(client, SHUT_WR);
    rig_expect_end(&f.rig, client, "");
    close(client);
    client = connect_client(&f);
    rig_pass(&f.rig, HEADER_MS + 100);
    rig_expect_end(&f.rig, client, "");
    assert_int_equal(f.refusals, 0);
    close(client);
    end(&f);
}

static void a_head_has_one_deadline_however_it_trickles(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    for (size_t i = 0; i < strlen(text) && !f.refusals; i++) {
        assert_int_equal(send(client, text + i, 1, MSG_NOSIGNAL), 1);
        rig_pass(&f.rig, 500);
        if (i < HEADER_MS / 500 - 2)
            assert_int_equal(f.refusals, 0);
    }
    assert_int_equal(f.refused, 408);
    close(client);
    end(&f);
}

static void a_body_that_stops_is_answered_408(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    rig_pass(&f.rig, IDLE_MS - 1000);
    rig_send(client, "b");
    rig_pass(&f.rig, IDLE_MS - 1000);
    assert_int_equal(f.refusals, 0);
    rig_pass(&f.rig, 1100);
    assert_int_equal(f.refused, 408);
    assert_int_equal(f.heard.failure, STREAM_TIMED_OUT);
    close(client);
    end(&f);
}

static void a_client_is_not_blamed_while_its_bytes_are_with_us(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.heard.keeps_credit = true;
    client = connect_client(&f);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    rig_turns(&f.rig, 2);
    rig_send(client, "bc");
    rig_pass(&f.rig, 3 * IDLE_MS);
    assert_int_equal(f.refusals, 0);
    HEARD_BODY(&f.heard, "a");
    stream_consumed(f.heard.stream, 1);
    f.heard.keeps_credit = false;
    rig_turns(&f.rig, 3);
    HEARD_BODY(&f.heard, "abc");
    close(client);
    end(&f);
}

static void one_too_many_is_told_503_even_when_it_has_spoken_already(void **state)
{
    struct address address = {.size = 0};
    struct fixture f;
    int clients[2];
    int ends[2];

    (void)state;
    start(&f);
    clients[0] = connect_client(&f);
    clients[1] = connect_client(&f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    rig_send(ends[0], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    inbound_open(&f.group, ends[1], &address, 0);
    rig_expect_end(&f.rig, ends[0],
                   "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n");
    assert_int_equal(f.requests, 0);
    assert_int_equal(f.group.count, 2);
    close(ends[0]);
    close(clients[0]);
    close(clients[1]);
    end(&f);
}

static void a_drain_ends_the_idle_now_and_the_busy_with_their_answer(void **state)
{
    struct fixture f;
    int idle;
    int busy;

    (void)state;
    start(&f);
    idle = connect_client(&f);
    busy = connect_client(&f);
    rig_send(busy, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_turns(&f.rig, 2);
    /* Its head is out before the drain begins: it could not say close. */
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("HTTP/1.1 200 OK\r\n"),
                                                           .body = {FRAMING_LENGTH, 1},
                                                           .status = 200});
    sock_group_settle(&f.rig.socks);
    inbound_group_drain(&f.group);
    rig_expect_end(&f.rig, idle, "");
    stream_send_body(f.heard.stream, VIEW("1"));
    stream_send_end(f.heard.stream, VIEW(""));
    rig_expect_end(&f.rig, busy, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    close(idle);
    close(busy);
    rig_turns(&f.rig, 3);
    assert_int_equal(f.group.count, 0);
    end(&f);
}

static struct inbound *first_inbound(struct fixture *f)
{
    return LIST_FIRST(&f->group.all, struct inbound, list);
}

static void a_client_that_is_heard_out_is_watched_only_when_its_answer_takes_long(void **state)
{
    struct address address = {.size = 0};
    struct fixture f;
    int ends[2];

    (void)state;
    start(&f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    rig_send(ends[0], "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    inbound_open(&f.group, ends[1], &address, 0);
    assert_string_equal(f.targets, "/a ");
    assert_null(first_inbound(&f)->sock.watch.on_events);
    rig_pass(&f.rig, INBOUND_UNWATCHED_MS + 20);
    assert_non_null(first_inbound(&f)->sock.watch.on_events);
    answer(&f, "done");
    rig_expect_end(&f.rig, ends[0],
                   "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone");
    close(ends[0]);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_says_nothing_ends_without_a_word),
        cmocka_unit_test(a_head_has_one_deadline_however_it_trickles),
        cmocka_unit_test(a_body_that_stops_is_answered_408),
        cmocka_unit_test(a_client_is_not_blamed_while_its_bytes_are_with_us),
        cmocka_unit_test(one_too_many_is_told_503_even_when_it_has_spoken_already),
        cmocka_unit_test(a_drain_ends_the_idle_now_and_the_busy_with_their_answer),
        cmocka_unit_test(a_client_that_is_heard_out_is_watched_only_when_its_answer_takes_long),
    };

    return cmocka_run_group_tests_name("conn/inbound", tests, NULL, NULL);
}
