#include "heard.h"

#include "proxy/hold.h"

#define START_US (1000 * CLOCK_US_PER_S)
#define HOLD_MS  300

#define GET    "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n"
#define NO_KEY "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST   "POST / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\nContent-Length: 0\r\n\r\n"
#define PUT    "PUT / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static uint64_t now_us;

/* Replicas whose keys are waited for, who owns "k", and who talk: the client that asked last and
 * the replica its request came to. */
struct held {
    struct rig rig;
    unsigned owner;
    int client;
    int replica;
    unsigned which; /* replica that is */
};

static void start_with(struct held *pool, unsigned count, uint32_t hold_ms)
{
    struct rig *rig = &pool->rig;

    clock_set(now_us = START_US);
    rig_start(rig, count, TABLE_COMPAT_OFF);
    rig->rules.hold_ms = hold_ms;
    rig->rules.exposes_replica = 1;
    rig_publish(rig);
    pool->owner = balance_owner(rig->image, balance_hash(rig->image, VIEW("k"), NULL), 0, NULL);
}

static void start(struct held *pool)
{
    start_with(pool, 3, HOLD_MS);
}

static void stop(struct held *pool)
{
    assert_int_equal(0, pool->rig.proxy.held_count);
    rig_stop(&pool->rig);
    clock_set(0);
}

static void pass_ms(struct held *pool, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 10) {
        clock_set(now_us += 10 * CLOCK_US_PER_MS);
        rig_turns(&pool->rig, 1);
    }
    rig_turns(&pool->rig, 3);
}

static uint32_t owner_seat(const struct held *pool)
{
    return pool->rig.replicas[pool->owner].seat;
}

/* The keeper saw the owner die, and starts it anew. */
static void lose_owner(struct held *pool)
{
    segments_set_returning(pool->rig.states, owner_seat(pool), 1, SEAT_DEAD);
    segments_set_returning(pool->rig.states, owner_seat(pool), 2, SEAT_STARTING);
    proxy_look(&pool->rig.proxy);
}

/* The new one is in the table of every worker, and then up. */
static void publish_owner(struct held *pool)
{
    pool->rig.replicas[pool->owner].incarnation = 2;
    rig_publish(&pool->rig);
}

static void confirm_owner(struct held *pool)
{
    segments_set_state(pool->rig.states, owner_seat(pool), 2, SEAT_UP);
    proxy_look(&pool->rig.proxy);
}

/* The request has come to a replica. */
static void await_request(struct held *pool)
{
    pool->replica = rig_accept(&pool->rig, &pool->which);
    rig_receive(&pool->rig, pool->replica, rig_text, sizeof(rig_text), "\r\n\r\n");
}

/* The answer goes to the client: `held` is what its head says of the waiting, NULL for nothing. */
static void answer(struct held *pool, const char *held)
{
    rig_pass(&pool->rig, pool->replica, OK, pool->client, "ok");
    assert_non_null(strstr(rig_text, "HTTP/1.1 200 OK\r\n"));
    if (held)
        assert_non_null(strstr(rig_text, held));
    else
        assert_null(strstr(rig_text, "X-Roost-Held"));
    close(pool->replica);
    close(pool->client);
}

static void ask(struct held *pool, const char *request)
{
    pool->client = rig_client(&pool->rig);
    rig_send(pool->client, request);
    rig_turns(&pool->rig, 5);
}

static unsigned waiting(const struct held *pool)
{
    return pool->rig.proxy.held_count;
}

/* ---- waiting ---- */

static void a_get_waits_until_its_owner_is_up_and_goes_to_it(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    ask(&pool, GET);
    pass_ms(&pool, 100);
    heard_nobody_come(&pool.rig);
    publish_owner(&pool);
    pass_ms(&pool, 50);
    heard_nobody_come(&pool.rig);
    assert_int_equal(1, waiting(&pool));
    assert_int_equal(1, atomic_load(&pool.rig.counts->in_flight));
    confirm_owner(&pool);
    assert_int_equal(0, waiting(&pool));
    await_request(&pool);
    assert_int_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: 150\r\n");
    stop(&pool);
}

