#include "any_outbound.h"

#include <fcntl.h>
#include <sys/resource.h>

/* The event that says so is not delivered yet: only looking shows it. */
static void a_checked_request_finds_out_that_its_idle_connection_is_gone(void **state)
{
    for (int is_garbage = 0; is_garbage < 2; is_garbage++) {
        struct fixture f;
        int replica;
        int second;

        (void)state;
        start(&f);
        replica = get_accepted(&f);
        rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
        settle(&f);
        assert_int_equal(f.pool.idle_count, 1);
        if (is_garbage)
            rig_send(replica, "HTTP/1.1 200 OK\r\n\r\n");
        else
            close(replica);
        f.where.is_checked = true;
        ask(&f, METHOD_POST, "POST / HTTP/1.1\r\nHost: a\r\n", "x");
        second = accept_replica(&f);
        settle(&f);
        rig_expect(&f.rig, second, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        rig_send(second, "HTTP/1.1 204 No Content\r\n\r\n");
        settle(&f);
        assert_int_equal(f.heard.ends, 2);
        assert_int_equal(f.heard.resets, 0);
        if (is_garbage)
            close(replica);
        close(second);
        end(&f);
    }
}

static void idle_connections_end_by_time_by_number_and_by_incarnation(void **state)
{
    struct fixture f;
    int replicas[3];
    struct heard others[3];

    (void)state;
    start(&f);
    for (int i = 0; i < 3; i++) {
        heard_init(&others[i]);
        assert_int_equal(outbound_start(&f.pool, &f.where, CONNECT_MS, &heard_events, &others[i],
                                        &others[i].stream),
                         0);
        stream_send_head(others[i].stream,
                         &(struct stream_head){.text = VIEW("GET / HTTP/1.1\r\n")});
        stream_send_end(others[i].stream, VIEW(""));
        sock_group_settle(&f.rig.socks);
        replicas[i] = accept_replica(&f);
        settle(&f);
    }
    for (int i = 0; i < 3; i++) {
        rig_send(replicas[i], "HTTP/1.1 204 No Content\r\n\r\n");
        settle(&f);
    }
    /* At most two: the oldest went. */
    assert_int_equal(f.pool.idle_count, 2);
    outbound_forget(&f.pool, PLACE, 1);
    assert_int_equal(f.pool.idle_count, 2);
    rig_pass(&f.rig, IDLE_MS - 100);
    assert_int_equal(f.pool.idle_count, 2);
    rig_pass(&f.rig, 200);
    assert_int_equal(f.pool.idle_count, 0);
    for (int i = 0; i < 3; i++) {
        close(replicas[i]);
        heard_finish(&others[i]);
    }
    replicas[0] = get_accepted(&f);
    rig_send(replicas[0], "HTTP/1.1 204 No Content\r\n\r\n");
    settle(&f);
    assert_int_equal(f.pool.idle_count, 1);
    outbound_forget(&f.pool, PLACE, 2);
    assert_int_equal(f.pool.idle_count, 0);
    close(replicas[0]);
    end(&f);
}

static void a_refused_connection_and_one_that_takes_too_long_are_told_apart(void **state)
{
    struct fixture f;
    struct error why;
    int fillers[3];

    (void)state;
    start(&f);
    close(f.listener);
    get(&f);
    for (int i = 0; i < 20 && !f.heard.resets; i++)
        loop_turn(&f.rig.loop, 1000);
    assert_int_equal(f.heard.failure, STREAM_REFUSED);
    /* A listener whose queue is full answers no more. */
    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), &f.where.address, &why), 0);
    f.listener = listener_open(&f.where.address, false, &why);
    assert_int_equal(listen(f.listener, 0), 0);
    for (int i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], &f.where.address.any, f.where.address.size);
    }
    get(&f);
    rig_pass(&f.rig, CONNECT_MS - 50);
    assert_int_equal(f.heard.resets, 1);
    rig_pass(&f.rig, 100);
    assert_int_equal(f.heard.resets, 2);
    assert_int_equal(f.heard.failure, STREAM_TIMED_OUT);
    for (int i = 0; i < 3; i++)
        close(fillers[i]);
    end(&f);
}

