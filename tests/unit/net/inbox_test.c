/* Bytes received ahead of their turn: through the socks that get them. */
#include "net/inbox.h"

#include <sys/ioctl.h>

#include "any_sock.h"

#define ENDS (INBOX_MAX + 8)

static struct end ends[ENDS];
static unsigned told;    /* how many were told something in this turn */
static unsigned in_time; /* ... while the kernel held nothing for the others any more */

static unsigned held_by_kernel(const struct end *end)
{
    int bytes = 0;

    assert_int_equal(ioctl(end->sock.watch.fd, FIONREAD, &bytes), 0);
    return (unsigned)bytes;
}

/* Opens `count` and lets each get a little once: only then little is expected. */
static void open_ends(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        open_pair(&ends[i]);
        say(&ends[i], "?");
    }
    loop_turn(&loop, 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(ends[i].received, 1);
    told = in_time = 0;
}

static void close_ends(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close_end(&ends[i]);
    assert_int_equal(group.inbox.free, UINT32_MAX);
}

static void act_look_at_others(struct end *end, char what, struct view bytes)
{
    (void)end;
    (void)what;
    (void)bytes;
    told++;
    in_time += !held_by_kernel(&ends[0]) && !held_by_kernel(&ends[1]) && !held_by_kernel(&ends[2]);
}

static void all_are_received_from_before_one_is_told(void **state)
{
    (void)state;
    open_ends(3);
    for (unsigned i = 0; i < 3; i++) {
        ends[i].act = act_look_at_others;
        say(&ends[i], "bytes");
    }
    loop_turn(&loop, 0);
    assert_int_equal(told, 3);
    assert_int_equal(in_time, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_memory_equal(ends[i].first, "?bytes", 6);
    close_ends(3);
}

static void one_receive_for_each_and_no_more(void **state)
{
    uint64_t before;

    (void)state;
    open_ends(3);
    before = group.receives;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 3; i++)
            say(&ends[i], "bytes");
        loop_turn(&loop, 0);
    }
    assert_int_equal(group.receives - before, 30);
    close_ends(3);
}

/* Whoever is told first stops all others. */
static void act_pause_others(struct end *end, char what, struct view bytes)
{
    (void)what;
    (void)bytes;
    if (told++)
        return;
    for (unsigned i = 0; i < ENDS; i++) {
        if (ends[i].sock.group && &ends[i] != end)
            sock_pause(&ends[i].sock);
    }
}

static void what_lies_behind_a_pause_comes_after_it_and_before_what_came_since(void **state)
{
    (void)state;
    open_ends(2);
    for (unsigned i = 0; i < 2; i++) {
        ends[i].act = act_pause_others;
        say(&ends[i], "one");
    }
    loop_turn(&loop, 0);
    assert_int_equal(told, 1);
    assert_int_equal(ends[0].received + ends[1].received, 2 + 3);
    for (unsigned i = 0; i < 2; i++) {
        say(&ends[i], "two");
        shutdown(ends[i].other, SHUT_WR);
    }
    loop_turn(&loop, 0);
    for (unsigned i = 0; i < 2; i++)
        sock_resume(&ends[i].sock);
    TURN_UNTIL(ends[0].received == 7 && ends[1].received == 7);
    for (unsigned i = 0; i < 2; i++) {
        assert_memory_equal(ends[i].first, "?onetwo", 7);
        assert_string_equal(ends[i].story, "bf");
    }
    close_ends(2);
}

/* Nothing more may be queued when the second one's turn comes. */
static void act_fill_memory(struct end *end, char what, struct view bytes)
{
    (void)end;
    (void)what;
    (void)bytes;
    if (!told++)
        group.queued_bytes += LIMIT_BYTES;
}

static void what_waits_for_memory_comes_before_what_came_since(void **state)
{
    (void)state;
    open_ends(2);
    for (unsigned i = 0; i < 2; i++) {
        ends[i].act = act_fill_memory;
        /* Its bytes feed somebody slow. */
        sock_limit_receive(&ends[i].sock, SOCK_RECEIVE_TIGHT_BYTES);
        say(&ends[i], "one");
    }
    loop_turn(&loop, 0);
    assert_int_equal(told, 1);
    for (unsigned i = 0; i < 2; i++)
        say(&ends[i], "two");
    loop_turn(&loop, 0);
    assert_int_equal(ends[0].received + ends[1].received, 2 + 3);
    group.queued_bytes -= LIMIT_BYTES;
    for (unsigned i = 0; i < 2; i++) {
        list_remove(&ends[i].sock.ready.list);
        loop_make_ready(&loop, &ends[i].sock.ready);
    }
    TURN_UNTIL(ends[0].received == 7 && ends[1].received == 7);
    for (unsigned i = 0; i < 2; i++)
        assert_memory_equal(ends[i].first, "?onetwo", 7);
    close_ends(2);
}

