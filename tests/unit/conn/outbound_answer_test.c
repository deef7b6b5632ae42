#include "any_outbound.h"

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
    };

    return cmocka_run_group_tests_name("conn/outbound_answer", tests, NULL, NULL);
}