/* The kernel asks a full queue again after a second: who gave up before would never get in. */
static void a_replica_that_takes_others_meanwhile_has_longer(void **state)
{
    struct fixture f;
    struct error why;
    int fillers[3];

    (void)state;
    start(&f);
    close(f.listener);
    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), &f.where.address, &why), 0);
    f.listener = listener_open(&f.where.address, false, &why);
    assert_int_equal(listen(f.listener, 0), 0);
    for (int i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], &f.where.address.any, f.where.address.size);
    }
    get(&f);
    rig_pass(&f.rig, CONNECT_MS - 50);
    f.pool.places[f.where.place].alive_us = f.rig.loop.now_us;
    rig_pass(&f.rig, OUTBOUND_QUEUE_MS - CONNECT_MS);
    assert_int_equal(f.heard.resets, 0);
    rig_pass(&f.rig, 100);
    assert_int_equal(f.heard.resets, 1);
    assert_int_equal(f.heard.failure, STREAM_TIMED_OUT);
    for (int i = 0; i < 3; i++)
        close(fillers[i]);
    end(&f);
}

static void a_replica_that_is_gone_may_have_said_its_last_words(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    /* The answer is in the kernel when we hear that its replica is gone. */
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
    outbound_break(&f.pool, PLACE, 1);
    settle(&f);
    assert_int_equal(f.heard.ends, 1);
    HEARD_BODY(&f.heard, "last");
    /* Nobody else is sent there. */
    assert_int_equal(f.pool.idle_count, 0);
    close(replica);
    replica = get_accepted(&f);
    outbound_break(&f.pool, PLACE, 2);
    rig_pass(&f.rig, 2 * OUTBOUND_LAST_WORDS_MS);
    assert_int_equal(f.heard.resets, 0);
    outbound_break(&f.pool, PLACE, 1);
    assert_int_equal(f.heard.resets, 0);
    rig_pass(&f.rig, 2 * OUTBOUND_LAST_WORDS_MS);
    assert_int_equal(f.heard.resets, 1);
    assert_int_equal(f.heard.failure, STREAM_CLOSED);
    close(replica);
    end(&f);
}

static void an_idle_connection_gives_its_descriptor_to_a_new_one(void **state)
{
    struct rlimit limit;
    struct rlimit tight;
    struct fixture f;
    int replica;
    int probe;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
    settle(&f);
    assert_int_equal(f.pool.idle_count, 1);
    probe = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(probe);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)probe;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    f.where.place = PLACE + 1;
    assert_int_equal(
        outbound_start(&f.pool, &f.where, CONNECT_MS, &heard_events, &f.heard, &f.heard.stream), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(f.pool.idle_count, 0);
    stream_reset(f.heard.stream);
    close(replica);
    end(&f);
}

/* Does the kernel leave the buffer of the connection to the replica as large as we made it?
 * (SOCK_RCVBUF_LOCK of linux/socket.h) */
static bool is_window_fixed(const struct stream *stream)
{
    const struct outbound *outbound = CONTAINER_OF(stream, const struct outbound, stream);
    socklen_t size = sizeof(int);
    int locks = 0;

    assert_int_equal(getsockopt(outbound->sock.watch.fd, SOL_SOCKET, SO_BUF_LOCK, &locks, &size),
                     0);
    return (locks & 2) != 0;
}

static void of_many_that_are_busy_only_the_first_may_have_much_on_the_way(void **state)
{
    struct stream *streams[OUTBOUND_WIDE_MAX + 1];
    struct fixture f;

    (void)state;
    start(&f);
    for (unsigned i = 0; i <= OUTBOUND_WIDE_MAX; i++)
        assert_int_equal(
            outbound_start(&f.pool, &f.where, CONNECT_MS, &heard_events, &f.heard, &streams[i]), 0);
    settle(&f);
    for (unsigned i = 0; i < OUTBOUND_WIDE_MAX; i++)
        assert_false(is_window_fixed(streams[i]));
    assert_true(is_window_fixed(streams[OUTBOUND_WIDE_MAX]));
    for (unsigned i = 0; i <= OUTBOUND_WIDE_MAX; i++)
        stream_reset(streams[i]);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checked_request_finds_out_that_its_idle_connection_is_gone),
        cmocka_unit_test(idle_connections_end_by_time_by_number_and_by_incarnation),
        cmocka_unit_test(a_refused_connection_and_one_that_takes_too_long_are_told_apart),
        cmocka_unit_test(a_replica_that_takes_others_meanwhile_has_longer),
        cmocka_unit_test(a_replica_that_is_gone_may_have_said_its_last_words),
        cmocka_unit_test(of_many_that_are_busy_only_the_first_may_have_much_on_the_way),
        cmocka_unit_test(an_idle_connection_gives_its_descriptor_to_a_new_one),
    };

    return cmocka_run_group_tests_name("conn/outbound", tests, NULL, NULL);
}
