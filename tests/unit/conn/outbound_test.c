#include "rig.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "conn/outbound.h"
#include "net/listener.h"

#define PLACE      7
#define CONNECT_MS 500
#define IDLE_MS    4000

struct fixture {
    struct rig rig;
    struct outbound_pool pool;
    struct outbound_place where;
    struct heard heard;
    int listener;
};

static void start(struct fixture *f)
{
    const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
        .idle_ms = IDLE_MS,
        .idle_max = 2,
    };
    struct error why;

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    heard_init(&f->heard);
    outbound_pool_init(&f->pool, &f->rig.socks, &settings);
    f->where = (struct outbound_place){.place = PLACE, .incarnation = 1};
    assert_int_equal(address_from_text(VIEW("127.0.0.1:0"), &f->where.address, &why), 0);
    f->listener = listener_open(&f->where.address, false, &why);
    assert_true(f->listener >= 0);
}

static void end(struct fixture *f)
{
    rig_turns(&f->rig, 3);
    outbound_pool_finish(&f->pool);
    heard_finish(&f->heard);
    close(f->listener);
    rig_finish(&f->rig);
}

static void ask(struct fixture *f, enum method method, const char *head, const char *body)
{
    struct stream_head out = {.text = view_of(head),
                              .method = method,
                              .body = {*body ? FRAMING_LENGTH : FRAMING_NONE, strlen(body)}};

    assert_int_equal(
        outbound_start(&f->pool, &f->where, CONNECT_MS, &heard_events, &f->heard, &f->heard.stream),
        0);
    stream_send_head(f->heard.stream, &out);
    stream_send_body(f->heard.stream, view_of(body));
    stream_send_end(f->heard.stream, VIEW(""));
    sock_group_settle(&f->rig.socks);
}

static void get(struct fixture *f)
{
    ask(f, METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\n", "");
}

static int accept_replica(struct fixture *f)
{
    for (unsigned turn = 0; turn < RIG_TURNS_MAX; turn++) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            return fd;
        loop_turn(&f->rig.loop, 1000);
    }
    fail_msg("nobody connected");
    return -1;
}