static void bytes_that_were_received_ahead_are_not_quiet(void **state)
{
    (void)state;
    open_ends(2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(sock_is_quiet(&ends[i].sock));
        ends[i].act = act_pause_others;
        say(&ends[i], "one");
        assert_false(sock_is_quiet(&ends[i].sock));
    }
    loop_turn(&loop, 0);
    assert_int_equal(told, 1);
    assert_int_equal(sock_is_quiet(&ends[0].sock) + sock_is_quiet(&ends[1].sock), 1);
    for (unsigned i = 0; i < 2; i++)
        sock_resume(&ends[i].sock);
    loop_turn(&loop, 0);
    close_ends(2);
}

static void act_abort_other(struct end *end, char what, struct view bytes)
{
    struct end *other = end == &ends[0] ? &ends[1] : &ends[0];

    (void)bytes;
    if (what == 'b' && !told++)
        sock_abort(&other->sock, on_destroy);
}

static void nothing_is_told_to_who_was_closed_meanwhile(void **state)
{
    unsigned closed;

    (void)state;
    open_ends(2);
    for (unsigned i = 0; i < 2; i++) {
        ends[i].act = act_abort_other;
        say(&ends[i], "bytes");
    }
    loop_turn(&loop, 0);
    closed = ends[0].sock.is_closed ? 0 : 1;
    assert_int_equal(ends[closed].received, 1);
    assert_string_equal(ends[closed].story, "bx");
    assert_int_equal(ends[1 - closed].received, 6);
    close(ends[closed].other);
    close_end(&ends[1 - closed]);
    assert_int_equal(group.inbox.free, UINT32_MAX);
}

static void more_than_a_place_holds_comes_whole(void **state)
{
    const size_t sizes[] = {INBOX_BYTES - 2, INBOX_BYTES - 1, INBOX_BYTES, INBOX_BYTES + 1,
                            3 * INBOX_BYTES};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        open_ends(2);
        for (unsigned j = 0; j < 2; j++)
            assert_int_equal(write(ends[j].other, stream(sizes[i]).data, sizes[i]), sizes[i]);
        loop_turn(&loop, 0);
        assert_int_equal(ends[0].received, sizes[i] + 1);
        assert_int_equal(ends[1].received, sizes[i] + 1);
        close_ends(2);
    }
}

static void an_end_that_was_received_ahead_is_told(void **state)
{
    (void)state;
    open_ends(2);
    for (unsigned i = 0; i < 2; i++) {
        say(&ends[i], "bytes");
        shutdown(ends[i].other, SHUT_WR);
    }
    loop_turn(&loop, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ends[i].received, 6);
        assert_string_equal(ends[i].story, "bf");
    }
    close_ends(2);
}

static void with_no_place_free_all_are_served_in_their_turn(void **state)
{
    (void)state;
    open_ends(ENDS);
    for (unsigned i = 0; i < ENDS; i++) {
        ends[i].act = act_pause_others;
        say(&ends[i], "one");
    }
    loop_turn(&loop, 0);
    assert_int_equal(told, 1);
    assert_true(group.inbox.free != UINT32_MAX);
    for (unsigned i = 0; i < ENDS; i++)
        say(&ends[i], "two");
    for (unsigned i = 0; i < ENDS; i++)
        sock_resume(&ends[i].sock);
    TURN_UNTIL(group.inbox.free == UINT32_MAX);
    loop_turn(&loop, 0);
    for (unsigned i = 0; i < ENDS; i++)
        assert_memory_equal(ends[i].first, "?onetwo", 7);
    close_ends(ENDS);
}

static void a_reset_behind_a_pause_is_told_after_what_was_received_ahead(void **state)
{
    unsigned paused;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        open_tcp(&ends[i]);
        say(&ends[i], "?");
    }
    TURN_UNTIL(ends[0].received && ends[1].received);
    told = 0;
    for (unsigned i = 0; i < 2; i++) {
        ends[i].act = act_pause_others;
        say(&ends[i], "one");
    }
    TURN_UNTIL(told && (ends[0].sock.ahead || ends[1].sock.ahead));
    paused = ends[0].sock.ahead ? 0 : 1;
    reset_by_other(&ends[paused]);
    for (int i = 0; i < 10; i++)
        loop_turn(&loop, CLOCK_US_PER_MS);
    assert_string_equal(ends[paused].story, "b");
    assert_int_equal(ends[paused].received, 1);
    sock_resume(&ends[paused].sock);
    TURN_UNTIL(ends[paused].error);
    assert_int_equal(ends[paused].error, -ECONNRESET);
    assert_memory_equal(ends[paused].first, "?one", 4);
    assert_string_equal(ends[paused].story, "br");
    close_ends(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_received_from_before_one_is_told),
        TEST(one_receive_for_each_and_no_more),
        TEST(what_lies_behind_a_pause_comes_after_it_and_before_what_came_since),
        TEST(what_waits_for_memory_comes_before_what_came_since),
        TEST(bytes_that_were_received_ahead_are_not_quiet),
        TEST(nothing_is_told_to_who_was_closed_meanwhile),
        TEST(more_than_a_place_holds_comes_whole),
        TEST(an_end_that_was_received_ahead_is_told),
        TEST(with_no_place_free_all_are_served_in_their_turn),
        TEST(a_reset_behind_a_pause_is_told_after_what_was_received_ahead),
    };

    return cmocka_run_group_tests_name("net/inbox", tests, NULL, NULL);
}
