#include "heard.h"

static void a_request_reaches_its_replica_and_the_answer_comes_back(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_ASSIGNMENT);
    client =
        rig_ask(&rig,
                "GET /home?a=b HTTP/1.1\r\nHost: example.org\r\nConnection: X-Gone\r\nX-Gone: 1\r\n"
                "X-Forwarded-For: 6.6.6.6\r\nX-Roost-Link: loopback=1\r\nX-Stays: yes\r\n\r\n",
                "\r\n\r\n", &replica, &which);
    heard_starts_with("GET /home?a=b HTTP/1.1\r\nHost: example.org\r\n");
    heard_has("\r\nX-Stays: yes\r\n");
    heard_has("\r\nX-Forwarded-For: 127.0.0.1\r\n");
    heard_has("\r\nX-Request-ID: ");
    heard_has_not("X-Gone");
    heard_has_not("X-Roost");
    rig_pass(&rig, replica,
             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: 3\r\nX-Own: 1\r\n\r\nhello",
             client, "hello");
    heard_starts_with("HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(rig.proxy.outbounds.idle_count, 1);
    assert_int_equal(atomic_load(&rig.counts->requests), 1);
    assert_int_equal(atomic_load(&rig.counts->in_flight), 0);
    assert_int_equal(atomic_load(&rig.counts->seats[10 + which].requests), 1);
    assert_int_equal(atomic_load(&rig.counts->seats[10 + which].in_flight), 0);
    close(client);
    close(replica);
    rig_stop(&rig);
}

static void one_key_always_reaches_one_replica_over_one_connection(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    client = rig_client(&rig);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\nX-Request-ID: 4711\r\n\r\n");
    replica = rig_accept(&rig, &which);
    for (int i = 0; i < 20; i++) {
        rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
        rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\n\r\n", client, "\r\n\r\n");
        rig_send(client, "GET /n HTTP/1.1\r\nHost: a\r\nX-Request-ID: 4711\r\n\r\n");
    }
    close(client);
    close(replica);
    rig_stop(&rig);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig,
                     "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: "
                     "a\r\nContent-Length: 3\r\n\r\nabc"
                     "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
                     "\r\n\r\n", &replica, &which);
    heard_starts_with("GET /1 ");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", replica, "abc");
    heard_starts_with("POST /2 ");
    rig_pass(&rig, replica,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n", replica,
             "\r\n\r\n");
    heard_starts_with("GET /3 ");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3", client, "\r\n\r\n3");
    heard_has("\r\n\r\n1HTTP/1.1 200 OK\r\nTransfer-Encoding: "
              "chunked\r\n\r\n1\r\n2\r\n0\r\n\r\nHTTP/1.1 200");
    close(client);
    close(replica);
    rig_stop(&rig);
}

static void a_dead_owner_is_passed_over_and_gets_its_keys_back(void **state)
{
    unsigned owner;
    unsigned second;
    unsigned again;
    struct rig rig;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n", "\r\n\r\n",
                     &replica, &owner);
    /* The replica dies with the request in its hands: it is an idempotent one. */
    segments_set_state(rig.states, rig.replicas[owner].seat, 1, SEAT_DEAD);
    close(replica);
    replica = rig_accept(&rig, &second);
    assert_int_not_equal(owner, second);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
             client, "\r\n\r\n");
    heard_starts_with("HTTP/1.1 200 OK");
    close(replica);
    /* It comes back under its name. */
    rig.replicas[owner].incarnation = 2;
    segments_set_state(rig.states, rig.replicas[owner].seat, 2, SEAT_UP);
    rig_publish(&rig);
    rig_send(client, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n");
    replica = rig_accept(&rig, &again);
    assert_int_equal(again, owner);
    close(replica);
    close(client);
    rig_stop(&rig);
}