static void after_the_limit_it_goes_to_the_next_rank(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    ask(&pool, GET);
    pass_ms(&pool, HOLD_MS - 20);
    heard_nobody_come(&pool.rig);
    pass_ms(&pool, 40);
    await_request(&pool);
    assert_int_not_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: 3");
    stop(&pool);
}

static void the_limit_counts_from_the_arrival_also_of_one_that_was_sent_already(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    ask(&pool, GET);
    await_request(&pool);
    assert_int_equal(pool.owner, pool.which);
    pass_ms(&pool, HOLD_MS - 100);
    lose_owner(&pool);
    close(pool.replica);
    pass_ms(&pool, 60);
    assert_int_equal(1, waiting(&pool));
    heard_nobody_come(&pool.rig);
    pass_ms(&pool, 60);
    await_request(&pool);
    assert_int_not_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: ");
    stop(&pool);
}

static void one_whose_owner_dies_under_it_waits_for_the_verdict_and_for_the_owner(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    ask(&pool, GET);
    await_request(&pool);
    close(pool.replica);
    rig_turns(&pool.rig, 5);
    assert_int_equal(1, waiting(&pool));
    heard_nobody_come(&pool.rig);
    pass_ms(&pool, 20);
    lose_owner(&pool);
    pass_ms(&pool, 100);
    assert_int_equal(1, waiting(&pool));
    publish_owner(&pool);
    confirm_owner(&pool);
    await_request(&pool);
    assert_int_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: 120\r\n");
    stop(&pool);
}

static void an_owner_that_only_closed_an_idle_connection_is_asked_again(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    ask(&pool, GET);
    await_request(&pool);
    close(pool.replica);
    pass_ms(&pool, HOLD_VERDICT_MS + 30);
    assert_int_equal(0, waiting(&pool));
    await_request(&pool);
    assert_int_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: ");
    stop(&pool);
}

static void an_owner_that_refuses_is_waited_for_only_until_the_verdict_is_due(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    proxy_skip_seat(&pool.rig.proxy, owner_seat(&pool));
    ask(&pool, GET);
    assert_int_equal(1, waiting(&pool));
    lose_owner(&pool);
    pass_ms(&pool, HOLD_VERDICT_MS + 50);
    assert_int_equal(1, waiting(&pool));
    publish_owner(&pool);
    confirm_owner(&pool);
    await_request(&pool);
    assert_int_equal(pool.owner, pool.which);
    answer(&pool, "X-Roost-Held: 200\r\n");
    stop(&pool);
}

static void a_put_keeps_its_body_while_it_waits(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    ask(&pool, PUT "Content-Length: 8\r\n\r\n1234");
    pass_ms(&pool, 50);
    assert_int_equal(1, waiting(&pool));
    rig_send(pool.client, "5678");
    pass_ms(&pool, 50);
    assert_int_equal(1, waiting(&pool));
    publish_owner(&pool);
    confirm_owner(&pool);
    pool.replica = rig_accept(&pool.rig, &pool.which);
    assert_int_equal(pool.owner, pool.which);
    rig_receive(&pool.rig, pool.replica, rig_text, sizeof(rig_text), "\r\n\r\n12345678");
    answer(&pool, "X-Roost-Held: 100\r\n");
    stop(&pool);
}

/* ---- what does not wait ---- */

static void assert_spills_at_once(struct held *pool, const char *request)
{
    ask(pool, request);
    assert_int_equal(0, waiting(pool));
    await_request(pool);
    assert_int_not_equal(pool->owner, pool->which);
    answer(pool, NULL);
    rig_turns(&pool->rig, 5);
}

