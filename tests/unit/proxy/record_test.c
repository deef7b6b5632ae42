#include "rig.h"

/* What is counted of a replica's answers: what it is judged by (control/outlier.h). */

static const struct count_seat *seat_of(const struct rig *rig, unsigned which)
{
    return &rig->counts->seats[rig->replicas[which].seat];
}

/* One request on a connection of its own, answered with `status`; its replica's place. */
static unsigned exchange(struct rig *rig, unsigned status)
{
    char answer[128];
    unsigned which;
    int replica;
    int client = rig_ask(rig, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: k\r\n\r\n", "\r\n\r\n",
                         &replica, &which);

    snprintf(answer, sizeof(answer),
             "HTTP/1.1 %u Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    rig_pass(rig, replica, answer, client, "\r\n\r\n");
    close(replica);
    close(client);
    rig_turns(rig, 3);
    return which;
}

static void four_statuses_are_bad_and_all_others_good(void **state)
{
    static const unsigned bad[] = {500, 502, 503, 504};
    static const unsigned good[] = {200, 204, 302, 400, 404, 429, 499, 501, 505, 599};
    unsigned which = 0;
    struct rig rig;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        which = exchange(&rig, bad[i]);
        assert_int_equal(seat_of(&rig, which)->bad, i + 1);
        assert_int_equal(seat_of(&rig, which)->bad_run, i + 1);
    }
    assert_int_equal(seat_of(&rig, which)->good, 0);
    assert_int_equal(seat_of(&rig, which)->good_us, 0);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(exchange(&rig, good[i]), which);
        assert_int_equal(seat_of(&rig, which)->good, i + 1);
        assert_int_equal(seat_of(&rig, which)->bad_run, 0);
    }
    assert_int_equal(seat_of(&rig, which)->bad, ARRAY_SIZE(bad));
    assert_in_range(seat_of(&rig, which)->good_us, 1, rig.loop.now_us);
    rig_stop(&rig);
}

static void neither_a_client_that_leaves_nor_a_broken_connection_is_an_answer(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n",
                     &replica, &which);
    /* What it has not read when it closes is a reset for us. */
    rig_send(replica, "HTTP/1.1 103 Early Hints\r\n\r\n");
    rig_turns(&rig, 3);
    close(client);
    rig_turns(&rig, 10);
    assert_int_equal(rig.inbounds.count, 0);
    assert_int_equal(seat_of(&rig, 0)->failures, 0);
    close(replica);
    client = rig_ask(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n",
                     &replica, &which);
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    close(client);
    assert_int_equal(seat_of(&rig, 0)->bad, 0);
    assert_int_equal(seat_of(&rig, 0)->good, 0);
    assert_int_equal(seat_of(&rig, 0)->failures, 1);
    rig_stop(&rig);
}

/* A client takes two seconds for its body, the replica one for its answer. */
static void the_time_a_client_takes_to_send_is_not_the_replicas(void **state)
{
    uint64_t now_us = clock_now_us();
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    clock_set(now_us);
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    client = rig_ask(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab",
                     "\r\n\r\nab", &replica, &which);
    now_us += 2000000;
    clock_set(now_us);
    rig_turns(&rig, 2);
    rig_pass(&rig, client, "cd", replica, "cd");
    now_us += 1000000;
    clock_set(now_us);
    rig_turns(&rig, 2);
    rig_pass(&rig, replica, "HTTP/1.1 204 No Content\r\n\r\n", client, "\r\n\r\n");
    assert_int_equal(seat_of(&rig, 0)->wait[segments_bucket(1000000)], 1);
    assert_int_equal(seat_of(&rig, 0)->wait[segments_bucket(3000000)], 0);
    close(replica);
    close(client);
    rig_stop(&rig);
    clock_set(0);
}

static void a_replica_on_probation_is_tried_again_once_it_has_begun_to_answer(void **state)
{
    struct rig rig;
    unsigned which;
    int replica;
    int client;

    (void)state;
    rig_start(&rig, 1, TABLE_COMPAT_OFF);
    segments_set_state(rig.states, rig.replicas[0].seat, 1, SEAT_PROBATION);
    client = rig_ask(&rig, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n", &replica, &which);
    assert_int_equal(rig.proxy.seats[rig.replicas[0].seat].trials, 1);
    rig_pass(&rig, replica, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", client, "ab");
    assert_int_equal(rig.proxy.seats[rig.replicas[0].seat].trials, 0);
    close(replica);
    close(client);
    rig_turns(&rig, 10);
    assert_int_equal(rig.proxy.seats[rig.replicas[0].seat].trials, 0);
    client = rig_ask(&rig, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n",
                     &replica, &which);
    assert_int_equal(rig.proxy.seats[rig.replicas[0].seat].trials, 1);
    close(replica);
    rig_receive(&rig, client, rig_text, sizeof(rig_text), "}");
    assert_int_equal(rig.proxy.seats[rig.replicas[0].seat].trials, 0);
    close(client);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_statuses_are_bad_and_all_others_good),
        cmocka_unit_test(neither_a_client_that_leaves_nor_a_broken_connection_is_an_answer),
        cmocka_unit_test(the_time_a_client_takes_to_send_is_not_the_replicas),
        cmocka_unit_test(a_replica_on_probation_is_tried_again_once_it_has_begun_to_answer),
    };

    return cmocka_run_group_tests_name("proxy/record", tests, NULL, NULL);
}
