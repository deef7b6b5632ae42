/* Small writes that leave together at the end of a turn: through the socks that hold them. */
#include "net/outbox.h"

#include "any_sock.h"

static void act_pass_on(struct end *end, char what, struct view bytes)
{
    if (what == 'b')
        sock_write(&end->to->sock, bytes);
}

/* Its own answer has not left when it is asked again: what is there to be read before it? */
static struct end *watched;
static ssize_t seen;

static void act_pass_on_and_look(struct end *end, char what, struct view bytes)
{
    char text[32];

    act_pass_on(end, what, bytes);
    if (what == 'b')
        seen = read(watched->other, text, sizeof(text));
}

static void a_small_write_leaves_when_the_turn_ends(void **state)
{
    struct end in[2];
    struct end out[2];
    char text[32];

    (void)state;
    for (int i = 0; i < 2; i++) {
        open_pair(&in[i]);
        open_pair(&out[i]);
        in[i].to = &out[i];
        in[i].act = i ? act_pass_on_and_look : act_pass_on;
        say(&in[i], i ? "two" : "one");
    }
    watched = &out[0];
    seen = 0;
    loop_turn(&loop, 0);
    /* The other way about if the kernel tells of the second first. */
    assert_true(seen < 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(out[i].other, text, sizeof(text)), 3);
        assert_memory_equal(text, i ? "two" : "one", 3);
        assert_int_equal(sock_sent(&out[i].sock), 3);
        in[i].to = NULL;
        close_end(&in[i]);
        close_end(&out[i]);
    }
    assert_int_equal(group.outbox.used, 0);
}

static void a_large_write_goes_at_once(void **state)
{
    struct end end;
    uint64_t at = 0;

    (void)state;
    open_pair(&end);
    sock_write(&end.sock, stream(OUTBOX_BYTES_MAX + 1));
    sock_group_settle(&group);
    assert_int_equal(drain_other(end.other, &at, MEBIBYTE), OUTBOX_BYTES_MAX + 1);
    sock_write(&end.sock, (struct view){stream(3 * OUTBOX_BYTES_MAX).data + at, OUTBOX_BYTES_MAX});
    sock_group_settle(&group);
    assert_int_equal(drain_other(end.other, &at, MEBIBYTE), -1);
    sock_flush(&end.sock);
    assert_int_equal(drain_other(end.other, &at, MEBIBYTE), OUTBOX_BYTES_MAX);
    close_end(&end);
}

static void several_writes_of_one_turn_stay_in_order_whatever_their_size(void **state)
{
    static const size_t sizes[] = {5, OUTBOX_BYTES_MAX, 1, 70000, 3, 3, OUTBOX_BYTES_MAX + 1, 2};
    struct end end;
    uint64_t at = 0;
    size_t written = 0;

    (void)state;
    open_tcp(&end);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        sock_write(&end.sock, (struct view){stream(MEBIBYTE).data + written, sizes[i]});
        sock_group_settle(&group); /* as after a callback */
        written += sizes[i];
    }
    while (at < written) {
        drain_other(end.other, &at, MEBIBYTE);
        loop_turn(&loop, 0);
    }
    assert_int_equal(sock_sent(&end.sock), written);
    close_end(&end);
}

static void more_than_can_be_held_leave_early_and_none_is_lost(void **state)
{
    enum { ENDS = 2 * OUTBOX_MAX + 3 };
    static struct end ends[ENDS];
    char text[4];

    (void)state;
    for (int i = 0; i < ENDS; i++) {
        open_pair(&ends[i]);
        sock_write(&ends[i].sock, VIEW("abc"));
    }
    assert_int_equal(read(ends[0].other, text, sizeof(text)), 3);
    assert_int_equal(read(ends[ENDS - 1].other, text, sizeof(text)), -1);
    loop_turn(&loop, 0);
    assert_int_equal(group.sends, ENDS);
    for (int i = 0; i < ENDS; i++) {
        if (i > 0)
            assert_int_equal(read(ends[i].other, text, sizeof(text)), 3);
        close_end(&ends[i]);
    }
}

static void what_is_held_goes_before_our_fin(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("last"));
    sock_group_settle(&group);
    sock_shut(&end.sock);
    assert_int_equal(read(end.other, text, sizeof(text)), -1);
    loop_turn(&loop, 0);
    assert_int_equal(read(end.other, text, sizeof(text)), 4);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    close_end(&end);
}

static void our_fin_waits_for_what_was_written_behind_what_is_held(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("held "));
    sock_group_settle(&group);
    sock_write(&end.sock, VIEW("gathered"));
    sock_shut(&end.sock);
    loop_turn(&loop, 0);
    assert_int_equal(recv(end.other, text, 13, MSG_WAITALL), 13);
    assert_memory_equal(text, "held gathered", 13);
    assert_int_equal(read(end.other, text, sizeof(text)), 0);
    assert_int_equal(end.sock.error, 0);
    close_end(&end);
}

static void what_is_held_goes_out_when_the_sock_is_closed(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("last"));
    sock_group_settle(&group);
    sock_close(&end.sock, false, on_destroy);
    assert_int_equal(read(end.other, text, sizeof(text)), 4);
    loop_turn(&loop, 0);
    assert_string_equal(end.story, "x");
    close(end.other);
}

/* As it did when each callback's writes left with it: what a replica said before it broke off. */
static void what_is_held_goes_before_an_abort(void **state)
{
    struct end end;
    char text[32];

    (void)state;
    open_tcp(&end);
    sock_write(&end.sock, VIEW("bye"));
    sock_group_settle(&group);
    sock_abort(&end.sock, on_destroy);
    assert_int_equal(read(end.other, text, sizeof(text)), 3);
    assert_int_equal(read(end.other, text, sizeof(text)), -1);
    assert_int_equal(errno, ECONNRESET);
    loop_turn(&loop, 0);
    assert_null(outbox_next(&group.outbox));
    close(end.other);
}

static void a_held_write_that_fails_is_told_once(void **state)
{
    struct end end;

    (void)state;
    open_pair(&end);
    close(end.other);
    end.other = -1;
    sock_write(&end.sock, VIEW("nobody"));
    loop_turn(&loop, 0);
    TURN_UNTIL(strchr(end.story, 'r'));
    loop_turn(&loop, 0);
    assert_int_equal(end.error, -EPIPE);
    assert_string_equal(strchr(end.story, 'r'), "r");
    assert_int_equal(sock_sent(&end.sock), 0);
    close_end(&end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_write_leaves_when_the_turn_ends),
        TEST(a_large_write_goes_at_once),
        TEST(several_writes_of_one_turn_stay_in_order_whatever_their_size),
        TEST(more_than_can_be_held_leave_early_and_none_is_lost),
        TEST(what_is_held_goes_before_our_fin),
        TEST(our_fin_waits_for_what_was_written_behind_what_is_held),
        TEST(what_is_held_goes_out_when_the_sock_is_closed),
        TEST(what_is_held_goes_before_an_abort),
        TEST(a_held_write_that_fails_is_told_once),
    };

    return cmocka_run_group_tests_name("net/outbox", tests, NULL, NULL);
}