/* Many requests were with one replica when it died: more than the budget has tokens for. */
static void a_death_costs_nothing_even_when_the_budget_is_spent(void **state)
{
    unsigned owner;
    unsigned second;
    struct rig rig;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n", "\r\n\r\n",
                     &replica, &owner);
    rig.proxy.budget_permille = 0;
    close(replica);
    rig_turns(&rig, 3);
    assert_int_equal(rig.proxy.outbounds.busy_count, 0);
    /* The keeper's verdict comes a moment later. */
    segments_set_state(rig.states, rig.replicas[owner].seat, 1, SEAT_DEAD);
    proxy_look(&rig.proxy);
    replica = rig_accept(&rig, &second);
    assert_int_not_equal(owner, second);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
             client, "ok");
    close(replica);
    close(client);
    rig_stop(&rig);
}

static void without_a_verdict_a_spent_budget_is_a_502(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n", &replica, &which);
    rig.proxy.budget_permille = 0;
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    close(client);
    rig_stop(&rig);
}

static void a_post_that_was_sent_is_never_sent_twice(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "hi",
                     &replica, &which);
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    for (unsigned i = 0; i < rig.count; i++)
        assert_int_equal(accept4(rig.listeners[i], NULL, NULL, SOCK_NONBLOCK), -1);
    assert_int_equal(atomic_load(&rig.counts->seats[10 + which].failures), 1);
    close(client);
    rig_stop(&rig);
}

static void a_post_that_was_not_sent_goes_to_the_next_rank(void **state)
{
    struct rig rig;
    unsigned which;
    int refusals = 0;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    close(rig.listeners[0]);
    close(rig.listeners[1]);
    rig.listeners[0] = rig.listeners[1] = -1;
    for (int i = 0; i < 10; i++) {
        int client = rig_client(&rig);
        int replica;

        rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        replica = rig_accept(&rig, &which);
        assert_int_equal(which, 2);
        rig_receive(&rig, replica, rig_text, sizeof(rig_text), "hi");
        rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 client, "\r\n\r\n");
        heard_starts_with("HTTP/1.1 200 OK");
        close(replica);
        close(client);
    }
    for (unsigned i = 0; i < 2; i++)
        refusals += (int)atomic_load(&rig.counts->seats[10 + i].failures);
    /* One refusal is enough: for a while nobody asks them again. */
    assert_in_range(refusals, 1, 4);
    rig_stop(&rig);
}

static void with_no_replica_the_answer_is_503_and_says_when_to_come_again(void **state)
{
    struct rig rig;
    int client;

    (void)state;
    rig_start(&rig, 2, TABLE_COMPAT_ASSIGNMENT);
    segments_set_state(rig.states, 10, 1, SEAT_DEAD);
    segments_set_state(rig.states, 11, 1, SEAT_STARTING);
    client = rig_client(&rig);
    rig_pass(&rig, client, "GET /home HTTP/1.1\r\nHost: a\r\n\r\n", client, "}");
    heard_starts_with("HTTP/1.1 503 Service Unavailable\r\n");
    heard_has("\r\nRetry-After: 1\r\n");
    heard_has("{\"message\":\"<Error> no replica is available\",\"status\":\"failure\"}");
    close(client);
    rig_stop(&rig);
}

static void an_unknown_path_is_answered_as_the_assignment_wants(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_ASSIGNMENT);
    client =
        rig_ask(&rig, "GET /other?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n", &replica, &which);
    rig_pass(&rig, replica, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", client, "}");
    heard_starts_with("HTTP/1.1 400 Bad Request\r\n");
    heard_has("{\"message\":\"<Error> '/other' endpoint does not exist in server "
              "replicas\",\"status\":\"failure\"}");
    heard_has_not("nope");
    assert_int_equal(atomic_load(&rig.counts->seats[10].not_found), 1);
    rig_pass(&rig, client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", replica, "\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", client,
             "latencies\n");
    heard_starts_with("HTTP/1.1 200 OK\r\n");
    heard_has("\r\n\r\nLoad balancer is active.");
    close(client);
    close(replica);
    rig_stop(&rig);
}

