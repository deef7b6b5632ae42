#include "rig.h"

#include "proxy/pick.h"

static const struct pick_tried nobody = {.count = 0};

static uint64_t hash_of(const struct rig *rig, const char *key)
{
    return balance_hash(rig->image, view_of(key), NULL);
}

static unsigned pick_member(struct rig *rig, const char *key, const char **why)
{
    struct pick pick = {.why = NULL};

    assert_int_equal(pick_replica(&rig->proxy, 0, hash_of(rig, key), &nobody, &pick), 0);
    *why = pick.why;
    return pick.member;
}

static unsigned rank_of(const struct rig *rig, const char *key, unsigned rank)
{
    return balance_owner(rig->image, hash_of(rig, key), rank, NULL);
}

static void the_owner_gets_its_keys(void **state)
{
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pick_member(&rig, key, &why), rank_of(&rig, key, 0));
        assert_string_equal(why, "owner");
    }
    rig_stop(&rig);
}

static void each_obstacle_is_named_and_leads_to_the_next_rank(void **state)
{
    static const struct {
        enum seat_state state;
        const char *why;
    } rows[] = {
        {SEAT_STARTING, "owner is starting"}, {SEAT_DOWN, "owner is down"},
        {SEAT_DRAINING, "owner is draining"}, {SEAT_DEAD, "owner is dead"},
        {SEAT_EMPTY, "owner is dead"},        {SEAT_EJECTED, "owner is ejected"},
    };
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t seat = rig.replicas[rank_of(&rig, "k", 0)].seat;

        segments_set_state(rig.states, seat, 1, rows[i].state);
        proxy_look(&rig.proxy);
        assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
        assert_string_equal(why, rows[i].why);
        segments_set_state(rig.states, seat, 1, SEAT_UP);
        proxy_look(&rig.proxy);
        assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 0));
    }
    rig_stop(&rig);
}

static void one_that_refused_is_skipped_for_a_while_and_longer_each_time(void **state)
{
    struct rig rig;
    const char *why;
    unsigned owner;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    owner = rank_of(&rig, "k", 0);
    proxy_skip_seat(&rig.proxy, rig.replicas[owner].seat);
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    assert_string_equal(why, "owner refused");
    rig.loop.now_us += PROXY_SKIP_MIN_US;
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    proxy_skip_seat(&rig.proxy, rig.replicas[owner].seat);
    rig.loop.now_us += PROXY_SKIP_MIN_US;
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    rig.loop.now_us += PROXY_SKIP_MIN_US;
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    for (int i = 0; i < 20; i++) {
        proxy_skip_seat(&rig.proxy, rig.replicas[owner].seat);
        rig.loop.now_us += PROXY_SKIP_MAX_US;
        assert_int_equal(pick_member(&rig, "k", &why), owner);
    }
    proxy_skip_seat(&rig.proxy, rig.replicas[owner].seat);
    proxy_clear_seat(&rig.proxy, rig.replicas[owner].seat);
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    rig_stop(&rig);
}

static void one_on_probation_is_tried_with_one_request_at_a_time(void **state)
{
    struct rig rig;
    const char *why;
    unsigned owner;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    owner = rank_of(&rig, "k", 0);
    segments_set_state(rig.states, rig.replicas[owner].seat, 1, SEAT_PROBATION);
    proxy_look(&rig.proxy);
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    rig.proxy.seats[rig.replicas[owner].seat].trials = 1;
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    assert_string_equal(why, "owner is on probation");
    rig.proxy.seats[rig.replicas[owner].seat].trials = 0;
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    rig_stop(&rig);
}

static void one_that_was_not_reached_is_asked_by_one_request_whether_it_is_back(void **state)
{
    struct rig rig;
    const char *why;
    unsigned owner;
    uint32_t seat;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    owner = rank_of(&rig, "k", 0);
    seat = rig.replicas[owner].seat;
    proxy_skip_seat(&rig.proxy, seat);
    rig.loop.now_us += PROXY_SKIP_MIN_US;
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    proxy_await_seat(&rig.proxy, seat, rig.rules.connect_ms);
    rig.loop.now_us += 1000;
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    assert_string_equal(why, "owner takes no connections");
    /* The one that asked has left. */
    rig.loop.now_us += PROXY_WAIT_US(rig.rules.connect_ms);
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    proxy_await_seat(&rig.proxy, seat, rig.rules.connect_ms);
    rig.loop.now_us += 1000;
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    proxy_clear_seat(&rig.proxy, seat);
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    rig_stop(&rig);
}

