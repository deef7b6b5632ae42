#include "heard.h"

#include "proxy/attempt.h"

/* Moves the clock, which stands still, on by `ms`, in steps. */
static void pass(struct rig *rig, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 20) {
        clock_set(clock_now_us() + 20000);
        loop_turn(&rig->loop, 0);
    }
    rig_turns(rig, 3);
}

#define GET  "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\nContent-Length: 0\r\n\r\n"

static void a_replica_that_dies_without_a_word_costs_a_get_nothing_and_a_post_502(void **state)
{
    struct rig rig;
    unsigned first;
    unsigned second;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &first);
    close(replica);
    replica = rig_accept(&rig, &second);
    assert_int_not_equal(first, second);
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", client,
             "\r\n\r\n");
    heard_starts_with("HTTP/1.1 204 ");
    close(replica);
    close(client);
    client = rig_ask(&rig, POST, "\r\n\r\n", &replica, &first);
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    heard_nobody_come(&rig);
    close(client);
    rig_stop(&rig);
}

static void a_replica_that_dies_inside_its_answer_is_never_followed_by_another(void **state)
{
    static const char *const said[] = {
        "H",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "nonsense\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
        struct rig rig;
        unsigned which;
        int replica;
        int client;

        rig_start(&rig, 3, TABLE_COMPAT_OFF);
        client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
        rig_send(replica, said[i]);
        rig_turns(&rig, 5);
        close(replica);
        rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
        heard_has("HTTP/1.1 502 ");
        heard_has("\"error\":\"the replica gave no valid answer\",\"request_id\":\"k\"");
        heard_nobody_come(&rig);
        close(client);
        rig_stop(&rig);
    }
}

static void a_replica_that_dies_inside_its_body_cuts_the_client_off(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;
    ssize_t got;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
             client, "abc\r\n");
    close(replica);
    rig_turns(&rig, 20);
    got = recv(client, rig_text, sizeof(rig_text), MSG_DONTWAIT);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(atomic_load(&rig.counts->seats[10 + which].failures), 1);
    assert_int_equal(rig.inbounds.count, 0);
    close(client);
    rig_stop(&rig);
}