static void a_replica_that_is_down_hands_back_what_it_has_not_answered(void **state)
{
    unsigned owner;
    unsigned second;
    struct rig rig;
    int client;
    int stopped;
    int replica;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n", "\r\n\r\n",
                     &stopped, &owner);
    segments_set_state(rig.states, rig.replicas[owner].seat, 1, SEAT_DOWN);
    /* The budget is against storms of failures; this one costs nothing. */
    rig.proxy.budget_permille = 0;
    proxy_look(&rig.proxy);
    replica = rig_accept(&rig, &second);
    assert_int_not_equal(owner, second);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", client, "ok");
    close(stopped);
    close(replica);
    close(client);
    rig_stop(&rig);
}

static void a_tunnel_carries_both_ways_and_ends_one_way_at_a_time(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig,
                     "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Key: x\r\n\r\n",
                     "\r\n\r\n", &replica, &which);
    heard_has("\r\nUpgrade: websocket\r\n");
    heard_has("\r\nConnection: Upgrade\r\n");
    rig_pass(&rig, replica,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
             "Upgrade\r\n\r\nfirst",
             client, "first");
    heard_has("\r\nConnection: Upgrade\r\n");
    rig_pass(&rig, client, "ping", replica, "ping");
    rig_pass(&rig, replica, "pong", client, "pong");
    shutdown(client, SHUT_WR);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "");
    rig_pass(&rig, replica, "still here", client, "still here");
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "");
    rig_turns(&rig, 4);
    assert_int_equal(rig.inbounds.count, 0);
    assert_true(list_is_empty(&rig.proxy.all));
    close(client);
    rig_stop(&rig);
}

/* Not only WebSocket: whatever a client asks for and a replica agrees to. */
static void another_protocol_is_switched_to_when_the_replica_agrees(void **state)
{
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(
        &rig, "POST /attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        "\r\n\r\n", &replica, &which);
    heard_has("\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n");
    rig_pass(&rig, replica,
             "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nhi", client,
             "hi");
    heard_has("\r\nUpgrade: tcp\r\n");
    rig_pass(&rig, client, "raw \x01\x02", replica, "raw \x01\x02");
    close(replica);
    close(client);
    rig_stop(&rig);
}

/* Much both ways through a slow reader: what is held in between stays small. */
static void a_slow_reader_holds_the_sender_back(void **state)
{
    static char piece[256 * 1024];
    const size_t total = 32 << 20;
    size_t sent = 0;
    size_t got = 0;
    size_t most_queued = 0;
    struct rig rig;
    unsigned which;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n", &replica, &which);
    snprintf(rig_text, sizeof(rig_text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
    rig_send(replica, rig_text);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "\r\n\r\n");
    while (got < total) {
        size_t left = total - sent < sizeof(piece) ? total - sent : sizeof(piece);
        ssize_t size = left ? send(replica, piece, left, MSG_NOSIGNAL) : 0;

        sent += size > 0 ? (size_t)size : 0;
        loop_turn(&rig.loop, 0);
        if (rig.socks.queued_bytes > most_queued)
            most_queued = rig.socks.queued_bytes;
        /* Reads a tenth of what it could. */
        size = recv(client, piece, sizeof(piece) / 10, 0);
        got += size > 0 ? (size_t)size : 0;
        assert_true(size != 0);
    }
    assert_in_range(most_queued, 1, 256 * 1024);
    assert_int_equal(rig.socks.queued_bytes, 0);
    close(client);
    close(replica);
    rig_stop(&rig);
}

static void nothing_is_allocated_in_steady_state(void **state)
{
    uint64_t before = 0;
    struct rig rig;
    unsigned which;
    uint64_t receives = 0;
    uint64_t sends = 0;
    int client;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_client(&rig);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    replica = rig_accept(&rig, &which);
    for (int i = 0; i < 200; i++) {
        if (i == 100) {
            before = memory_allocations();
            receives = rig.socks.receives;
            sends = rig.socks.sends;
        }
        rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
        rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", client,
                 "hello");
        rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    assert_int_equal(memory_allocations(), before);
    /* Two receives and two sends a request, and no more. */
    assert_in_range(rig.socks.receives - receives, 198, 202);
    assert_in_range(rig.socks.sends - sends, 198, 202);
    close(client);
    close(replica);
    rig_stop(&rig);
}

/* ---- an inbound that is none: three streams at once, as HTTP/2 will have ---- */

struct fake_stream {
    struct stream stream;
    struct buffer answer;
    size_t consumed;
    size_t queued;
    bool is_over;
    bool was_reset;
};

static struct fake_stream *fake_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct fake_stream, stream);
}

