#include "any_outbound.h"

/* A stream to the replica; what it is given leaves with the next turns. */
static struct stream *begin(struct fixture *f)
{
    assert_int_equal(
        outbound_start(&f->pool, &f->where, CONNECT_MS, &heard_events, &f->heard, &f->heard.stream),
        0);
    return f->heard.stream;
}

static void a_request_is_framed_by_what_its_body_is(void **state)
{
    static const struct {
        struct body_framing framing;
        bool asks_upgrade;
        const char *expected;
    } cases[] = {
        {{FRAMING_NONE, 0}, false, "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {{FRAMING_LENGTH, 0}, false, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {{FRAMING_LENGTH, 5}, false, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab123"},
        {{FRAMING_CHUNKED, 0},
         false,
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n3\r\n123\r\n0\r\nX-Sum: 5\r\n\r\n"},
        {{FRAMING_NONE, 0}, true, "PUT / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stream_head head = {.text = VIEW("PUT / HTTP/1.1\r\nHost: a\r\n"),
                                   .method = METHOD_PUT,
                                   .body = cases[i].framing,
                                   .asks_upgrade = cases[i].asks_upgrade};
        bool has_body = head.body.kind == FRAMING_CHUNKED || head.body.length;
        struct fixture f;
        int replica;

        start(&f);
        stream_send_head(begin(&f), &head);
        /* An empty piece is no last chunk. */
        stream_send_body(f.heard.stream, VIEW(""));
        if (has_body) {
            stream_send_body(f.heard.stream, VIEW("ab"));
            stream_send_body(f.heard.stream, VIEW("123"));
        }
        stream_send_end(f.heard.stream, VIEW("X-Sum: 5\r\n"));
        replica = accept_replica(&f);
        settle(&f);
        rig_expect(&f.rig, replica, cases[i].expected);
        stream_reset(f.heard.stream);
        close(replica);
        end(&f);
    }
}

/* What frames it is a text too, and there is hardly room for another one. */
static void a_head_that_is_the_last_text_there_is_room_for_leaves_whole(void **state)
{
    static const char line[] = "GET / HTTP/1.1\r\nHost: a\r\n";
    struct stream_head head = {.method = METHOD_GET};
    struct stream *stream;
    struct fixture f;
    int replica;
    char *text;

    (void)state;
    start(&f);
    replica = get_accepted(&f);
    rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
    settle(&f);
    text = sock_text(&f.rig.socks, SOCK_TEXT_BYTES);
    memcpy(text, line, strlen(line));
    head.text = (struct view){text, strlen(line)};
    stream = begin(&f);
    stream_send_head(stream, &head);
    stream_send_end(stream, VIEW(""));
    sock_group_settle(&f.rig.socks);
    rig_expect(&f.rig, replica, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stream_reset(stream);
    close(replica);
    end(&f);
}

static void what_was_sent_is_counted_for_each_request(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    get(&f);
    /* Nobody can have seen any of it before the connection stands. */
    assert_int_equal(stream_sent(f.heard.stream), 0);
    assert_int_equal(stream_queued(f.heard.stream), strlen("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    replica = accept_replica(&f);
    settle(&f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream_sent(f.heard.stream), strlen("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_int_equal(stream_queued(f.heard.stream), 0);
        rig_expect(&f.rig, replica, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        rig_send(replica, "HTTP/1.1 204 No Content\r\n\r\n");
        settle(&f);
        assert_int_equal(f.heard.ends, i + 1);
        get(&f);
    }
    stream_reset(f.heard.stream);
    close(replica);
    end(&f);
}

static void a_holder_with_bytes_in_hand_gets_no_more_before_it_gives_them_back(void **state)
{
    struct fixture f;
    int replica;

    (void)state;
    start(&f);
    f.heard.keeps_credit = true;
    replica = get_accepted(&f);
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    settle(&f);
    rig_send(replica, "def");
    settle(&f);
    HEARD_BODY(&f.heard, "abc");
    stream_consumed(f.heard.stream, 2);
    settle(&f);
    HEARD_BODY(&f.heard, "abc");
    stream_consumed(f.heard.stream, 1);
    settle(&f);
    HEARD_BODY(&f.heard, "abcdef");
    assert_int_equal(f.heard.ends, 1);
    /* The connection is nobody's by now: credit that comes late is no news. */
    stream_consumed(f.heard.stream, 3);
    assert_int_equal(f.pool.idle_count, 1);
    close(replica);
    end(&f);
}

static void a_tunnel_ends_when_both_ways_have_ended(void **state)
{
    for (int is_replica_first = 0; is_replica_first < 2; is_replica_first++) {
        struct stream_head head = {.text = VIEW("GET / HTTP/1.1\r\nUpgrade: x\r\n"),
                                   .method = METHOD_GET,
                                   .asks_upgrade = true};
        struct fixture f;
        int replica;

        (void)state;
        start(&f);
        stream_send_head(begin(&f), &head);
        stream_send_end(f.heard.stream, VIEW(""));
        replica = accept_replica(&f);
        settle(&f);
        rig_expect(&f.rig, replica, "GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
        rig_send(replica, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nto us");
        settle(&f);
        HEARD_BODY(&f.heard, "to us");
        stream_send_body(f.heard.stream, VIEW("to it"));
        settle(&f);
        rig_expect(&f.rig, replica, "to it");
        if (is_replica_first) {
            shutdown(replica, SHUT_WR);
            settle(&f);
            assert_int_equal(f.heard.ends, 1);
            assert_int_equal(f.pool.busy_count, 1);
        }
        stream_send_end(f.heard.stream, VIEW(""));
        settle(&f);
        rig_expect_end(&f.rig, replica, "");
        if (!is_replica_first) {
            assert_int_equal(f.heard.ends, 0);
            shutdown(replica, SHUT_WR);
            settle(&f);
        }
        assert_int_equal(f.heard.ends, 1);
        assert_int_equal(f.pool.busy_count + f.pool.idle_count, 0);
        close(replica);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_framed_by_what_its_body_is),
        cmocka_unit_test(a_head_that_is_the_last_text_there_is_room_for_leaves_whole),
        cmocka_unit_test(what_was_sent_is_counted_for_each_request),
        cmocka_unit_test(a_holder_with_bytes_in_hand_gets_no_more_before_it_gives_them_back),
        cmocka_unit_test(a_tunnel_ends_when_both_ways_have_ended),
    };

    return cmocka_run_group_tests_name("conn/outbound_request", tests, NULL, NULL);
}