static void who_waited_in_vain_does_not_go_where_others_do(void **state)
{
    struct pick_tried tried = {.count = 1, .has_waited = true};
    struct rig rig;
    struct pick pick;
    const char *why;
    uint64_t hash;
    uint32_t second;

    (void)state;
    rig_start(&rig, 5, TABLE_COMPAT_OFF);
    hash = hash_of(&rig, "k");
    tried.seats[0] = rig.replicas[rank_of(&rig, "k", 0)].seat;
    second = rank_of(&rig, "k", 1);
    proxy_await_seat(&rig.proxy, rig.replicas[second].seat, rig.rules.connect_ms);
    rig.loop.now_us += rig.rules.connect_ms * CLOCK_US_PER_MS / 2;
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), 0);
    assert_int_equal(pick.member, second);
    rig.loop.now_us += rig.rules.connect_ms * CLOCK_US_PER_MS / 4;
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), 0);
    assert_int_equal(pick.member, rank_of(&rig, "k", 2));
    /* It might be back; others find that out as well, and a refusal costs no time. */
    proxy_clear_seat(&rig.proxy, rig.replicas[second].seat);
    proxy_note_unreached(&rig.proxy, rig.replicas[second].seat, STREAM_TIMED_OUT, rig.loop.now_us);
    rig.loop.now_us += PROXY_SKIP_MIN_US;
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), 0);
    assert_int_equal(pick.member, rank_of(&rig, "k", 2));
    rig.loop.now_us += PROXY_WAIT_US(rig.rules.connect_ms);
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), 0);
    assert_int_equal(pick.member, second);
    proxy_note_unreached(&rig.proxy, rig.replicas[second].seat, STREAM_REFUSED, rig.loop.now_us);
    rig.loop.now_us += PROXY_SKIP_MAX_US;
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), 0);
    assert_int_equal(pick.member, second);
    proxy_clear_seat(&rig.proxy, rig.replicas[second].seat);
    /* Others may find out whether it goes on. */
    for (unsigned i = 0; i < rig.count; i++)
        proxy_await_seat(&rig.proxy, rig.replicas[i].seat, rig.rules.connect_ms);
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 0));
    rig.loop.now_us += rig.rules.connect_ms * CLOCK_US_PER_MS * 3 / 4;
    assert_int_equal(pick_replica(&rig.proxy, 0, hash, &tried, &pick), -ENOENT);
    rig_stop(&rig);
}

static void one_that_took_others_meanwhile_is_not_skipped(void **state)
{
    struct rig rig;
    const char *why;
    unsigned owner;
    uint64_t began_us;
    uint32_t seat;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    owner = rank_of(&rig, "k", 0);
    seat = rig.replicas[owner].seat;
    began_us = rig.loop.now_us;
    rig.loop.now_us += 100000;
    proxy_clear_seat(&rig.proxy, seat);
    rig.loop.now_us += 400000;
    proxy_note_unreached(&rig.proxy, seat, STREAM_TIMED_OUT, began_us);
    assert_int_equal(pick_member(&rig, "k", &why), owner);
    proxy_note_unreached(&rig.proxy, seat, STREAM_TIMED_OUT, rig.loop.now_us);
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    proxy_clear_seat(&rig.proxy, seat);
    proxy_note_unreached(&rig.proxy, seat, STREAM_REFUSED, began_us);
    assert_int_equal(pick_member(&rig, "k", &why), rank_of(&rig, "k", 1));
    rig_stop(&rig);
}

/* Its answers may be bad: they are better than none. */
static void one_that_is_ejected_is_asked_where_nobody_else_is_left(void **state)
{
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 2, TABLE_COMPAT_OFF);
    segments_set_state(rig.states, rig.replicas[0].seat, 1, SEAT_EJECTED);
    proxy_look(&rig.proxy);
    assert_false(rig.proxy.services[0].is_panicking);
    for (int i = 0; i < 20; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pick_member(&rig, key, &why), 1);
    }
    proxy_skip_seat(&rig.proxy, rig.replicas[1].seat);
    assert_int_equal(pick_member(&rig, "k", &why), 0);
    rig_stop(&rig);
}

static void in_a_panic_those_that_were_ejected_are_used_like_any(void **state)
{
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 4, TABLE_COMPAT_OFF);
    segments_set_state(rig.states, rig.replicas[0].seat, 1, SEAT_EJECTED);
    segments_set_state(rig.states, rig.replicas[1].seat, 1, SEAT_PROBATION);
    rig.proxy.seats[rig.replicas[1].seat].trials = 1;
    proxy_look(&rig.proxy);
    assert_false(rig.proxy.services[0].is_panicking);
    segments_set_state(rig.states, rig.replicas[2].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    assert_true(rig.proxy.services[0].is_panicking);
    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pick_member(&rig, key, &why), rank_of(&rig, key, 0));
    }
    rig_stop(&rig);
}