static void a_post_and_a_body_that_may_be_long_never_wait(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    assert_spills_at_once(&pool, POST);
    assert_spills_at_once(&pool, "PATCH / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n");
    assert_spills_at_once(&pool, PUT "Transfer-Encoding: chunked\r\n\r\n");
    assert_spills_at_once(&pool, PUT "Content-Length: 65537\r\n\r\n");
    stop(&pool);
}

static void nobody_waits_where_that_is_off(void **state)
{
    struct held pool;

    (void)state;
    start_with(&pool, 3, 0);
    lose_owner(&pool);
    assert_spills_at_once(&pool, GET);
    stop(&pool);
}

static void an_owner_that_is_not_expected_soon_is_not_waited_for(void **state)
{
    static const enum seat_state states[] = {SEAT_DEAD,     SEAT_STARTING, SEAT_DOWN,
                                             SEAT_DRAINING, SEAT_EMPTY,    SEAT_WARMING};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
        struct held pool;

        start(&pool);
        segments_set_state(pool.rig.states, owner_seat(&pool), 1, states[i]);
        proxy_look(&pool.rig.proxy);
        assert_spills_at_once(&pool, GET);
        stop(&pool);
    }
}

static void an_owner_that_is_being_healed_for_long_is_not_waited_for(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    pass_ms(&pool, HOLD_SOON_MS + 10);
    assert_spills_at_once(&pool, GET);
    publish_owner(&pool);
    assert_spills_at_once(&pool, GET);
    /* The next time it dies begins anew. */
    confirm_owner(&pool);
    segments_set_returning(pool.rig.states, owner_seat(&pool), 3, SEAT_STARTING);
    proxy_look(&pool.rig.proxy);
    ask(&pool, GET);
    close(pool.client);
    assert_int_equal(1, waiting(&pool));
    proxy_drain(&pool.rig.proxy);
    stop(&pool);
}

static void a_drawn_key_waits_only_where_nobody_else_is_there(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    for (unsigned i = 0; i < 20; i++) {
        ask(&pool, NO_KEY);
        assert_int_equal(0, waiting(&pool));
        await_request(&pool);
        answer(&pool, NULL);
    }
    stop(&pool);

    start_with(&pool, 1, HOLD_MS);
    lose_owner(&pool);
    ask(&pool, NO_KEY);
    assert_int_equal(1, waiting(&pool));
    publish_owner(&pool);
    confirm_owner(&pool);
    await_request(&pool);
    answer(&pool, NULL);
    stop(&pool);
}

static void beyond_so_many_of_one_replica_they_spill(void **state)
{
    static int clients[HOLD_REPLICA_MAX];
    struct held pool;

    (void)state;
    start(&pool);
    lose_owner(&pool);
    for (unsigned i = 0; i < HOLD_REPLICA_MAX; i++) {
        ask(&pool, GET);
        clients[i] = pool.client;
    }
    assert_int_equal(HOLD_REPLICA_MAX, waiting(&pool));
    ask(&pool, GET);
    await_request(&pool);
    assert_int_not_equal(pool.owner, pool.which);
    assert_int_equal(HOLD_REPLICA_MAX, waiting(&pool));
    answer(&pool, NULL);
    proxy_drain(&pool.rig.proxy);
    for (unsigned i = 0; i < HOLD_REPLICA_MAX; i++)
        close(clients[i]);
    stop(&pool);
}

/* ---- the end of the waiting ---- */

static void whoever_waits_goes_on_when_the_owner_is_given_up(void **state)
{
    static const enum seat_state states[] = {SEAT_DEAD, SEAT_DRAINING};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
        struct held pool;

        start(&pool);
        lose_owner(&pool);
        ask(&pool, GET);
        pass_ms(&pool, 50);
        segments_set_state(pool.rig.states, owner_seat(&pool), 2, states[i]);
        proxy_look(&pool.rig.proxy);
        assert_int_equal(0, waiting(&pool));
        await_request(&pool);
        assert_int_not_equal(pool.owner, pool.which);
        answer(&pool, "X-Roost-Held: 50\r\n");
        stop(&pool);
    }
}