static void fake_send(struct stream *stream, struct view bytes)
{
    assert_int_equal(buffer_append(&fake_of(stream)->answer, bytes), 0);
}

static void fake_send_head(struct stream *stream, const struct stream_head *head)
{
    fake_send(stream, view_first(head->text, view_find(head->text, '\r')));
    fake_send(stream, VIEW("|"));
}

static void fake_send_end(struct stream *stream, struct view trailers)
{
    fake_send(stream, trailers);
    fake_of(stream)->is_over = true;
}

static void fake_consumed(struct stream *stream, size_t bytes)
{
    fake_of(stream)->consumed += bytes;
}

static size_t fake_queued(struct stream *stream)
{
    return fake_of(stream)->queued;
}

static uint64_t fake_sent(struct stream *stream)
{
    (void)stream;
    return 0;
}

static void fake_reset(struct stream *stream)
{
    fake_of(stream)->was_reset = true;
}

static const struct stream_calls fake_calls = {
    .send_interim = fake_send,
    .send_head = fake_send_head,
    .send_body = fake_send,
    .send_end = fake_send_end,
    .consumed = fake_consumed,
    .queued = fake_queued,
    .sent = fake_sent,
    .owed = fake_queued,
    .reset = fake_reset,
};

static void fake_begin(struct rig *rig, struct fake_stream *fake, const char *text)
{
    struct field fields[HEAD_FIELDS_MAX];
    const struct h1_limits limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};
    struct exchange_client from = {
        .ip = VIEW("127.0.0.1"), .peer = VIEW("127.0.0.1"), .is_loopback = true};
    struct head head = {.fields = fields};
    size_t scanned = 0;

    from.peer = from.ip;
    *fake = (struct fake_stream){.stream.calls = &fake_calls};
    buffer_init(&fake->answer, RIG_TEXT_BYTES);
    assert_int_equal(h1_parse_request(view_of(text), &limits, &scanned, &head).result, H1_DONE);
    exchange_begin(&rig->proxy, &fake->stream, &head, &from);
}

static void fake_expect(struct rig *rig, struct fake_stream *fake, const char *answer)
{
    for (unsigned turn = 0; turn < RIG_TURNS_MAX && !fake->is_over; turn++)
        rig_turn(rig);
    assert_true(fake->is_over);
    assert_true(view_equals(buffer_view(&fake->answer), view_of(answer)));
    buffer_finish(&fake->answer);
}