/* Below half healthy the probes are wrong rather than the replicas; who is dead stays dead. */
static void in_a_panic_verdicts_of_probes_are_ignored(void **state)
{
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 4, TABLE_COMPAT_OFF);
    for (unsigned i = 0; i < 3; i++)
        segments_set_state(rig.states, rig.replicas[i].seat, 1, SEAT_DOWN);
    proxy_look(&rig.proxy);
    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pick_member(&rig, key, &why), rank_of(&rig, key, 0));
    }
    for (unsigned i = 0; i < 3; i++)
        segments_set_state(rig.states, rig.replicas[i].seat, 1, SEAT_DEAD);
    proxy_look(&rig.proxy);
    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key %d", i);
        assert_int_equal(pick_member(&rig, key, &why), 3);
    }
    rig_stop(&rig);
}

static void one_over_its_bound_spills_to_the_same_next_rank(void **state)
{
    struct rig rig;
    const char *why;
    uint32_t seat;

    (void)state;
    rig_start(&rig, 4, TABLE_COMPAT_OFF);
    rig.rules.bound = 125;
    rig.rules.bound_floor = 2;
    rig_publish(&rig);
    seat = rig.replicas[rank_of(&rig, "hot", 0)].seat;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 0));
        proxy_count_in_flight(&rig.proxy, seat, 1);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 1));
        assert_string_equal(why, "owner is over its bound");
    }
    proxy_count_in_flight(&rig.proxy, seat, -1);
    assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 0));
    proxy_count_in_flight(&rig.proxy, seat, -1);
    rig_stop(&rig);
}

static void what_other_workers_have_in_flight_counts_from_the_last_tick_on(void **state)
{
    struct rig rig;
    const char *why;
    uint32_t seat;

    (void)state;
    rig_start(&rig, 4, TABLE_COMPAT_OFF);
    rig.rules.bound = 125;
    rig.rules.bound_floor = 3;
    rig_publish(&rig);
    seat = rig.replicas[rank_of(&rig, "hot", 0)].seat;
    SEGMENTS_SET(rig.states->seats[seat].in_flight, 3);
    assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 0));
    SEGMENTS_SET(rig.states->ticks, 1);
    assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 1));
    SEGMENTS_SET(rig.states->seats[seat].in_flight, 2);
    SEGMENTS_SET(rig.states->ticks, 2);
    assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 0));
    /* Its own are exact at any time. */
    proxy_count_in_flight(&rig.proxy, seat, 1);
    assert_int_equal(pick_member(&rig, "hot", &why), rank_of(&rig, "hot", 1));
    proxy_count_in_flight(&rig.proxy, seat, -1);
    rig_stop(&rig);
}

static void a_warming_replica_gets_its_part_of_its_own_keys(void **state)
{
    unsigned counts[2] = {0, 0};
    struct rig rig;
    const char *why;

    (void)state;
    rig_start(&rig, 3, TABLE_COMPAT_OFF);
    segments_set_state(rig.states, rig.replicas[0].seat, 1, SEAT_WARMING);
    SEGMENTS_SET(rig.states->seats[rig.replicas[0].seat].warming_percent, 20);
    proxy_look(&rig.proxy);
    for (int i = 0; i < 6000; i++) {
        char key[16];
        unsigned member;

        snprintf(key, sizeof(key), "key %d", i);
        member = pick_member(&rig, key, &why);
        if (rank_of(&rig, key, 0) != 0) {
            assert_int_equal(member, rank_of(&rig, key, 0));
            continue;
        }
        counts[member == 0]++;
        if (member != 0)
            assert_string_equal(why, "owner is warming");
    }
    /* 2,000 keys, 20 of a hundred: six standard deviations are 107. */
    assert_in_range(counts[1] * 100 / (counts[0] + counts[1]), 14, 26);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_gets_its_keys),
        cmocka_unit_test(each_obstacle_is_named_and_leads_to_the_next_rank),
        cmocka_unit_test(one_that_refused_is_skipped_for_a_while_and_longer_each_time),
        cmocka_unit_test(one_that_was_not_reached_is_asked_by_one_request_whether_it_is_back),
        cmocka_unit_test(who_waited_in_vain_does_not_go_where_others_do),
        cmocka_unit_test(one_that_took_others_meanwhile_is_not_skipped),
        cmocka_unit_test(one_on_probation_is_tried_with_one_request_at_a_time),
        cmocka_unit_test(one_that_is_ejected_is_asked_where_nobody_else_is_left),
        cmocka_unit_test(in_a_panic_those_that_were_ejected_are_used_like_any),
        cmocka_unit_test(in_a_panic_verdicts_of_probes_are_ignored),
        cmocka_unit_test(one_over_its_bound_spills_to_the_same_next_rank),
        cmocka_unit_test(what_other_workers_have_in_flight_counts_from_the_last_tick_on),
        cmocka_unit_test(a_warming_replica_gets_its_part_of_its_own_keys),
    };

    return cmocka_run_group_tests_name("proxy/pick", tests, NULL, NULL);
}