static void a_client_that_goes_is_forgotten(void **state)
{
    struct held pool;

    (void)state;
    start(&pool);
    ask(&pool, GET);
    await_request(&pool);
    rig_send(pool.replica, OK);
    rig_turns(&pool.rig, 10);
    lose_owner(&pool);
    close(pool.replica);
    rig_send(pool.client, GET);
    rig_turns(&pool.rig, 10);
    assert_int_equal(1, waiting(&pool));
    /* A unix socket that is closed with bytes unread is a reset for the other side. */
    close(pool.client);
    rig_turns(&pool.rig, 10);
    assert_int_equal(0, waiting(&pool));
    assert_int_equal(0, pool.rig.proxy.seats[owner_seat(&pool)].held);
    assert_int_equal(0, atomic_load(&pool.rig.counts->in_flight));
    assert_true(list_is_empty(&pool.rig.proxy.all));
    publish_owner(&pool);
    confirm_owner(&pool);
    heard_nobody_come(&pool.rig);
    stop(&pool);
}

static void a_worker_that_drains_or_has_lost_its_keeper_waits_for_nobody(void **state)
{
    (void)state;
    for (int drains = 0; drains < 2; drains++) {
        struct held pool;

        start(&pool);
        lose_owner(&pool);
        ask(&pool, GET);
        assert_int_equal(1, waiting(&pool));
        if (drains)
            proxy_drain(&pool.rig.proxy);
        else
            proxy_lose_link(&pool.rig.proxy);
        assert_int_equal(0, waiting(&pool));
        await_request(&pool);
        assert_int_not_equal(pool.owner, pool.which);
        answer(&pool, NULL);
        assert_spills_at_once(&pool, GET);
        stop(&pool);
    }
}

static void where_nobody_else_is_there_the_end_of_the_waiting_is_a_503(void **state)
{
    struct held pool;

    (void)state;
    start_with(&pool, 1, HOLD_MS);
    lose_owner(&pool);
    ask(&pool, GET);
    pass_ms(&pool, HOLD_MS + 20);
    rig_receive(&pool.rig, pool.client, rig_text, sizeof(rig_text), "}");
    assert_non_null(strstr(rig_text, "HTTP/1.1 503 "));
    assert_non_null(strstr(rig_text, "no replica is available"));
    close(pool.client);
    stop(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_waits_until_its_owner_is_up_and_goes_to_it),
        cmocka_unit_test(after_the_limit_it_goes_to_the_next_rank),
        cmocka_unit_test(the_limit_counts_from_the_arrival_also_of_one_that_was_sent_already),
        cmocka_unit_test(one_whose_owner_dies_under_it_waits_for_the_verdict_and_for_the_owner),
        cmocka_unit_test(an_owner_that_only_closed_an_idle_connection_is_asked_again),
        cmocka_unit_test(an_owner_that_refuses_is_waited_for_only_until_the_verdict_is_due),
        cmocka_unit_test(a_put_keeps_its_body_while_it_waits),
        cmocka_unit_test(a_post_and_a_body_that_may_be_long_never_wait),
        cmocka_unit_test(nobody_waits_where_that_is_off),
        cmocka_unit_test(an_owner_that_is_not_expected_soon_is_not_waited_for),
        cmocka_unit_test(an_owner_that_is_being_healed_for_long_is_not_waited_for),
        cmocka_unit_test(a_drawn_key_waits_only_where_nobody_else_is_there),
        cmocka_unit_test(beyond_so_many_of_one_replica_they_spill),
        cmocka_unit_test(whoever_waits_goes_on_when_the_owner_is_given_up),
        cmocka_unit_test(a_client_that_goes_is_forgotten),
        cmocka_unit_test(a_worker_that_drains_or_has_lost_its_keeper_waits_for_nobody),
        cmocka_unit_test(where_nobody_else_is_there_the_end_of_the_waiting_is_a_503),
    };

    return cmocka_run_group_tests_name("proxy/hold", tests, NULL, NULL);
}
