#include "rig.h"

#include "conn/inbound.h"

#define HEADER_MS 10000
#define IDLE_MS   60000

struct fixture {
    struct rig rig;
    struct inbound_group group;
    struct heard heard;
    const char *answer_at_once; /* a body: every request is answered with it from on_request */
    uint16_t answer_status;
    unsigned requests;
    char targets[4096]; /* of the requests, a blank behind each */
    unsigned refusals;
    uint16_t refused;
};

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct fixture *f = inbound->group->owner;
    size_t size = strlen(f->targets);

    f->requests++;
    if (size + head->target.size + 2 < sizeof(f->targets))
        snprintf(f->targets + size, sizeof(f->targets) - size, "%.*s ",
                 VIEW_ARGUMENTS(head->target));
    if (f->answer_at_once) {
        inbound_answer(stream, f->answer_status, VIEW("X-Own: 1\r\n"), view_of(f->answer_at_once));
        return;
    }
    f->heard.stream = stream;
    stream_hold(stream, &heard_events, &f->heard);
}

static void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body)
{
    struct fixture *f = inbound->group->owner;

    f->refusals++;
    f->refused = status;
    *fields = VIEW("Content-Type: text/plain\r\n");
    *body = view_of(reason);
}

static const struct inbound_events events = {.on_request = on_request, .on_refused = on_refused};

static void start(struct fixture *f)
{
    const struct inbound_settings settings = {
        .limits = {.head_bytes = 1024, .fields = 32},
        .body_bytes_max = 100000,
        .header_timeout_ms = HEADER_MS,
        .idle_timeout_ms = IDLE_MS,
        .connections_max = 2,
    };

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    heard_init(&f->heard);
    f->answer_status = 200;
    inbound_group_init(&f->group, &f->rig.socks, &events, &settings, f);
}

static void end(struct fixture *f)
{
    inbound_group_abort(&f->group);
    rig_turns(&f->rig, 3);
    inbound_group_finish(&f->group);
    heard_finish(&f->heard);
    rig_finish(&f->rig);
}

static int connect_client(struct fixture *f)
{
    struct address address = {.size = 0};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    inbound_open(&f->group, ends[1], &address, 0);
    return ends[0];
}

/* A small answer of one piece. */
static void answer(struct fixture *f, const char *body)
{
    struct stream *stream = f->heard.stream;

    f->heard.stream = NULL;
    inbound_answer(stream, 200, VIEW(""), view_of(body));
    sock_group_settle(&f->rig.socks);
}

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

static void an_answer_before_the_request_is_whole_leaves_the_connection_usable(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "no";
    f.answer_status = 404;
    client = connect_client(&f);
    rig_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    rig_expect(&f.rig, client, "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno");
    /* The rest of the body is no request, whatever it looks like. */
    rig_send(client, "GET /GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_expect(&f.rig, client, "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(f.targets, "/1 /2 ");
    rig_send(client, "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx");
    rig_send(client, "\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno"
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
    assert_string_equal(f.targets, "/1 /2 /3 /4 ");
    close(client);
    end(&f);
}

static void an_error_before_much_of_the_request_has_come_says_close_and_closes(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "no";
    f.answer_status = 404;
    client = connect_client(&f);
    rig_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n12345");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
    close(client);
    rig_turns(&f.rig, 3);
    client = connect_client(&f);
    /* Nobody knows whether the body comes or the next request. */
    rig_send(client, "POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\n");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
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

static void http_1_0_gets_no_chunks_no_interim_and_its_keep_alive(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_interim(f.heard.stream, VIEW("HTTP/1.1 103 Early Hints\r\n"));
    answer(&f, "1");
    rig_expect(&f.rig, client,
               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n1");
    rig_send(client, "GET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("HTTP/1.1 200 OK\r\n"),
                                                           .body = {FRAMING_CHUNKED, 0},
                                                           .status = 200});
    stream_send_body(f.heard.stream, VIEW("part"));
    stream_send_end(f.heard.stream, VIEW("X-Sum: 1\r\n"));
    rig_expect_end(&f.rig, client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart");
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

static void an_answer_that_is_cut_off_ends_with_a_reset(void **state)
{
    static char text[RIG_TEXT_BYTES];
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("HTTP/1.1 200 OK\r\n"),
                                                           .body = {FRAMING_CHUNKED, 0},
                                                           .status = 200});
    stream_send_body(f.heard.stream, VIEW("part"));
    rig_turns(&f.rig, 1);
    stream_reset(f.heard.stream);
    rig_turns(&f.rig, 3);
    assert_true(recv(client, text, sizeof(text), MSG_DONTWAIT) > 0);
    assert_null(memmem(text, 100, "0\r\n\r\n", 5));
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
        cmocka_unit_test(an_answer_before_the_request_is_whole_leaves_the_connection_usable),
        cmocka_unit_test(an_error_before_much_of_the_request_has_come_says_close_and_closes),
        cmocka_unit_test(a_chunked_body_nobody_wants_is_read_up_to_a_limit),
        cmocka_unit_test(a_fin_is_no_abort),
        cmocka_unit_test(a_fin_inside_a_request_is_answered_400),
        cmocka_unit_test(a_connection_that_says_nothing_ends_without_a_word),
        cmocka_unit_test(a_head_has_one_deadline_however_it_trickles),
        cmocka_unit_test(a_body_that_stops_is_answered_408),
        cmocka_unit_test(a_client_is_not_blamed_while_its_bytes_are_with_us),
        cmocka_unit_test(a_body_over_the_limit_is_413_at_the_head_or_on_the_way),
        cmocka_unit_test(requests_behind_a_malformed_one_are_not_read),
        cmocka_unit_test(http_1_0_gets_no_chunks_no_interim_and_its_keep_alive),
        cmocka_unit_test(one_too_many_is_told_503_even_when_it_has_spoken_already),
        cmocka_unit_test(a_drain_ends_the_idle_now_and_the_busy_with_their_answer),
        cmocka_unit_test(a_client_that_is_heard_out_is_watched_only_when_its_answer_takes_long),
        cmocka_unit_test(a_client_that_half_closed_before_its_tunnel_began_has_ended_its_way),
        cmocka_unit_test(an_answer_that_is_cut_off_ends_with_a_reset),
    };

    return cmocka_run_group_tests_name("conn/inbound", tests, NULL, NULL);
}
