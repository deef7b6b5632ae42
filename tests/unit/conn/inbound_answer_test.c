#include "any_inbound.h"

static void an_answer_before_the_request_is_whole_leaves_the_connection_usable(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "no";
    f.answer_status = 404;
    client = connect_client(&f);
    rig_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    rig_expect(&f.rig, client, "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno");
    /* The rest of the body is no request, whatever it looks like. */
    rig_send(client, "GET /GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_expect(&f.rig, client, "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(f.targets, "/1 /2 ");
    rig_send(client, "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx");
    rig_send(client, "\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno"
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
    assert_string_equal(f.targets, "/1 /2 /3 /4 ");
    close(client);
    end(&f);
}

static void an_error_before_much_of_the_request_has_come_says_close_and_closes(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answer_at_once = "no";
    f.answer_status = 404;
    client = connect_client(&f);
    rig_send(client, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n12345");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
    close(client);
    rig_turns(&f.rig, 3);
    client = connect_client(&f);
    /* Nobody knows whether the body comes or the next request. */
    rig_send(client, "POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\n");
    rig_expect_end(&f.rig, client,
                   "HTTP/1.1 404 Not Found\r\nX-Own: 1\r\nContent-Length: 2\r\n"
                   "Connection: close\r\n\r\nno");
    close(client);
    end(&f);
}

static void http_1_0_gets_no_chunks_no_interim_and_its_keep_alive(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_interim(f.heard.stream, VIEW("HTTP/1.1 103 Early Hints\r\n"));
    answer(&f, "1");
    rig_expect(&f.rig, client,
               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n1");
    rig_send(client, "GET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("HTTP/1.1 200 OK\r\n"),
                                                           .body = {FRAMING_CHUNKED, 0},
                                                           .status = 200});
    stream_send_body(f.heard.stream, VIEW("part"));
    stream_send_end(f.heard.stream, VIEW("X-Sum: 1\r\n"));
    rig_expect_end(&f.rig, client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart");
    close(client);
    end(&f);
}

static void an_answer_that_is_cut_off_ends_with_a_reset(void **state)
{
    static char text[RIG_TEXT_BYTES];
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    client = connect_client(&f);
    rig_send(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_turns(&f.rig, 2);
    stream_send_head(f.heard.stream, &(struct stream_head){.text = VIEW("HTTP/1.1 200 OK\r\n"),
                                                           .body = {FRAMING_CHUNKED, 0},
                                                           .status = 200});
    stream_send_body(f.heard.stream, VIEW("part"));
    rig_turns(&f.rig, 1);
    stream_reset(f.heard.stream);
    rig_turns(&f.rig, 3);
    assert_true(recv(client, text, sizeof(text), MSG_DONTWAIT) > 0);
    assert_null(memmem(text, 100, "0\r\n\r\n", 5));
    close(client);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_before_the_request_is_whole_leaves_the_connection_usable),
        cmocka_unit_test(an_error_before_much_of_the_request_has_come_says_close_and_closes),
        cmocka_unit_test(http_1_0_gets_no_chunks_no_interim_and_its_keep_alive),
        cmocka_unit_test(an_answer_that_is_cut_off_ends_with_a_reset),
    };

    return cmocka_run_group_tests_name("conn/inbound_answer", tests, NULL, NULL);
}