static void a_silent_replica_costs_504_after_the_response_time(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    pass(&rig, rig.rules.response_ms - 100);
    assert_int_equal(recv(client, rig_text, sizeof(rig_text), MSG_DONTWAIT), -1);
    pass(&rig, 200);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 504 Gateway Timeout\r\n");
    heard_nobody_come(&rig);
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

static void a_replica_that_takes_nothing_of_an_upload_costs_504_too(void **state)
{
    static char piece[64 * 1024];
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_client(&rig);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    replica = rig_accept(&rig, &which);
    for (unsigned stuck = 0; stuck < 100;) {
        ssize_t size = send(client, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);

        stuck = size > 0 ? 0 : stuck + 1;
        loop_turn(&rig.loop, 0);
    }
    assert_in_range(rig.socks.queued_bytes, 1, 2 * SOCK_RECEIVE_BYTES);
    pass(&rig, rig.rules.idle_ms - 100);
    rig_turns(&rig, 20);
    assert_int_equal(recv(client, rig_text, sizeof(rig_text), MSG_DONTWAIT), -1);
    pass(&rig, 200);
    rig_turns(&rig, 20);
    assert_true(recv(client, rig_text, sizeof(rig_text), MSG_DONTWAIT) > 0);
    heard_starts_with("HTTP/1.1 504 ");
    assert_int_equal(rig.socks.queued_bytes, 0);
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

static void a_client_that_reads_nothing_is_cut_off_and_its_replica_not_blamed(void **state)
{
    static char piece[64 * 1024];
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    for (unsigned stuck = 0; stuck < 100;) {
        ssize_t size = send(replica, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);

        stuck = size > 0 ? 0 : stuck + 1;
        loop_turn(&rig.loop, 0);
    }
    assert_in_range(rig.socks.queued_bytes, 1, SOCK_RECEIVE_BYTES);
    pass(&rig, rig.rules.idle_ms - 100);
    rig_turns(&rig, 20);
    assert_int_equal(rig.inbounds.count, 1);
    pass(&rig, 200);
    rig_turns(&rig, 20);
    assert_int_equal(rig.inbounds.count, 0);
    assert_true(list_is_empty(&rig.proxy.all));
    assert_int_equal(rig.socks.queued_bytes, 0);
    assert_int_equal(atomic_load(&rig.counts->seats[10].failures), 0);
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

/* Reads so many bytes each half second, of which the kernel finds no reason to tell us for longer
 * than the idle time; says after how many milliseconds it was cut off, at most 30,000. */
static unsigned read_slowly(size_t bytes)
{
    static char piece[16 * 1024];
    unsigned passed_ms = 0;
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    clock_set(clock_now_us());
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    rig.rules.idle_ms = 3000;
    rig_publish(&rig);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", client,
             "\r\n\r\n");
    while (passed_ms < 30000 && rig.inbounds.count) {
        for (unsigned stuck = 0; stuck < 20;) {
            ssize_t size = send(replica, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);

            stuck = size > 0 ? 0 : stuck + 1;
            loop_turn(&rig.loop, 0);
        }
        assert_true(recv(client, piece, bytes, MSG_DONTWAIT) != 0);
        pass(&rig, 500);
        passed_ms += 500;
    }
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
    return passed_ms;
}

static void a_client_that_reads_slowly_is_not_cut_off(void **state)
{
    (void)state;
    assert_int_equal(read_slowly(16 * 1024), 30000);
}

/* Too little for the kernel of the client to say that it took any. */
static void a_client_that_reads_next_to_nothing_is_cut_off_in_time(void **state)
{
    (void)state;
    assert_in_range(read_slowly(1), 3000, 3500);
}

/* More than is kept for a retry, but nothing of it has left yet. */
static void a_long_post_that_was_not_sent_goes_to_the_next_rank(void **state)
{
    static char body[200000];
    const size_t size = sizeof(body);
    struct rig rig;
    unsigned which;

    (void)state;
    memset(body, 'x', size);
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    close(rig.listeners[0]);
    close(rig.listeners[1]);
    rig.listeners[0] = rig.listeners[1] = -1;
    for (int i = 0; i < 6; i++) {
        int client = rig_client(&rig);
        size_t got = 0;
        int replica;

        rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
        /* Before the loop has turned: one receive takes what the kernel took. */
        got = (size_t)send(client, body, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_in_range(got, 100000, size);
        for (size_t sent = got; sent < size;) {
            ssize_t some = send(client, body, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

            sent += some > 0 ? (size_t)some : 0;
            loop_turn(&rig.loop, 0);
        }
        replica = rig_accept(&rig, &which);
        for (got = 0; got < size;) {
            ssize_t some = recv(replica, rig_text, sizeof(rig_text), MSG_DONTWAIT);
            char *end = some > 0 && got == 0 ? memmem(rig_text, (size_t)some, "\r\n\r\n", 4) : NULL;

            assert_true(some != 0);
            got += some > 0 ? (size_t)some : 0;
            got -= end ? (size_t)(end + 4 - rig_text) : 0;
            loop_turn(&rig.loop, 0);
        }
        assert_int_equal(got, size);
        rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 client, "\r\n\r\n");
        heard_starts_with("HTTP/1.1 200 OK");
        close(replica);
        close(client);
    }
    rig_stop(&rig);
}

static void a_put_with_its_body_is_sent_again_and_one_too_long_is_not(void **state)
{
    static char body[70000];
    struct rig rig;
    unsigned which;
    int replica;
    int client;
    size_t got = 0;

    (void)state;
    rig_start(&rig, 2, TABLE_COMPAT_OFF);
    client =
        rig_ask(&rig, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                "3\r\nabc\r\n", &replica, &which);
    rig_pass(&rig, client, "2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n", replica,
             "2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n");
    close(replica);
    replica = rig_accept(&rig, &which);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", client,
             "\r\n\r\n");
    close(replica);
    rig_send(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n");
    replica = rig_accept(&rig, &which);
    memset(body, 'x', sizeof(body));
    for (size_t sent = 0; got < sizeof(body);) {
        ssize_t some = sent < sizeof(body)
                           ? send(client, body, sizeof(body) - sent, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : 0;

        sent += some > 0 ? (size_t)some : 0;
        loop_turn(&rig.loop, 0);
        some = recv(replica, rig_text, sizeof(rig_text), MSG_DONTWAIT);
        got += some > 0 ? (size_t)some : 0;
    }
    rig_turns(&rig, 5);
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    heard_nobody_come(&rig);
    close(client);
    rig_stop(&rig);
}

static void a_replica_that_is_down_keeps_its_request_where_nobody_else_is_there(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    segments_set_state(rig.states, rig.replicas[0].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    rig_turns(&rig, 5);
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\n\r\n", client, "\r\n\r\n");
    heard_starts_with("HTTP/1.1 204 ");
    close(replica);
    close(client);
    rig_stop(&rig);
}

static void a_post_waits_for_a_replica_that_is_down_and_is_not_sent_twice(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, POST, "\r\n\r\n", &replica, &which);
    segments_set_state(rig.states, rig.replicas[which].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    heard_nobody_come(&rig);
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\n\r\n", client, "\r\n\r\n");
    heard_starts_with("HTTP/1.1 204 ");
    close(replica);
    close(client);
    rig_stop(&rig);
}

/* The replica answers and ends; we hear of its end first. */
static void an_answer_that_came_before_its_replica_died_is_delivered(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, POST, "\r\n\r\n", &replica, &which);
    rig_send(replica, "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nlast");
    close(replica);
    segments_set_state(rig.states, rig.replicas[which].seat, 1, SEAT_DEAD);
    proxy_look(&rig.proxy);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "last");
    heard_starts_with("HTTP/1.1 201 ");
    close(client);
    rig_stop(&rig);
}

static void a_dead_replica_that_says_nothing_costs_a_post_502_soon(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, POST, "\r\n\r\n", &replica, &which);
    /* No FIN comes: its machine or its network is gone. */
    segments_set_state(rig.states, rig.replicas[which].seat, 1, SEAT_DEAD);
    proxy_look(&rig.proxy);
    pass(&rig, 100);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    heard_nobody_come(&rig);
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

/* It waited for the budget or a verdict; the time of that is not its next replica's. */
static void a_retry_that_had_to_wait_for_its_token_waits_for_its_answer(void **state)
{
    struct rig rig;
    unsigned first;
    unsigned second;
    int replica;
    int client;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &first);
    rig.proxy.budget_permille = 0;
    close(replica);
    rig_turns(&rig, 3);
    rig.proxy.budget_permille = 1000;
    pass(&rig, ATTEMPT_VERDICT_MS + 20);
    replica = rig_accept(&rig, &second);
    assert_int_not_equal(first, second);
    rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "\r\n\r\n");
    heard_starts_with("HTTP/1.1 204 ");
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

/* All are down and asked in a panic: that they fail is no news and costs tokens. */
static void in_a_panic_no_retry_is_free(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    for (unsigned i = 0; i < rig.count; i++)
        segments_set_state(rig.states, rig.replicas[i].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    rig.proxy.budget_permille = 0;
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    heard_starts_with("HTTP/1.1 502 ");
    heard_nobody_come(&rig);
    close(client);
    rig_stop(&rig);
}

/* It hangs, which is no reason to lose its requests; but where all hang it would be a storm. */
static void what_a_replica_that_is_down_held_goes_on_on_credit(void **state)
{
    struct rig rig;
    unsigned first;
    unsigned second;
    int replica;
    int client;
    int again;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &first);
    rig.proxy.budget_permille = 0;
    segments_set_state(rig.states, rig.replicas[first].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    again = rig_accept(&rig, &second);
    assert_int_not_equal(first, second);
    assert_int_equal(rig.proxy.budget_permille, -1000);
    rig_receive(&rig, again, rig_text, sizeof(rig_text), "\r\n\r\n");
    rig_send(again, "HTTP/1.1 204 No Content\r\n\r\n");
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "\r\n\r\n");
    heard_starts_with("HTTP/1.1 204 ");
    close(again);
    close(replica);
    close(client);
    rig_stop(&rig);
}

static void the_retry_budget_ends_retries_and_requests_fill_it_again(void **state)
{
    struct rig rig;
    unsigned which;
    unsigned retried = 0;

    (void)state;
    rig_start(&rig, 2, TABLE_COMPAT_OFF);
    rig.proxy.budget_permille = 3000;
    for (int i = 0; i < 6; i++) {
        int replica;
        int client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);

        close(replica);
        rig_turns(&rig, 20);
        for (unsigned j = 0; j < rig.count; j++) {
            int again = accept4(rig.listeners[j], NULL, NULL, SOCK_NONBLOCK);

            if (again < 0)
                continue;
            retried++;
            close(again);
        }
        rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
        heard_starts_with("HTTP/1.1 502 ");
        close(client);
    }
    /* Three tokens, and a fifth with each of six requests. */
    assert_int_equal(retried, 4);
    assert_int_equal(atomic_load(&rig.counts->retries), 4);
    rig_stop(&rig);
}

static void a_replica_that_refuses_is_skipped_for_longer_each_time(void **state)
{
    struct rig rig;

    (void)state;
    clock_set(clock_now_us());
    rig_start(&rig, 2, TABLE_COMPAT_OFF);
    for (uint64_t skip_us = PROXY_SKIP_MIN_US; skip_us < 2 * PROXY_SKIP_MAX_US; skip_us *= 2) {
        uint64_t expected = skip_us < PROXY_SKIP_MAX_US ? skip_us : PROXY_SKIP_MAX_US;

        loop_turn(&rig.loop, 0);
        proxy_skip_seat(&rig.proxy, 10);
        assert_int_equal(rig.proxy.seats[10].skip_until_us - rig.loop.now_us, expected);
        /* Refusals at the same time are one. */
        proxy_skip_seat(&rig.proxy, 10);
        assert_int_equal(rig.proxy.seats[10].skip_until_us - rig.loop.now_us, expected);
        clock_set(clock_now_us() + expected + 1);
    }
    proxy_clear_seat(&rig.proxy, 10);
    loop_turn(&rig.loop, 0);
    proxy_skip_seat(&rig.proxy, 10);
    assert_int_equal(rig.proxy.seats[10].skip_until_us - rig.loop.now_us, PROXY_SKIP_MIN_US);
    rig_stop(&rig);
    clock_set(0);
}

static void below_half_the_healthy_the_verdicts_of_probes_are_ignored(void **state)
{
    struct rig rig;
    bool seen[4] = {false};

    (void)state;
    rig_start(&rig, 4, TABLE_COMPAT_OFF);
    segments_set_state(rig.states, 10, 1, SEAT_DEAD);
    segments_set_state(rig.states, 11, 1, SEAT_DOWN);
    segments_set_state(rig.states, 12, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    assert_true(rig.proxy.services[0].is_panicking);
    for (int i = 0; i < 64; i++) {
        unsigned which;
        int client = rig_client(&rig);
        int replica;

        rig_send(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        replica = rig_accept(&rig, &which);
        seen[which] = true;
        rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", client,
                 "\r\n\r\n");
        close(client);
        close(replica);
    }
    assert_false(seen[0]);
    assert_true(seen[1] && seen[2] && seen[3]);
    segments_set_state(rig.states, 12, 1, SEAT_UP);
    proxy_look(&rig.proxy);
    assert_false(rig.proxy.services[0].is_panicking);
    rig_stop(&rig);
}

static void a_host_of_thousands_of_bytes_in_an_old_request_is_no_harm(void **state)
{
    struct rig rig;
    unsigned which;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    for (int size = 1; size <= 30000; size = size * 2 + 500) {
        int client = rig_client(&rig);
        int length =
            snprintf(rig_text, sizeof(rig_text), "GET http://%0*d.a/ HTTP/1.0\r\n\r\n", size, 0);
        int replica;

        assert_int_equal(send(client, rig_text, (size_t)length, 0), length);
        replica = rig_accept(&rig, &which);
        rig_receive(&rig, replica, rig_text, sizeof(rig_text), "\r\n\r\n");
        heard_has("\r\nX-Forwarded-Host: 0");
        rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", client, "");
        heard_starts_with("HTTP/1.1 204 ");
        close(replica);
        close(client);
    }
    rig_stop(&rig);
}

static void a_client_that_resets_takes_its_request_back_and_one_that_ends_does_not(void **state)
{
    static char piece[64 * 1024];
    struct rig rig;
    unsigned which;
    int replica;
    int client;
    ssize_t got;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, GET, "\r\n\r\n", &replica, &which);
    shutdown(client, SHUT_WR);
    rig_turns(&rig, 5);
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\n\r\n", client, "");
    heard_starts_with("HTTP/1.1 204 No Content\r\nConnection: close\r\n");
    close(client);
    client = rig_client(&rig);
    rig_pass(&rig, client, GET, replica, "\r\n\r\n");
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\n\r\n", client, "\r\n\r\n");
    /* A unix socket that is closed is a reset for whoever writes to it. */
    close(client);
    for (int i = 0; i < 5; i++) {
        (void)!send(replica, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
        rig_turns(&rig, 3);
    }
    got = recv(replica, rig_text, sizeof(rig_text), MSG_DONTWAIT);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_true(list_is_empty(&rig.proxy.all));
    close(replica);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_dies_without_a_word_costs_a_get_nothing_and_a_post_502),
        cmocka_unit_test(a_replica_that_dies_inside_its_answer_is_never_followed_by_another),
        cmocka_unit_test(a_replica_that_dies_inside_its_body_cuts_the_client_off),
        cmocka_unit_test(a_silent_replica_costs_504_after_the_response_time),
        cmocka_unit_test(a_replica_that_takes_nothing_of_an_upload_costs_504_too),
        cmocka_unit_test(a_client_that_reads_nothing_is_cut_off_and_its_replica_not_blamed),
        cmocka_unit_test(a_client_that_reads_slowly_is_not_cut_off),
        cmocka_unit_test(a_client_that_reads_next_to_nothing_is_cut_off_in_time),
        cmocka_unit_test(a_long_post_that_was_not_sent_goes_to_the_next_rank),
        cmocka_unit_test(a_put_with_its_body_is_sent_again_and_one_too_long_is_not),
        cmocka_unit_test(a_replica_that_is_down_keeps_its_request_where_nobody_else_is_there),
        cmocka_unit_test(a_post_waits_for_a_replica_that_is_down_and_is_not_sent_twice),
        cmocka_unit_test(an_answer_that_came_before_its_replica_died_is_delivered),
        cmocka_unit_test(a_dead_replica_that_says_nothing_costs_a_post_502_soon),
        cmocka_unit_test(a_retry_that_had_to_wait_for_its_token_waits_for_its_answer),
        cmocka_unit_test(in_a_panic_no_retry_is_free),
        cmocka_unit_test(what_a_replica_that_is_down_held_goes_on_on_credit),
        cmocka_unit_test(the_retry_budget_ends_retries_and_requests_fill_it_again),
        cmocka_unit_test(a_replica_that_refuses_is_skipped_for_longer_each_time),
        cmocka_unit_test(below_half_the_healthy_the_verdicts_of_probes_are_ignored),
        cmocka_unit_test(a_host_of_thousands_of_bytes_in_an_old_request_is_no_harm),
        cmocka_unit_test(a_client_that_resets_takes_its_request_back_and_one_that_ends_does_not),
    };

    return cmocka_run_group_tests_name("proxy/exchange_faults", tests, NULL, NULL);
}