/* Loopback delivers at once, but not within the call. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        loop_turn(&f->rig.loop, 1000);
}

static int get_accepted(struct fixture *f)
{
    int replica;

    get(f);
    replica = accept_replica(f);
    settle(f);
    rig_expect(&f->rig, replica, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return replica;
}

static void an_answer_is_told_whole_and_cut_at_every_byte(void **state)
{
    static const char text[] = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2;e\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n";

    (void)state;
    for (size_t cut = 0; cut < strlen(text); cut++) {
        struct fixture f;
        int replica;

        start(&f);
        replica = get_accepted(&f);
        if (cut)
            assert_int_equal(send(replica, text, cut, 0), (ssize_t)cut);
        settle(&f);
        rig_send(replica, text + cut);
        settle(&f);
        assert_int_equal(f.heard.interims, 1);
        assert_int_equal(f.heard.heads, 1);
        assert_int_equal(f.heard.ends, 1);
        HEARD_BODY(&f.heard, "abcde");
        assert_true(view_equals(buffer_view(&f.heard.trailers), VIEW("X-Sum=5\n")));
        assert_int_equal(f.pool.idle_count, 1);
        close(replica);
        end(&f);
    }
}

/* The rest of a head may come with as much of the body as one receive takes. */
static void a_head_that_was_cut_may_be_followed_by_much_at_once(void **state)
{
    static char body[200000];
    struct fixture f;
    size_t sent = 0;
    int replica;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Le");
    settle(&f);
    rig_send(replica, "ngth: 200000\r\n\r\n");
    memset(body, 'x', sizeof(body));
    /* Without a turn of the loop meanwhile: it all waits in the kernel. */
    sent = (size_t)send(replica, body, sizeof(body), MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_in_range(sent, 80000, sizeof(body));
    while (!f.heard.ends && !f.heard.resets) {
        ssize_t some = sent < sizeof(body)
                           ? send(replica, body, sizeof(body) - sent, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : 0;

        sent += some > 0 ? (size_t)some : 0;
        loop_turn(&f.rig.loop, 1000);
    }
    assert_int_equal(f.heard.ends, 1);
    assert_int_equal(buffer_size(&f.heard.body), sizeof(body));
    close(replica);
    end(&f);
}

static void an_end_before_the_first_byte_is_closed_and_after_it_bad(void **state)
{
    static const struct {
        const char *said;
        enum stream_failure failure;
    } cases[] = {
        {"", STREAM_CLOSED},
        {"H", STREAM_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", STREAM_BAD},
        {"HTTP/1.1 100 Continue\r\n\r\n", STREAM_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", STREAM_BAD},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", STREAM_BAD},
        {"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n", STREAM_BAD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", STREAM_BAD},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", STREAM_BAD},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int is_reset = 0; is_reset < 2; is_reset++) {
            const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
            struct fixture f;
            int replica;

            start(&f);
            replica = get_accepted(&f);
            rig_send(replica, cases[i].said);
            settle(&f);
            if (is_reset)
                setsockopt(replica, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
            close(replica);
            settle(&f);
            assert_int_equal(f.heard.resets, 1);
            assert_int_equal(f.heard.failure, cases[i].failure);
            assert_int_equal(f.heard.ends, 0);
            assert_int_equal(f.pool.busy_count + f.pool.idle_count, 0);
            end(&f);
        }
    }
}

static void more_than_eight_interim_answers_are_bad(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    for (unsigned i = 0; i <= OUTBOUND_INTERIM_MAX; i++) {
        assert_int_equal(f.heard.resets, 0);
        rig_send(replica, "HTTP/1.1 103 Early Hints\r\n\r\n");
        settle(&f);
    }
    assert_int_equal(f.heard.interims, OUTBOUND_INTERIM_MAX);
    assert_int_equal(f.heard.failure, STREAM_BAD);
    close(replica);
    end(&f);
}

static void a_connection_is_used_again_newest_first_and_only_if_all_was_whole(void **state)
{
    static const struct {
        const char *answer;
        bool is_kept;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", true},
        {"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        int replica;

        start(&f);
        replica = get_accepted(&f);
        rig_send(replica, cases[i].answer);
        settle(&f);
        assert_int_equal(f.heard.ends, 1);
        assert_int_equal(f.pool.idle_count, cases[i].is_kept);
        get(&f);
        assert_int_equal(CONTAINER_OF(f.heard.stream, struct outbound, stream)->is_reused,
                         cases[i].is_kept);
        stream_reset(f.heard.stream);
        close(replica);
        end(&f);
    }
}

static void an_answer_before_the_request_is_whole_ends_the_connection(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    assert_int_equal(
        outbound_start(&f.pool, &f.where, CONNECT_MS, &heard_events, &f.heard, &f.heard.stream), 0);
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("POST / HTTP/1.1\r\n"),
                                                           .method = METHOD_POST,
                                                           .body = {FRAMING_LENGTH, 10}});
    stream_send_body(f.heard.stream, VIEW("123"));
    sock_group_settle(&f.rig.socks);
    replica = accept_replica(&f);
    settle(&f);
    rig_expect(&f.rig, replica, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n123");
    rig_send(replica, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    settle(&f);
    assert_int_equal(f.heard.ends, 1);
    assert_int_equal(f.heard.status, 413);
    assert_int_equal(f.pool.idle_count + f.pool.busy_count, 0);
    close(replica);
    end(&f);
}

static void what_arrives_while_idle_ends_the_connection(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
    settle(&f);
    assert_int_equal(f.pool.idle_count, 1);
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    settle(&f);
    assert_int_equal(f.pool.idle_count, 0);
    close(replica);
    end(&f);
}

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
        cmocka_unit_test(an_answer_is_told_whole_and_cut_at_every_byte),
        cmocka_unit_test(a_head_that_was_cut_may_be_followed_by_much_at_once),
        cmocka_unit_test(an_end_before_the_first_byte_is_closed_and_after_it_bad),
        cmocka_unit_test(more_than_eight_interim_answers_are_bad),
        cmocka_unit_test(a_connection_is_used_again_newest_first_and_only_if_all_was_whole),
        cmocka_unit_test(an_answer_before_the_request_is_whole_ends_the_connection),
        cmocka_unit_test(what_arrives_while_idle_ends_the_connection),
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