static void three_interleaved_streams_of_one_inbound_each_get_their_own_answer(void **state)
{
    struct fake_stream streams[3];
    int replicas[3];
    struct rig rig;
    unsigned which;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    fake_begin(&rig, &streams[0], "POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    loop_turn(&rig.loop, 0);
    replicas[0] = rig_accept(&rig, &which);
    fake_begin(&rig, &streams[1], "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    streams[1].stream.events->on_end(&streams[1].stream, NULL, 0);
    loop_turn(&rig.loop, 0);
    replicas[1] = rig_accept(&rig, &which);
    fake_begin(&rig, &streams[2],
               "PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    loop_turn(&rig.loop, 0);
    replicas[2] = rig_accept(&rig, &which);

    streams[2].stream.events->on_body(&streams[2].stream, VIEW("C1"));
    streams[0].stream.events->on_body(&streams[0].stream, VIEW("A1"));
    sock_group_settle(&rig.socks);
    streams[2].stream.events->on_body(&streams[2].stream, VIEW("C2"));
    streams[0].stream.events->on_body(&streams[0].stream, VIEW("A2"));
    streams[0].stream.events->on_end(&streams[0].stream, NULL, 0);
    streams[2].stream.events->on_end(&streams[2].stream, NULL, 0);
    sock_group_settle(&rig.socks);
    assert_int_equal(streams[0].consumed, 4);
    assert_int_equal(streams[2].consumed, 4);

    rig_receive(&rig, replicas[0], rig_text, sizeof(rig_text), "A1A2");
    heard_starts_with("POST /0 ");
    rig_receive(&rig, replicas[2], rig_text, sizeof(rig_text), "2\r\nC1\r\n2\r\nC2\r\n0\r\n\r\n");
    heard_starts_with("PUT /2 ");
    rig_send(replicas[2], "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\ntwo");
    rig_send(replicas[1], "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
    rig_send(replicas[0], "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nzero");
    fake_expect(&rig, &streams[0], "HTTP/1.1 201 Created|zero");
    fake_expect(&rig, &streams[1], "HTTP/1.1 200 OK|one");
    fake_expect(&rig, &streams[2], "HTTP/1.1 202 Accepted|two");
    for (int i = 0; i < 3; i++)
        close(replicas[i]);
    rig_stop(&rig);
}

/* Of three streams of one connection each waits for the owner by itself. */
static void streams_wait_for_their_owner_each_by_itself(void **state)
{
    static const char get[] = "GET /0 HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n";
    struct fake_stream streams[3];
    struct rig rig;
    unsigned which;
    uint32_t seat;
    int replica;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    rig.rules.hold_ms = 60000;
    rig_publish(&rig);
    seat = rig.replicas[0].seat;
    segments_set_returning(rig.states, seat, 1, SEAT_DEAD);
    proxy_look(&rig.proxy);
    for (int i = 0; i < 2; i++) {
        fake_begin(&rig, &streams[i], get);
        streams[i].stream.events->on_end(&streams[i].stream, NULL, 0);
    }
    fake_begin(&rig, &streams[2],
               "POST /2 HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\nContent-Length: 0\r\n\r\n");
    assert_true(streams[2].is_over);
    assert_true(buffer_size(&streams[2].answer) > 13);
    assert_memory_equal(streams[2].answer.data, "HTTP/1.1 503 ", 13);
    assert_int_equal(rig.proxy.held_count, 2);
    streams[1].stream.events->on_reset(&streams[1].stream, STREAM_CLOSED, "the client went");
    assert_int_equal(rig.proxy.held_count, 1);

    rig.replicas[0].incarnation = 2;
    rig_publish(&rig);
    segments_set_state(rig.states, seat, 2, SEAT_UP);
    proxy_look(&rig.proxy);
    replica = rig_accept(&rig, &which);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nzero");
    fake_expect(&rig, &streams[0], "HTTP/1.1 200 OK|zero");
    assert_int_equal(accept4(rig.listeners[0], NULL, NULL, SOCK_NONBLOCK), -1);
    assert_int_equal(buffer_size(&streams[1].answer), 0);
    buffer_finish(&streams[2].answer);
    close(replica);
    rig_stop(&rig);
}

/* A request of which everything that is answered waits. Its replica's end of the connection. */
static int begin_without_credit(struct rig *rig, struct fake_stream *fake)
{
    unsigned which;
    int replica;

    rig_start(rig, 1, TABLE_COMPAT_OFF);
    fake_begin(rig, fake, "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n");
    fake->stream.events->on_end(&fake->stream, NULL, 0);
    fake->queued = 1;
    fake->answer.limit = 64 << 20;
    replica = rig_accept(rig, &which);
    rig_receive(rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    return replica;
}

/* Of one receive, the large piece has to wait; the small one behind it does not change that. */
static void a_small_piece_gives_no_credit_for_a_large_one_before_it(void **state)
{
    static char piece[20000];
    struct fake_stream fake;
    struct rig rig;
    size_t before;
    int replica;

    (void)state;
    memset(piece, 'x', sizeof(piece));
    replica = begin_without_credit(&rig, &fake);
    rig_send(replica, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n");
    assert_int_equal(send(replica, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece));
    rig_send(replica, "\r\n5\r\nsmall\r\n");
    for (int i = 0; i < 50; i++)
        loop_turn(&rig.loop, 0);
    before = buffer_size(&fake.answer);
    assert_in_range(before, sizeof(piece), SOCK_RECEIVE_BYTES);
    rig_send(replica, "5\r\nsmall\r\n0\r\n\r\n");
    for (int i = 0; i < 50; i++)
        loop_turn(&rig.loop, 0);
    assert_int_equal(buffer_size(&fake.answer), before);
    fake.queued = 0;
    fake.stream.events->on_drained(&fake.stream);
    for (unsigned turn = 0; turn < RIG_TURNS_MAX && !fake.is_over; turn++)
        rig_turn(&rig);
    assert_true(fake.is_over);
    buffer_finish(&fake.answer);
    close(replica);
    rig_stop(&rig);
}

static void a_stream_without_credit_stops_its_replica(void **state)
{
    static char piece[64 * 1024];
    struct fake_stream fake;
    struct rig rig;
    size_t sent = 0;
    int replica;

    (void)state;
    replica = begin_without_credit(&rig, &fake);
    rig_send(replica, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 500; i++) {
        ssize_t size = send(replica, piece, sizeof(piece), MSG_NOSIGNAL);

        sent += size > 0 ? (size_t)size : 0;
        loop_turn(&rig.loop, 0);
    }
    /* What one receive brings, and no more. */
    assert_in_range(buffer_size(&fake.answer), 1, SOCK_RECEIVE_BYTES + 100);
    assert_true(sent > buffer_size(&fake.answer));
    fake.queued = 0;
    fake.stream.events->on_drained(&fake.stream);
    close(replica);
    for (unsigned turn = 0; turn < RIG_TURNS_MAX && !fake.is_over; turn++) {
        rig_turn(&rig);
        if (!fake.is_over)
            fake.stream.events->on_drained(&fake.stream);
    }
    assert_true(fake.is_over);
    assert_int_equal(buffer_size(&fake.answer), strlen("HTTP/1.1 200 OK|") + sent);
    buffer_finish(&fake.answer);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_reaches_its_replica_and_the_answer_comes_back),
        cmocka_unit_test(one_key_always_reaches_one_replica_over_one_connection),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_dead_owner_is_passed_over_and_gets_its_keys_back),
        cmocka_unit_test(a_death_costs_nothing_even_when_the_budget_is_spent),
        cmocka_unit_test(without_a_verdict_a_spent_budget_is_a_502),
        cmocka_unit_test(a_post_that_was_sent_is_never_sent_twice),
        cmocka_unit_test(a_post_that_was_not_sent_goes_to_the_next_rank),
        cmocka_unit_test(with_no_replica_the_answer_is_503_and_says_when_to_come_again),
        cmocka_unit_test(an_unknown_path_is_answered_as_the_assignment_wants),
        cmocka_unit_test(a_replica_that_is_down_hands_back_what_it_has_not_answered),
        cmocka_unit_test(a_tunnel_carries_both_ways_and_ends_one_way_at_a_time),
        cmocka_unit_test(another_protocol_is_switched_to_when_the_replica_agrees),
        cmocka_unit_test(a_slow_reader_holds_the_sender_back),
        cmocka_unit_test(nothing_is_allocated_in_steady_state),
        cmocka_unit_test(three_interleaved_streams_of_one_inbound_each_get_their_own_answer),
        cmocka_unit_test(streams_wait_for_their_owner_each_by_itself),
        cmocka_unit_test(a_small_piece_gives_no_credit_for_a_large_one_before_it),
        cmocka_unit_test(a_stream_without_credit_stops_its_replica),
    };

    return cmocka_run_group_tests_name("proxy/exchange", tests, NULL, NULL);
}
