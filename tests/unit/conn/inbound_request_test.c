#include "any_inbound.h"

static void a_request_is_told_whole_and_cut_at_every_byte(void **state)
{
    static const char text[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n";

    (void)state;
    for (size_t cut = 0; cut < strlen(text); cut++) {
        struct fixture f;
        int client;

        start(&f);
        client = connect_client(&f);
        if (cut)
            assert_int_equal(send(client, text, cut, 0), (ssize_t)cut);
        rig_turns(&f.rig, 2);
        rig_send(client, text + cut);
        rig_turns(&f.rig, 2);
        assert_string_equal(f.targets, "/a?b ");
        HEARD_BODY(&f.heard, "abcdefg");
        assert_int_equal(f.heard.ends, 1);
        assert_true(view_equals(buffer_view(&f.heard.trailers), VIEW("X-Sum=7\n")));
        answer(&f, "done");
        rig_expect(&f.rig, client, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        close(client);
        end(&f);
    }
}

static void pipelined_requests_wait_for_their_turn(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n"
                     "Content-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HT");
    rig_turns(&f.rig, 3);
    assert_string_equal(f.targets, "/1 ");
    answer(&f, "1");
    rig_turns(&f.rig, 3);
    assert_string_equal(f.targets, "/1 /2 ");
    HEARD_BODY(&f.heard, "hi");
    answer(&f, "2");
    rig_turns(&f.rig, 3);
    assert_string_equal(f.targets, "/1 /2 /3 ");
    answer(&f, "3");
    /* A part of a head has the time of a head, not that of an idle connection. */
    rig_pass(&f.rig, HEADER_MS + 100);
    assert_int_equal(f.refused, 408);
    close(client);
    end(&f);
}

/* So many answers that the memory they are written in is used several times in one callback. */
static void
a_thousand_pipelined_requests_answered_at_once_get_a_thousand_whole_answers(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello";
    static char text[RIG_TEXT_BYTES];
    const unsigned count = 5000;
    struct fixture f;
    size_t size = 0;
    size_t sent = 0;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "hello";
    client = connect_client(&f);
    for (unsigned i = 0; i < count; i++) {
        memcpy(text + size, request, strlen(request));
        size += strlen(request);
    }
    for (unsigned turn = 0; sent < size && turn < RIG_TURNS_MAX; turn++) {
        ssize_t some = send(client, text + sent, size - sent, MSG_DONTWAIT);

        sent += some > 0 ? (size_t)some : 0;
        if (some < 0)
            loop_turn(&f.rig.loop, 0);
    }
    assert_int_equal(sent, size);
    for (unsigned i = 0; i < count; i++) {
        char got[sizeof(expected)] = "";

        for (size_t at = 0; at < strlen(expected);) {
            ssize_t some = recv(client, got + at, strlen(expected) - at, MSG_DONTWAIT);

            at += some > 0 ? (size_t)some : 0;
            if (some < 0)
                loop_turn(&f.rig.loop, 0);
        }
        assert_string_equal(got, expected);
    }
    assert_int_equal(f.requests, count);
    close(client);
    end(&f);
}

static void a_chunked_body_nobody_wants_is_read_up_to_a_limit(void **state)
{
    static char piece[10003];
    struct fixture f;
    ssize_t sent = 0;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "no";
    client = connect_client(&f);
    rig_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    rig_expect(&f.rig, client, "HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno");
    memset(piece, 'x', sizeof(piece));
    memcpy(piece, "2710\r\n", 6);
    for (int i = 0; i < 30 && sent >= 0; i++) {
        sent = send(client, piece, sizeof(piece) - 1 + 6 - 6, MSG_NOSIGNAL | MSG_DONTWAIT);
        rig_turns(&f.rig, 2);
        if (sent >= 0)
            (void)!send(client, "xxxx\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
        rig_turns(&f.rig, 2);
    }
    rig_expect_end(&f.rig, client, "");
    assert_int_equal(f.requests, 1);
    close(client);
    end(&f);
}

static void a_fin_is_no_abort(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(client, SHUT_WR);
    rig_turns(&f.rig, 3);
    answer(&f, "1");
    rig_turns(&f.rig, 3);
    answer(&f, "2");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n2");
    assert_int_equal(f.heard.resets, 0);
    close(client);
    end(&f);
}

static void a_fin_inside_a_request_is_answered_400(void **state)
{
    static const char *const cut[] = {
        "GET / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
        static char text[RIG_TEXT_BYTES];
        struct fixture f;
        bool is_closed;
        int client;

        start(&f);
        client = connect_client(&f);
        rig_send(client, cut[i]);
        rig_turns(&f.rig, 2);
        shutdown(client, SHUT_WR);
        rig_read(&f.rig, client, text, &is_closed);
        assert_memory_equal(text, "HTTP/1.1 400 Bad Request\r\n", 26);
        assert_true(is_closed);
        assert_int_equal(f.heard.resets, i > 0);
        assert_int_equal(f.heard.ends, 0);
        close(client);
        end(&f);
    }
}

static void a_body_over_the_limit_is_413_at_the_head_or_on_the_way(void **state)
{
    static char piece[20010];
    static char text[RIG_TEXT_BYTES];
    struct fixture f;
    bool is_closed;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
    rig_turns(&f.rig, 2);
    assert_int_equal(f.refused, 413);
    assert_int_equal(f.requests, 0);
    close(client);
    client = connect_client(&f);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(piece, 'x', sizeof(piece));
    memcpy(piece, "4e20\r\n", 6);
    memcpy(piece + 20006, "\r\n", 2);
    for (int i = 0; i < 6; i++) {
        (void)!send(client, piece, 20008, MSG_NOSIGNAL | MSG_DONTWAIT);
        rig_turns(&f.rig, 2);
    }
    assert_int_equal(f.refusals, 2);
    assert_int_equal(f.heard.failure, STREAM_TOO_LARGE);
    rig_read(&f.rig, client, text, &is_closed);
    assert_memory_equal(text, "HTTP/1.1 413 ", 13);
    assert_true(is_closed);
    close(client);
    end(&f);
}

static void requests_behind_a_malformed_one_are_not_read(void **state)
{
    static char text[RIG_TEXT_BYTES];
    struct fixture f;
    bool is_closed;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost : a\r\n\r\n"
                     "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_turns(&f.rig, 3);
    answer(&f, "1");
    rig_read(&f.rig, client, text, &is_closed);
    assert_memory_equal(text, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 400 ", 52);
    assert_true(is_closed);
    assert_string_equal(f.targets, "/1 ");
    close(client);
    end(&f);
}

static void a_client_that_half_closed_before_its_tunnel_began_has_ended_its_way(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                     "Upgrade: websocket\r\n\r\n");
    shutdown(client, SHUT_WR);
    rig_turns(&f.rig, 3);
    assert_int_equal(f.heard.ends, 1);
    stream_send_head(f.heard.stream,
                     &(struct stream_head){.text = VIEW("HTTP/1.1 101 Switching Protocols\r\n"),
                                           .body = {FRAMING_TUNNEL, 0},
                                           .status = 101});
    rig_turns(&f.rig, 3);
    assert_int_equal(f.heard.ends, 2);
    stream_send_body(f.heard.stream, VIEW("bye"));
    stream_send_end(f.heard.stream, VIEW(""));
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\nbye");
    close(client);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_told_whole_and_cut_at_every_byte),
        cmocka_unit_test(pipelined_requests_wait_for_their_turn),
        cmocka_unit_test(
            a_thousand_pipelined_requests_answered_at_once_get_a_thousand_whole_answers),
        cmocka_unit_test(a_chunked_body_nobody_wants_is_read_up_to_a_limit),
        cmocka_unit_test(a_fin_is_no_abort),
        cmocka_unit_test(a_fin_inside_a_request_is_answered_400),
        cmocka_unit_test(a_body_over_the_limit_is_413_at_the_head_or_on_the_way),
        cmocka_unit_test(requests_behind_a_malformed_one_are_not_read),
        cmocka_unit_test(a_client_that_half_closed_before_its_tunnel_began_has_ended_its_way),
    };

    return cmocka_run_group_tests_name("conn/inbound_request", tests, NULL, NULL);
}
